//! A blocking connection, plain or TLS, that reads CRLF lines and counted bytes. It trusts any
//! certificate: it is a load generator on loopback and must never be used for real mail.

use crate::Target;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme, StreamOwned};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::Duration;

/// No answer for this long is an error, not a slow server.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// One read call asks for this much.
const READ_BYTES: usize = 64 * 1024;
/// A line longer than this is a server gone wild.
const LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

enum Link {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// A connection with a read buffer.
pub struct Wire {
    link: Link,
    buffer: Vec<u8>,
    start: usize,
}

impl Wire {
    /// Connects and, if asked to, shakes hands.
    ///
    /// # Errors
    /// Whatever connect, socket options or the handshake say.
    pub fn connect(target: &Target) -> io::Result<Self> {
        let stream = TcpStream::connect(target.addr)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(ANSWER_TIMEOUT))?;
        stream.set_write_timeout(Some(ANSWER_TIMEOUT))?;
        let link = if target.tls {
            let name = ServerName::try_from("localhost").map_err(io::Error::other)?;
            let session = ClientConnection::new(tls_config()?, name).map_err(io::Error::other)?;
            Link::Tls(Box::new(StreamOwned::new(session, stream)))
        } else {
            Link::Plain(stream)
        };
        Ok(Self { link, buffer: Vec::new(), start: 0 })
    }

    /// Sends everything.
    ///
    /// # Errors
    /// The socket's.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.link {
            Link::Plain(stream) => stream.write_all(bytes),
            Link::Tls(stream) => {
                stream.write_all(bytes)?;
                stream.flush()
            }
        }
    }

    fn fill(&mut self) -> io::Result<()> {
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        let old = self.buffer.len();
        self.buffer.resize(old + READ_BYTES, 0);
        let got = match &mut self.link {
            Link::Plain(stream) => stream.read(&mut self.buffer[old..]),
            Link::Tls(stream) => stream.read(&mut self.buffer[old..]),
        };
        self.buffer.truncate(old + *got.as_ref().unwrap_or(&0));
        match got {
            Ok(0) => Err(io::Error::other("the server closed the connection")),
            Ok(_) => Ok(()),
            Err(problem) => Err(problem),
        }
    }

    /// The next line without its line end.
    ///
    /// # Errors
    /// The socket's, a close, or a line without end.
    pub fn line(&mut self) -> io::Result<Vec<u8>> {
        let mut seen = self.start;
        loop {
            if let Some(at) = self.buffer[seen..].iter().position(|&b| b == b'\n') {
                let end = seen + at;
                let line = self.buffer[self.start..end].strip_suffix(b"\r").unwrap_or(&self.buffer[self.start..end]);
                let line = line.to_vec();
                self.start = end + 1;
                return Ok(line);
            }
            if self.buffer.len() - self.start > LINE_BYTES_MAX {
                return Err(io::Error::other("line without end"));
            }
            seen = self.buffer.len() - self.start;
            self.fill()?;
        }
    }

    /// Reads and drops exactly `count` bytes.
    ///
    /// # Errors
    /// The socket's or a close.
    pub fn skip(&mut self, mut count: usize) -> io::Result<()> {
        loop {
            let take = count.min(self.buffer.len() - self.start);
            self.start += take;
            count -= take;
            if count == 0 {
                return Ok(());
            }
            self.fill()?;
        }
    }

    /// Frees the read buffer of a connection that will be quiet for long.
    pub fn shrink(&mut self) {
        if self.start == self.buffer.len() {
            self.buffer = Vec::new();
            self.start = 0;
        }
    }
}

fn tls_config() -> io::Result<Arc<ClientConfig>> {
    static CONFIG: std::sync::OnceLock<Arc<ClientConfig>> = std::sync::OnceLock::new();
    if let Some(config) = CONFIG.get() {
        return Ok(Arc::clone(config));
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(io::Error::other)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(TrustAll))
        .with_no_client_auth();
    Ok(Arc::clone(CONFIG.get_or_init(|| Arc::new(config))))
}

#[derive(Debug)]
struct TrustAll;

impl ServerCertVerifier for TrustAll {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        rustls::crypto::ring::default_provider().signature_verification_algorithms.supported_schemes()
    }
}
