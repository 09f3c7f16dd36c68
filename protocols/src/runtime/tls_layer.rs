//! Answers how TLS records become plain text and back over any transport. rustls does the cryptography; this layer only moves
//! bytes, in bounded pieces. It never decides whether TLS is required.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, ProtocolVersion, ServerConfig, ServerConnection};

use super::Transport;
use crate::limits;

/// What TLS agreed upon, for Received headers and logs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsInfo {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: &'static str,
    /// IANA name, such as `TLS_AES_256_GCM_SHA384`.
    pub cipher: String,
}

/// One TLS connection's state.
pub(crate) struct TlsLayer {
    conn: Connection,
    /// Records that wait for the transport to take them.
    records: Vec<u8>,
    /// How much of the output is encrypted already.
    encrypted: usize,
    at_end: bool,
}

impl TlsLayer {
    pub(crate) fn server(config: Arc<ServerConfig>) -> io::Result<TlsLayer> {
        let conn = ServerConnection::new(config).map_err(io::Error::other)?;
        Ok(TlsLayer::new(conn.into()))
    }

    pub(crate) fn client(config: Arc<ClientConfig>, name: ServerName<'static>) -> io::Result<TlsLayer> {
        let conn = ClientConnection::new(config, name).map_err(io::Error::other)?;
        Ok(TlsLayer::new(conn.into()))
    }

    fn new(conn: Connection) -> TlsLayer {
        TlsLayer { conn, records: Vec::new(), encrypted: 0, at_end: false }
    }

    pub(crate) fn info(&self) -> TlsInfo {
        let version = match self.conn.protocol_version() {
            Some(ProtocolVersion::TLSv1_3) => "TLSv1.3",
            Some(ProtocolVersion::TLSv1_2) => "TLSv1.2",
            _ => "TLS",
        };
        let suite = self.conn.negotiated_cipher_suite();
        let name = suite.map(|suite| format!("{:?}", suite.suite()));
        // rustls spells the version 1.3 suites TLS13_..., IANA spells them TLS_...
        let cipher = name.unwrap_or_default().replacen("TLS13_", "TLS_", 1);
        TlsInfo { version, cipher }
    }

    /// RFC 9266 section 2. What TLS 1.2 exports is unique only with the extended master secret (RFC 7627), which is not told apart here.
    pub(crate) fn exporter(&self) -> Option<Vec<u8>> {
        let is_new = self.conn.protocol_version() == Some(ProtocolVersion::TLSv1_3);
        let exported =
            is_new.then(|| self.conn.export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(b"")));
        exported?.ok().map(|bytes| bytes.to_vec())
    }

    pub(crate) fn notify_close(&mut self) {
        self.conn.send_close_notify();
    }

    /// Ready when the handshake is through. The client's first words may come in one piece with its last record of the handshake:
    /// they are appended to `into`. rustls gives no plain text before it knows the peer's Finished.
    pub(crate) fn poll_handshake(
        &mut self,
        cx: &mut Context<'_>,
        transport: &mut dyn Transport,
        into: &mut Vec<u8>,
    ) -> Poll<io::Result<()>> {
        while self.conn.is_handshaking() {
            if ready!(self.poll_fill(cx, transport, into))? == 0 && self.at_end {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
        }
        self.poll_send_records(cx, transport)
    }

    /// Appends plain text to `into`. During the handshake it is also ready, with 0, after each step.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        transport: &mut dyn Transport,
        into: &mut Vec<u8>,
    ) -> Poll<io::Result<usize>> {
        loop {
            if self.at_end {
                return Poll::Ready(Ok(0));
            }
            // Answers that TLS itself owes (handshake, key updates) go out beside the reading.
            if self.poll_send_records(cx, transport)?.is_pending() && self.conn.is_handshaking() {
                return Poll::Pending;
            }
            let mut records = Vec::new();
            let received = ready!(transport.poll_recv(cx, &mut records))?;
            let before = into.len();
            let was_handshaking = self.conn.is_handshaking();
            let fed = self.decrypt(&records, into);
            if fed.is_err() {
                // The alert that tells the peer what was wrong; it is lost when it cannot go at once.
                let _ = self.poll_send_records(cx, transport);
            }
            fed?;
            self.at_end |= received == 0;
            let got = into.len() - before;
            if got > 0 || was_handshaking {
                return Poll::Ready(Ok(got));
            }
        }
    }

    fn decrypt(&mut self, mut records: &[u8], into: &mut Vec<u8>) -> io::Result<()> {
        while !records.is_empty() {
            self.conn.read_tls(&mut records)?;
            let state = self.conn.process_new_packets();
            let state = state.map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let ready_bytes = state.plaintext_bytes_to_read();
            if ready_bytes > 0 {
                let start = into.len();
                into.resize(start + ready_bytes, 0);
                self.conn.reader().read_exact(&mut into[start..])?;
            }
            if state.peer_has_closed() {
                self.at_end = true;
                return Ok(());
            }
        }
        Ok(())
    }

    /// Encrypts and sends all of `output`, a piece at a time.
    pub(crate) fn poll_flush(
        &mut self,
        cx: &mut Context<'_>,
        transport: &mut dyn Transport,
        output: &mut Vec<u8>,
    ) -> Poll<io::Result<()>> {
        while self.encrypted < output.len() {
            ready!(self.poll_send_records(cx, transport))?;
            let end = output.len().min(self.encrypted + limits::TLS_CHUNK_SIZE_BYTES);
            let taken = self.conn.writer().write(&output[self.encrypted..end])?;
            self.encrypted += taken;
        }
        self.encrypted = 0;
        if output.capacity() > limits::KEPT_CAPACITY_BYTES_MAX {
            *output = Vec::new();
        } else {
            output.clear();
        }
        self.poll_send_records(cx, transport)
    }

    fn poll_send_records(&mut self, cx: &mut Context<'_>, transport: &mut dyn Transport) -> Poll<io::Result<()>> {
        while self.conn.wants_write() {
            self.conn.write_tls(&mut self.records)?;
        }
        let sent = transport.poll_send(cx, &mut self.records);
        if self.records.is_empty() && self.records.capacity() > 0 {
            self.records = Vec::new();
        }
        sent
    }
}
