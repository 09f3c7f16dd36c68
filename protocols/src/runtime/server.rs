//! Answers how listeners become served connections: binds them, starts a reactor thread per core, places each connection where
//! the fewest are, and stops in good order. It leaves moving bytes to the chosen runtime.

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use super::limiter::{ConnectionLimits, Limiter, Permit};
use super::spawner::{Job, Spawner};
use super::{Kind, Listener, SessionFuture, Stream, Unserved, proxy};
use crate::limits;

/// A listener that is bound; its socket belongs to one reactor, which accepts for all of them.
pub(crate) struct Bound {
    pub(crate) listener: Listener,
    pub(crate) addr: SocketAddr,
    pub(crate) socket: TcpListener,
}

/// What every reactor of a server sees.
pub(crate) struct Shared {
    pub(crate) bound: Vec<Bound>,
    pub(crate) limiter: Arc<Limiter>,
    pub(crate) reactors: usize,
    /// Work that a stop waits for beside the connections.
    pub(crate) background: AtomicUsize,
}

/// An accepted connection on its way to its reactor.
pub(crate) struct Accepted {
    pub(crate) socket: TcpStream,
    pub(crate) peer: SocketAddr,
    pub(crate) local: SocketAddr,
    pub(crate) listener: usize,
    pub(crate) permit: Permit,
}

/// What a reactor is told from outside.
pub(crate) enum Message {
    /// Serve this connection.
    Serve(Accepted),
    /// Run this work.
    Run(Job),
    /// Accept no more and tell the sessions.
    Stop,
    /// Close what is left and end.
    End,
}

/// How the server reaches one reactor.
pub(crate) type Post = Arc<dyn Fn(Message) + Send + Sync>;

impl Shared {
    /// The listeners that reactor `index` accepts for.
    pub(crate) fn accepts(&self, index: usize) -> impl Iterator<Item = usize> {
        (index..self.bound.len()).step_by(self.reactors)
    }

    /// Lets a fresh connection in, or tells it that we are full and closes it.
    pub(crate) fn admit(&self, listener: usize, socket: TcpStream) -> Option<Accepted> {
        // A client that is gone already has no address any more.
        let peer = canonical(socket.peer_addr().ok()?);
        let local = canonical(socket.local_addr().ok()?);
        // A proxy's connections count as those of the clients whom it speaks for, once it has said who they are.
        let client = (!self.bound[listener].listener.is_proxy(peer.ip())).then(|| peer.ip());
        let Some(permit) = self.limiter.admit(client) else {
            self.refuse(listener, socket, peer);
            return None;
        };
        // Replies are whole when they are sent; waiting for more to send (Nagle) only delays them.
        socket.set_nodelay(true).ok()?;
        Some(Accepted { socket, peer, local, listener, permit })
    }

    fn refuse(&self, listener: usize, mut socket: TcpStream, peer: SocketAddr) {
        let listener = &self.bound[listener].listener;
        tracing::debug!(listener = listener.name, %peer, "over the connection limit");
        listener.service.unserved(peer, Unserved::OverLimit);
        if listener.implicit_tls.is_none() && socket.set_nonblocking(true).is_ok() {
            // Into an empty send buffer; a client that cannot take even that gets a plain close.
            let _ = socket.write(listener.service.busy_reply());
        }
    }

    /// The future of one connection: who it is where a proxy is in front, TLS where it is implicit, then the protocol.
    pub(crate) fn session(&self, index: usize, mut stream: Stream, permit: Permit) -> SessionFuture {
        let listener = &self.bound[index].listener;
        let (service, tls) = (listener.service.clone(), listener.implicit_tls.clone());
        let is_proxy = listener.is_proxy(stream.peer().ip());
        stream.hold(permit);
        if tls.is_none() && !is_proxy {
            return service.serve(stream);
        }
        Box::pin(async move {
            if is_proxy {
                let busy = tls.is_none().then(|| service.busy_reply());
                let told = |peer| service.unserved(peer, Unserved::OverLimit);
                stream = match proxy::introduced(stream, busy, told).await {
                    Some(stream) => stream,
                    None => return,
                };
            }
            if let Some(tls) = tls {
                let peer = stream.peer();
                if let Err(error) = stream.start_tls(tls).await {
                    tracing::debug!(%peer, %error, "TLS handshake failed");
                    service.unserved(peer, Unserved::Handshake(&error));
                    stream.close().await;
                    return;
                }
            }
            service.serve(stream).await;
        })
    }
}

/// IPv4 clients of an IPv6 socket keep their IPv4 face.
fn canonical(addr: SocketAddr) -> SocketAddr {
    SocketAddr::new(addr.ip().to_canonical(), addr.port())
}

/// The running reactors and their listeners.
pub struct Server {
    shared: Arc<Shared>,
    reactors: Vec<(Post, JoinHandle<()>)>,
}

impl Server {
    /// Binds every listener and starts `reactors` threads (at least one).
    ///
    /// # Errors
    /// An address that cannot be bound (its listener is named in the error), or a reactor that cannot start; nothing is left running.
    pub fn start(
        kind: Kind,
        reactors: usize,
        listeners: Vec<Listener>,
        limits: ConnectionLimits,
    ) -> io::Result<Server> {
        let reactors = reactors.clamp(1, limits::REACTORS_MAX);
        let bound: io::Result<Vec<Bound>> = listeners.into_iter().map(bind).collect();
        let shared = Arc::new(Shared {
            bound: bound?,
            limiter: Limiter::new(limits, reactors),
            reactors,
            background: AtomicUsize::new(0),
        });
        let mut server = Server { shared: shared.clone(), reactors: Vec::new() };
        let mut begin = Vec::new();
        for index in 0..reactors {
            let (post, thread, go) = start_reactor(kind, index, &shared)?;
            server.reactors.push((post, thread));
            begin.push(go);
        }
        let posts: Vec<Post> = server.reactors.iter().map(|(post, _)| post.clone()).collect();
        for go in begin {
            // A reactor that died between its start and here shows at the join.
            let _ = go.send(posts.clone());
        }
        Ok(server)
    }

    /// Name and address of each listener, with the port that was taken for port 0.
    pub fn local_addrs(&self) -> Vec<(String, SocketAddr)> {
        let bound = self.shared.bound.iter();
        bound.map(|bound| (bound.listener.name.clone(), bound.addr)).collect()
    }

    /// Connections open now.
    pub fn connections(&self) -> usize {
        self.shared.limiter.total()
    }

    /// Puts work on the reactors that no client has asked for.
    pub fn spawner(&self) -> Spawner {
        let posts = self.reactors.iter().map(|(post, _)| post.clone()).collect();
        Spawner::new(self.shared.clone(), posts)
    }

    /// Stops accepting and tells the sessions; after `grace`, or as soon as the last session is done, closes what is left.
    /// Blocks until every reactor has ended.
    pub fn stop(mut self, grace: Duration) {
        self.post_all(|| Message::Stop);
        for bound in &self.shared.bound {
            // Whoever comes now is refused at once instead of waiting in the kernel's queue for nobody.
            let _ = socket2::SockRef::from(&bound.socket).shutdown(std::net::Shutdown::Both);
        }
        let until = std::time::Instant::now() + grace;
        let busy = || self.connections() > 0 || self.shared.background.load(Ordering::SeqCst) > 0;
        while busy() && std::time::Instant::now() < until {
            std::thread::sleep(Duration::from_millis(5));
        }
        self.end();
    }

    fn post_all(&self, message: impl Fn() -> Message) {
        for (post, _) in &self.reactors {
            post(message());
        }
    }

    fn end(&mut self) {
        self.post_all(|| Message::End);
        for (post, thread) in self.reactors.drain(..) {
            drop(post);
            if thread.join().is_err() {
                tracing::error!("a reactor thread panicked");
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// What a reactor thread waits for before it accepts: the ways to all its fellows.
pub(crate) type Begin = mpsc::Receiver<Vec<Post>>;

type Started = (Post, JoinHandle<()>, mpsc::Sender<Vec<Post>>);

fn start_reactor(kind: Kind, index: usize, shared: &Arc<Shared>) -> io::Result<Started> {
    let (go, begin) = mpsc::channel();
    let (ready, started) = mpsc::channel();
    let shared = shared.clone();
    let thread = std::thread::Builder::new().name(format!("reactor-{index}")).spawn(move || {
        let run = || match kind {
            Kind::Uring => super::uring::run(index, shared, &ready, &begin),
            Kind::Tokio => super::tokio::run(index, shared, &ready, &begin),
        };
        // Sessions that panic are caught before. A reactor that is gone would still be given connections.
        if catch_unwind(AssertUnwindSafe(run)).is_err() {
            tracing::error!(index, "a reactor panicked: the server ends at once, to be started again");
            std::process::abort();
        }
    })?;
    match started.recv() {
        Ok(Ok(post)) => Ok((post, thread, go)),
        Ok(Err(error)) => Err(error),
        Err(_) => Err(io::Error::other("a reactor thread died while starting")),
    }
}

fn bind(listener: Listener) -> io::Result<Bound> {
    let socket = listen_soon(listener.addr).map_err(|error| {
        let told = format!("listener {} on {}: {error}", listener.name, listener.addr);
        io::Error::new(error.kind(), told)
    })?;
    Ok(Bound { addr: socket.local_addr()?, listener, socket })
}

/// Listens, and bears for a while that the address is taken: the kernel takes a killed server's ring apart after its process has ended, and
/// that ring holds the listeners until then.
fn listen_soon(addr: SocketAddr) -> io::Result<TcpListener> {
    let until = Instant::now() + limits::LISTEN_RETRY_MAX;
    loop {
        match listen(addr) {
            Err(error) if error.kind() == io::ErrorKind::AddrInUse && Instant::now() < until => {
                std::thread::sleep(limits::LISTEN_RETRY_PAUSE);
            }
            done => return done,
        }
    }
}

fn listen(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    // A restart must not wait for the old connections' TIME_WAIT.
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())?;
    socket.listen(limits::LISTEN_BACKLOG)?;
    Ok(socket.into())
}
