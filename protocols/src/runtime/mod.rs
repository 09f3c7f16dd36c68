//! Answers how bytes reach a session and how a session waits: one reactor thread per core, on io_uring or on tokio,
//! with one contract over both (and over a simulated network for tests). It never knows a protocol and never touches a file
//! of the store.

mod combine;
mod deflate;
mod executor;
mod later;
mod limiter;
mod local;
mod outgoing;
mod probe;
pub mod proxy;
mod server;
pub mod sim;
mod sites;
mod spawner;
mod stop;
mod stream;
mod timer;
pub mod tls;
mod tls_layer;
mod tokio;
mod uring;

#[cfg(test)]
pub(crate) use deflate::DeflateLayer;

pub use combine::{Either, select, yield_now};
pub use later::later;
pub use limiter::ConnectionLimits;
pub(crate) use local::elsewhere;
pub use local::now;
pub use outgoing::{connect, connect_unix, spawn};
pub use probe::choose;
pub use server::Server;
pub use sites::Pace;
pub(crate) use sites::Site;
pub use spawner::Spawner;
pub use stop::{StopSignal, stopping};
pub use stream::Stream;
pub use timer::{Sleep, sleep, timeout};
pub use tls_layer::TlsInfo;

use posthouse_engine::directory::Network;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

/// One connected byte stream owned by one reactor thread (not `Send`).
pub trait Transport {
    /// Appends received bytes to `into` and says how many; `Ready(Ok(0))` = the peer closed its side.
    /// Holds no buffer while nothing is there. May be dropped or left at any time without losing bytes.
    fn poll_recv(&mut self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<io::Result<usize>>;

    /// Sends all of `buf`: takes its content when no earlier send is under way, so that `buf` is then empty, and is ready
    /// when the kernel has everything. With an empty `buf` it waits for the send under way.
    fn poll_send(&mut self, cx: &mut Context<'_>, buf: &mut Vec<u8>) -> Poll<io::Result<()>>;

    /// Tells the peer that nothing more will come; receiving stays possible.
    fn poll_shutdown(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Bytes handed to the kernel so far: how a stalled client is told from a slow one.
    fn sent_bytes(&self) -> u64;

    /// What is known of the other end now, whatever it has sent that nobody has received; never waits.
    fn peer_state(&self) -> PeerState;
}

/// Whether anybody is at the other end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PeerState {
    /// Nothing is known against it.
    Here,
    /// It sends nothing more. Whether it still reads shows only when something is sent to it.
    Ended,
    /// It has answered with a reset, or the connection has failed: nobody reads what is sent.
    Gone,
}

/// What a connection runs until its end.
pub type SessionFuture = Pin<Box<dyn Future<Output = ()>>>;

/// A protocol: makes the session future for one connection. Called on the reactor thread.
pub trait Service: Send + Sync + 'static {
    /// The whole life of one connection; the stream closes when the future is done with it.
    fn serve(&self, stream: Stream) -> SessionFuture;

    /// What a client hears, in plain text, when it comes over a connection limit (SMTP 421, IMAP `* BYE`, POP3 `-ERR`).
    fn busy_reply(&self) -> &'static [u8];

    /// Told of a connection that ended before it could be served. Called on the reactor thread; must not wait.
    fn unserved(&self, _peer: SocketAddr, _why: Unserved<'_>) {}
}

/// Why a connection ended before its protocol began.
#[derive(Clone, Copy, Debug)]
pub enum Unserved<'a> {
    /// It was one too many, at a time or within a minute.
    OverLimit,
    /// TLS from the first byte could not be agreed upon.
    Handshake(&'a io::Error),
}

/// One address to listen on.
pub struct Listener {
    /// Name in the configuration and the log.
    pub name: String,
    /// Address; port 0 takes a free one, see [`Server::local_addrs`].
    pub addr: SocketAddr,
    /// What speaks there.
    pub service: Arc<dyn Service>,
    /// TLS from the first byte (RFC 8314), when given.
    pub implicit_tls: Option<Arc<rustls::ServerConfig>>,
    /// Whose connections begin with a PROXY header (`proxy`).
    pub proxies: Arc<[Network]>,
}

impl Listener {
    /// Whether a connection from there is somebody else's.
    pub(crate) fn is_proxy(&self, ip: IpAddr) -> bool {
        self.proxies.iter().any(|network| network.contains(&ip))
    }
}

/// Which machinery moves the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One io_uring per reactor thread.
    Uring,
    /// One single-threaded tokio runtime per reactor thread.
    Tokio,
}

/// What the configuration asks for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// io_uring where the kernel lets us, else tokio.
    #[default]
    Auto,
    /// io_uring or an error that says why not.
    Uring,
    /// tokio, always.
    Tokio,
}

/// Why the wished runtime cannot be had.
#[derive(Debug)]
pub struct RuntimeError {
    /// One line for the log: what failed and what an operator can do about it.
    pub reason: String,
}

impl fmt::Display for RuntimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

impl std::error::Error for RuntimeError {}
