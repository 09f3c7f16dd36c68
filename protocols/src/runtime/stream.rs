//! What a session sees of its connection: received bytes, bytes to send, TLS and compression on top when asked. It never parses anything, and
//! while a session waits it holds no buffer.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use super::deflate::DeflateLayer;
use super::limiter::Permit;
use super::proxy::Rest;
use super::timer::{Sleep, timeout};
use super::tls_layer::{TlsInfo, TlsLayer};
use super::{PeerState, Site, Transport, executor, now, yield_now};
use crate::limits;

/// A buffered connection with its addresses.
pub struct Stream {
    transport: Box<dyn Transport>,
    tls: Option<Box<TlsLayer>>,
    deflate: Option<Box<DeflateLayer>>,
    /// Bytes inflated since others had their turn: unlike what is received, what a client has compressed is there without a wait.
    inflated: usize,
    /// Received plaintext; `[..read_at]` is consumed.
    input: Vec<u8>,
    read_at: usize,
    output: Vec<u8>,
    peer: SocketAddr,
    local: SocketAddr,
    stall: Duration,
    /// Until when all that is to be sent must have been taken.
    deadline: Option<Instant>,
    /// The right to be open, given back when the transport is gone.
    permit: Option<Permit>,
}

impl Stream {
    /// A stream in plain text over `transport`.
    pub fn new(transport: Box<dyn Transport>, peer: SocketAddr, local: SocketAddr) -> Self {
        Stream {
            transport,
            tls: None,
            deflate: None,
            inflated: 0,
            input: Vec::new(),
            read_at: 0,
            output: Vec::new(),
            peer,
            local,
            stall: limits::SEND_STALL_MAX,
            deadline: None,
            permit: None,
        }
    }

    /// Keeps the right of the connection to be open.
    pub(super) fn hold(&mut self, permit: Permit) {
        self.permit = Some(permit);
    }

    /// Somebody who is trusted says whose connection it passes on: from now on it is a client's at `peer`, which has connected to `local`. False:
    /// there are as many connections from there as may be, and nothing has changed.
    pub(crate) fn came_from(&mut self, peer: SocketAddr, local: SocketAddr) -> bool {
        let may = self.permit.as_mut().is_none_or(|permit| permit.is_of(peer.ip()));
        if may {
            (self.peer, self.local) = (peer, local);
            executor::becomes(Site::of(peer.ip()).number());
        }
        may
    }

    /// What has been received and not consumed counts as not received: TLS may begin with it.
    pub(super) fn unread(mut self) -> Stream {
        self.compact();
        if self.input.is_empty() {
            return self;
        }
        let transport = Box::new(Rest { first: self.input, below: self.transport });
        Stream { transport, input: Vec::new(), ..self }
    }

    /// The client's address.
    pub fn peer(&self) -> SocketAddr {
        self.peer
    }

    /// Our address, as the client reached it.
    pub fn local(&self) -> SocketAddr {
        self.local
    }

    /// Whether the bytes are encrypted on the wire.
    pub fn is_tls(&self) -> bool {
        self.tls.is_some()
    }

    /// What TLS agreed upon; `None` in plain text.
    pub fn tls_info(&self) -> Option<TlsInfo> {
        self.tls.as_ref().map(|tls| tls.info())
    }

    /// `tls-exporter` of RFC 9266, which binds a SCRAM proof to this connection: TLS 1.3 only.
    pub fn tls_exporter(&self) -> Option<Vec<u8>> {
        self.tls.as_ref().and_then(|tls| tls.exporter())
    }

    /// How long `flush` bears a client that takes no byte at all; the default is [`limits::SEND_STALL_MAX`].
    pub fn set_stall(&mut self, stall: Duration) {
        self.stall = stall;
    }

    /// Until when a client may take what `flush` sends, however steadily it does; without one, for ever.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    fn stall_now(&self) -> Duration {
        self.deadline.map_or(self.stall, |deadline| deadline.saturating_duration_since(now()).min(self.stall))
    }

    /// Whether anybody is at the other end, whatever of it has not been read yet; never waits.
    pub fn peer_state(&self) -> PeerState {
        self.transport.peer_state()
    }

    /// Received bytes that are not consumed yet.
    pub fn buffered(&self) -> &[u8] {
        &self.input[self.read_at..]
    }

    /// Marks the first `n` bytes of [`Stream::buffered`] as used (all of them, when there are fewer).
    pub fn consume(&mut self, n: usize) {
        self.read_at = self.input.len().min(self.read_at.saturating_add(n));
        if self.read_at == self.input.len() {
            self.input.clear();
            self.read_at = 0;
        }
    }

    /// The received bytes as a vector to drain from the front; [`Stream::consume`] is cheaper.
    pub fn input(&mut self) -> &mut Vec<u8> {
        self.compact();
        &mut self.input
    }

    /// Bytes to send at the next [`Stream::flush`]; append to it.
    pub fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Waits for more bytes and says how many came; 0 = the peer closed its side. May be dropped while it waits (in a
    /// `select` or `timeout`) without losing a byte.
    pub async fn fill(&mut self) -> io::Result<usize> {
        if self.inflated >= limits::WORK_PER_TURN_BYTES {
            self.inflated = 0;
            yield_now().await;
        }
        poll_fn(|cx| self.poll_fill(cx)).await
    }

    /// Sends all of [`Stream::output`]; waits for a slow client.
    ///
    /// # Errors
    /// `TimedOut` when the client took no byte for the stall time, or not all before the deadline; any error of the connection. Drop the stream then.
    pub async fn flush(&mut self) -> io::Result<()> {
        let mut watch: Option<(u64, Sleep)> = None;
        poll_fn(|cx| {
            if let Poll::Ready(done) = self.poll_flush(cx) {
                return Poll::Ready(done);
            }
            let sent = self.transport.sent_bytes();
            if watch.as_ref().is_none_or(|(before, _)| *before != sent) {
                watch = Some((sent, Sleep::new(self.stall_now())));
            }
            let Some((_, sleep)) = &mut watch else {
                return Poll::Pending;
            };
            ready!(Pin::new(sleep).poll(cx));
            Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
        })
        .await
    }

    /// Sends what has gathered if it is [`limits::OUTPUT_BYTES`] or more; waits for a slow client. Errors as [`Stream::flush`].
    pub async fn flush_if_large(&mut self) -> io::Result<()> {
        if self.output.len() >= limits::OUTPUT_BYTES { self.flush().await } else { Ok(()) }
    }

    /// Becomes a TLS server on this connection; ready after the handshake.
    ///
    /// # Errors
    /// `InvalidData` when plain text is still buffered: what came after STARTTLS in the clear must not be taken for what came
    /// under TLS (RFC 3207 section 4.2, CVE-2011-0411). `TimedOut`, or why the handshake failed. Drop the stream then.
    pub async fn start_tls(&mut self, config: Arc<rustls::ServerConfig>) -> io::Result<()> {
        self.shake_hands(|| TlsLayer::server(config)).await
    }

    /// Becomes a TLS client of the host `name` on this connection; ready after the handshake.
    ///
    /// # Errors
    /// As for [`Stream::start_tls`]: what the server sent in the clear behind its reply must not count either.
    pub async fn start_tls_client(
        &mut self,
        config: Arc<rustls::ClientConfig>,
        name: rustls::pki_types::ServerName<'static>,
    ) -> io::Result<()> {
        self.shake_hands(|| TlsLayer::client(config, name)).await
    }

    async fn shake_hands(&mut self, layer: impl FnOnce() -> io::Result<TlsLayer>) -> io::Result<()> {
        if !self.buffered().is_empty() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "plain text behind STARTTLS"));
        }
        if !self.output.is_empty() || self.tls.is_some() || self.deflate.is_some() {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                "STARTTLS with output unsent, under TLS or compressed",
            ));
        }
        let mut tls = Box::new(layer()?);
        let (transport, input) = (&mut *self.transport, &mut self.input);
        let handshake = poll_fn(|cx| tls.poll_handshake(cx, transport, input));
        let done = timeout(limits::TLS_HANDSHAKE_MAX, handshake).await;
        done.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))?;
        self.tls = Some(tls);
        Ok(())
    }

    /// Whether the stream is compressed.
    pub fn is_compressed(&self) -> bool {
        self.deflate.is_some()
    }

    /// From now on both directions are compressed (RFC 4978). What is in [`Stream::output`] must have been sent; what has been received and
    /// not consumed counts as compressed.
    ///
    /// # Errors
    /// `InvalidInput` when output is unsent or the stream is compressed already.
    pub fn start_deflate(&mut self) -> io::Result<()> {
        if !self.output.is_empty() || self.deflate.is_some() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "compression with output unsent or twice"));
        }
        self.compact();
        self.deflate = Some(Box::new(DeflateLayer::new(std::mem::take(&mut self.input))));
        Ok(())
    }

    /// Ends the connection in good order: what is still to be sent, TLS close_notify, then a bounded wait for the peer's end,
    /// so that unread input does not turn our last reply into a reset. Never takes longer than a few seconds.
    pub async fn close(&mut self) {
        (self.stall, self.deadline) = (limits::CLOSE_LINGER_MAX, None);
        timeout(limits::CLOSE_MAX, self.end()).await;
    }

    async fn end(&mut self) {
        if self.flush().await.is_err() {
            return;
        }
        if let Some(tls) = &mut self.tls {
            tls.notify_close();
            if self.flush().await.is_err() {
                return;
            }
        }
        let down = poll_fn(|cx| self.transport.poll_shutdown(cx)).await;
        if down.is_ok() {
            timeout(limits::CLOSE_LINGER_MAX, self.drain()).await;
        }
    }

    /// Throws away what still comes, up to a bound.
    async fn drain(&mut self) {
        let mut dropped = 0;
        while dropped < limits::CLOSE_DRAIN_SIZE_BYTES_MAX {
            let mut waste = Vec::new();
            match poll_fn(|cx| self.transport.poll_recv(cx, &mut waste)).await {
                Ok(0) | Err(_) => return,
                Ok(n) => dropped += n,
            }
        }
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        self.compact();
        let got = self.poll_inflated(cx);
        if got.is_pending() {
            self.release();
        }
        got
    }

    fn poll_inflated(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let Some(mut layer) = self.deflate.take() else {
            return poll_lower(cx, &mut self.tls, &mut *self.transport, &mut self.input);
        };
        let got = loop {
            if layer.is_at_end() {
                break Poll::Ready(Ok(0));
            }
            if layer.has_received() {
                match layer.inflate(&mut self.input) {
                    Ok(0) => {}
                    other => {
                        self.inflated += other.as_ref().unwrap_or(&0);
                        break Poll::Ready(other);
                    }
                }
            }
            match poll_lower(cx, &mut self.tls, &mut *self.transport, layer.received()) {
                Poll::Ready(Ok(got)) if got > 0 => {}
                other => break other,
            }
        };
        self.deflate = Some(layer);
        got
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let output = match &mut self.deflate {
            None => &mut self.output,
            Some(layer) => {
                layer.pack(&mut self.output)?;
                &mut layer.packed
            }
        };
        match &mut self.tls {
            None => self.transport.poll_send(cx, output),
            Some(tls) => tls.poll_flush(cx, &mut *self.transport, output),
        }
    }

    fn compact(&mut self) {
        if self.read_at > 0 {
            self.input.drain(..self.read_at);
            self.read_at = 0;
        }
    }

    /// Gives empty buffers back while the session waits.
    fn release(&mut self) {
        if self.input.is_empty() {
            self.input = Vec::new();
        }
        if self.output.is_empty() {
            self.output = Vec::new();
        }
    }
}

/// Receives from TLS or the transport.
fn poll_lower(
    cx: &mut Context<'_>,
    tls: &mut Option<Box<TlsLayer>>,
    transport: &mut dyn Transport,
    into: &mut Vec<u8>,
) -> Poll<io::Result<usize>> {
    match tls {
        None => transport.poll_recv(cx, into),
        Some(tls) => tls.poll_fill(cx, transport, into),
    }
}
