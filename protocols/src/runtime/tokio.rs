//! The tokio twin of the io_uring reactor: one single-threaded runtime per reactor thread, same placing, timers and stop. It is for
//! kernels and sandboxes without io_uring.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::{Arc, mpsc::Sender};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use ::tokio::io::{AsyncRead, ReadBuf};
use ::tokio::net::{TcpListener, TcpSocket, TcpStream};
use ::tokio::sync::Notify;
use ::tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};
use ::tokio::task::coop::unconstrained;
use ::tokio::task::{AbortHandle, LocalSet};

use super::executor::{Executor, Parker};
use super::local::{self, Local};
use super::outgoing::{self, Connecting, Outside};
use super::server::{Begin, Message, Post, Shared};
use super::uring::peer_state;
use super::{PeerState, SessionFuture, Site, Stream, Transport};
use crate::limits;

/// The life of one reactor thread.
pub(crate) fn run(index: usize, shared: Arc<Shared>, ready: &Sender<io::Result<Post>>, begin: &Begin) {
    let (inbox, messages) = unbounded_channel();
    let runtime = ::tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let post: Post = Arc::new(move |message| {
        // A reactor that has ended needs no messages.
        let _ = inbox.send(message);
    });
    let _ = ready.send(Ok(post));
    let Ok(posts) = begin.recv() else {
        return;
    };
    let local = Local::real();
    let _entered = local::enter(local.clone());
    let woken: Arc<Notify> = Arc::default();
    let ring = woken.clone();
    let parker = Parker::new(move || ring.notify_one());
    let executor = Rc::new(Executor::new(parker.clone()));
    local.set_outside(Some(Rc::new(TokioOutside(executor.clone()))));
    let tasks = LocalSet::new();
    tasks.spawn_local(unconstrained(drive_tasks(executor.clone(), parker, woken)));
    let reactor = Reactor { index, shared, posts: posts.into(), local: local.clone(), executor: executor.clone() };
    tasks.block_on(&runtime, reactor.serve(messages));
    local.set_outside(None);
    // Sessions that are left are dropped inside the runtime that their sockets belong to.
    let _inside = runtime.enter();
    executor.drop_all();
    drop(tasks);
}

struct Reactor {
    index: usize,
    shared: Arc<Shared>,
    posts: Rc<[Post]>,
    local: Rc<Local>,
    executor: Rc<Executor>,
}

impl Reactor {
    async fn serve(self, mut messages: UnboundedReceiver<Message>) {
        let timers = ::tokio::task::spawn_local(drive_timers(self.local.clone()));
        let mut acceptors = Some(self.accept_all());
        while let Some(message) = messages.recv().await {
            match message {
                Message::Serve(accepted) => self.spawn_session(accepted),
                Message::Run(job) => self.executor.spawn(job()),
                Message::Stop => {
                    acceptors = None;
                    self.local.stop.set();
                }
                Message::End => break,
            }
        }
        drop(acceptors);
        timers.abort();
    }

    fn accept_all(&self) -> Vec<AbortOnDrop> {
        let listeners = self.shared.accepts(self.index);
        let accept = |listener| {
            let task = accept(self.shared.clone(), listener, self.posts.clone());
            AbortOnDrop(::tokio::task::spawn_local(task).abort_handle())
        };
        listeners.map(accept).collect()
    }

    fn spawn_session(&self, accepted: super::server::Accepted) {
        let (peer, local) = (accepted.peer, accepted.local);
        let socket = accepted.socket;
        let socket = socket.set_nonblocking(true).and_then(|()| TcpStream::from_std(socket));
        match socket {
            Ok(socket) => {
                let stream = Stream::new(Box::new(TcpTransport::new(socket)), peer, local);
                let session = self.shared.session(accepted.listener, stream, accepted.permit);
                self.executor.spawn_for(Some(Site::of(peer.ip()).number()), session);
            }
            Err(error) => tracing::warn!(%peer, %error, "connection lost before it was served"),
        }
    }
}

/// Gives the tasks their turns. For tokio they are all one task, which it would else stop after some operations on sockets.
async fn drive_tasks(executor: Rc<Executor>, parker: Arc<Parker>, woken: Arc<Notify>) {
    loop {
        executor.run_ready(limits::TASKS_PER_TURN_MAX, limits::TURN_TIME_MAX);
        parker.announce_sleep();
        if executor.has_ready() {
            parker.awake();
            // The sockets are looked at meanwhile.
            ::tokio::task::yield_now().await;
        } else {
            woken.notified().await;
            parker.awake();
        }
    }
}

/// What the reactor does for the tasks on it.
struct TokioOutside(Rc<Executor>);

impl Outside for TokioOutside {
    fn connect(&self, to: SocketAddr, from: Option<IpAddr>) -> Connecting {
        Box::pin(async move {
            let socket = outgoing::socket(to, from)?;
            socket.set_nonblocking(true)?;
            let socket = TcpSocket::from_std_stream(socket.into()).connect(to).await?;
            let local = socket.local_addr()?;
            Ok((Box::new(TcpTransport::new(socket)) as Box<dyn Transport>, local))
        })
    }

    fn adopt(&self, socket: std::net::TcpStream) -> io::Result<Box<dyn Transport>> {
        socket.set_nonblocking(true)?;
        Ok(Box::new(TcpTransport::new(TcpStream::from_std(socket)?)))
    }

    fn spawn(&self, future: SessionFuture) {
        self.0.spawn(future);
    }
}

struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn accept(shared: Arc<Shared>, listener: usize, posts: Rc<[Post]>) {
    let bound = &shared.bound[listener];
    let socket = bound.socket.try_clone();
    let socket = socket.and_then(|socket| socket.set_nonblocking(true).map(|()| socket));
    let socket = match socket.and_then(TcpListener::from_std) {
        Ok(socket) => socket,
        Err(error) => {
            tracing::error!(listener = bound.listener.name, %error, "cannot accept");
            return;
        }
    };
    loop {
        let accepted = match socket.accept().await {
            Ok((accepted, _)) => accepted.into_std(),
            Err(error) => {
                tracing::warn!(listener = bound.listener.name, %error, "accept failed");
                ::tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                continue;
            }
        };
        let admitted = accepted.ok().and_then(|socket| shared.admit(listener, socket));
        if let Some(accepted) = admitted {
            posts[accepted.permit.reactor](Message::Serve(accepted));
        }
    }
}

/// Fires the reactor's timers: one tokio timer, always set to the earliest of them.
async fn drive_timers(local: Rc<Local>) {
    let far = Duration::from_secs(3600);
    let mut next = Box::pin(::tokio::time::sleep(far));
    poll_fn(|cx| {
        loop {
            local.timers.borrow_mut().on_earlier = Some(cx.waker().clone());
            local.fire_timers();
            let wait = local.until_next_timer().unwrap_or(far);
            next.as_mut().reset(::tokio::time::Instant::now() + wait);
            if next.as_mut().poll(cx).is_pending() {
                return Poll::<()>::Pending;
            }
        }
    })
    .await;
}

/// A TCP connection under tokio.
struct TcpTransport {
    socket: TcpStream,
    sending: Vec<u8>,
    sent_of_sending: usize,
    sent_bytes: u64,
}

thread_local! {
    /// Where bytes land before they are appended to a session's own buffer, so that idle connections hold none.
    static LANDING: RefCell<Vec<u8>> = RefCell::new(vec![0; limits::INBOX_SIZE_BYTES_MAX]);
}

impl TcpTransport {
    fn new(socket: TcpStream) -> TcpTransport {
        TcpTransport { socket, sending: Vec::new(), sent_of_sending: 0, sent_bytes: 0 }
    }

    fn poll_sending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.sent_of_sending < self.sending.len() {
            ready!(self.socket.poll_write_ready(cx))?;
            match self.socket.try_write(&self.sending[self.sent_of_sending..]) {
                Ok(n) => {
                    self.sent_of_sending += n;
                    self.sent_bytes += n as u64;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Poll::Ready(Err(error)),
            }
        }
        self.sent_of_sending = 0;
        Poll::Ready(Ok(()))
    }
}

impl Transport for TcpTransport {
    fn poll_recv(&mut self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        LANDING.with(|landing| {
            let landing = &mut *landing.borrow_mut();
            let mut landed = ReadBuf::new(landing);
            // Of a read that does not fill it tokio knows that there is no more, and does not ask the kernel again.
            ready!(Pin::new(&mut self.socket).poll_read(cx, &mut landed))?;
            into.extend_from_slice(landed.filled());
            Poll::Ready(Ok(landed.filled().len()))
        })
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, buf: &mut Vec<u8>) -> Poll<io::Result<()>> {
        ready!(self.poll_sending(cx))?;
        self.sending.clear();
        std::mem::swap(&mut self.sending, buf);
        let sent = self.poll_sending(cx)?;
        if sent.is_ready() {
            self.sending.clear();
            if self.sending.capacity() <= limits::KEPT_CAPACITY_BYTES_MAX && buf.capacity() == 0 {
                std::mem::swap(&mut self.sending, buf);
            }
            self.sending = Vec::new();
        }
        sent.map(Ok)
    }

    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = socket2::SockRef::from(&self.socket);
        Poll::Ready(socket.shutdown(std::net::Shutdown::Write))
    }

    fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    fn peer_state(&self) -> PeerState {
        peer_state(&self.socket)
    }
}
