//! Answers how work on a reactor thread reaches out: connections that we open, and tasks beside the present one. It knows no name server and
//! no protocol.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use super::{SessionFuture, Stream, Transport, local, sleep, timeout};

/// A connection on its way, with our own address once it is there.
pub(crate) type Connecting = Pin<Box<dyn Future<Output = io::Result<(Box<dyn Transport>, SocketAddr)>>>>;

/// What a reactor does for the tasks on it.
pub(crate) trait Outside {
    /// Opens a TCP connection; dropping the future gives it up.
    fn connect(&self, to: SocketAddr, from: Option<IpAddr>) -> Connecting;

    /// Takes over a socket that is connected; the transports know it by its descriptor alone, whatever its family is.
    ///
    /// # Errors
    /// There are no sockets here.
    fn adopt(&self, _socket: TcpStream) -> io::Result<Box<dyn Transport>> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Runs a task beside the present one.
    fn spawn(&self, future: SessionFuture);
}

/// Opens a connection to `to`, from our address `from` if one is given, within `wait`. Works on reactor threads only.
///
/// # Errors
/// `TimedOut`, or why the kernel cannot connect.
pub async fn connect(to: SocketAddr, from: Option<IpAddr>, wait: Duration) -> io::Result<Stream> {
    let connecting = local::current().outside()?.connect(to, from);
    match timeout(wait, connecting).await {
        Some(connected) => connected.map(|(transport, local)| Stream::new(transport, to, local)),
        None => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// How often a Unix socket is tried whose listener is behind.
const BUSY: Duration = Duration::from_millis(20);

/// Opens a connection to a Unix socket within `wait`. Works on reactor threads only.
///
/// # Errors
/// `TimedOut`, or why the kernel cannot connect.
pub async fn connect_unix(path: &Path, wait: Duration) -> io::Result<Stream> {
    let outside = local::current().outside()?;
    let address = socket2::SockAddr::unix(path)?;
    let connected = timeout(wait, async {
        loop {
            // It never waits: there is a connection at once, or the listener's queue is full.
            let socket = socket2::Socket::new(socket2::Domain::UNIX, socket2::Type::STREAM, None)?;
            socket.set_nonblocking(true)?;
            match socket.connect(&address) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => sleep(BUSY).await,
                done => return done.map(|()| socket),
            }
        }
    });
    let socket = connected.await.unwrap_or_else(|| Err(io::ErrorKind::TimedOut.into()))?;
    socket.set_nonblocking(false)?;
    let nobody = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    Ok(Stream::new(outside.adopt(OwnedFd::from(socket).into())?, nobody, nobody))
}

/// Runs `future` beside the caller, on the same thread; a stop does not wait for it. Works on reactor threads only.
pub fn spawn(future: impl Future<Output = ()> + 'static) {
    // A reactor that is being taken down runs nothing more.
    if let Ok(outside) = local::current().outside() {
        outside.spawn(Box::pin(future));
    }
}

/// A socket for a connection to `to`, bound to `from` if that is given.
pub(crate) fn socket(to: SocketAddr, from: Option<IpAddr>) -> io::Result<socket2::Socket> {
    let domain = socket2::Domain::for_address(to);
    let socket = socket2::Socket::new(domain, socket2::Type::STREAM, Some(socket2::Protocol::TCP))?;
    if let Some(from) = from {
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    // What we send is whole; waiting for more to send (Nagle) only delays it.
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}
