//! Answers how a protocol is tested without sockets: connections in memory, one thread, simulated time. Given the same inputs it does
//! the same steps, unless threads of the engine take part. It never touches the network.
//!
//! ```ignore
//! sim::run(|net| async move {
//!     let mut client = net.connect(&service);
//!     client.write(b"QUIT\r\n").await;
//!     assert_eq!(client.read_line().await, b"221 bye\r\n");
//! });
//! ```

mod client;
mod pipe;

pub use client::Client;

use std::cell::{Cell, RefCell};
use std::collections::{HashMap, HashSet};
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::panic::resume_unwind;
use std::rc::Rc;
use std::time::{Duration, Instant};

use super::executor::{Executor, Parker};
use super::local::{self, Local};
use super::outgoing::{Connecting, Outside};
use super::{Service, SessionFuture, Stream, Transport};

/// Real time given to other threads before simulated time jumps to the next timer, in [`run`]: for what nobody has asked them for, as changes
/// that are told.
const PATIENCE: Duration = Duration::from_millis(100);
/// The same while somebody waits for an answer of theirs. A busy machine may take long over it, and a thread that is held up on purpose
/// answers never.
const PATIENCE_FOR_ANSWERS: Duration = Duration::from_secs(20);
/// Real time after which a simulation in which nobody can move any more is given up.
const DEADLOCK_AFTER: Duration = Duration::from_secs(30);

/// The simulated network and its executor.
#[derive(Clone)]
pub struct Net {
    inner: Rc<Inner>,
}

/// Who serves connections to an address.
type Host = Rc<dyn Fn(Client) -> SessionFuture>;

struct Inner {
    local: Rc<Local>,
    spawned: RefCell<Vec<SessionFuture>>,
    connections: Cell<u16>,
    segment: Cell<usize>,
    hosts: RefCell<HashMap<SocketAddr, Host>>,
    dark: RefCell<HashSet<SocketAddr>>,
    opened_from: RefCell<Vec<IpAddr>>,
}

/// Runs `main` and every session it starts, until `main` is done; the sessions left are dropped. When nobody can go on,
/// engine threads get a tenth of a second of real time to wake someone, and some seconds when somebody waits for an answer of theirs; then
/// simulated time jumps to the next timer.
///
/// # Panics
/// When `main` or a session panics, or when nobody can ever go on.
pub fn run<T, F>(main: impl FnOnce(Net) -> F) -> T
where
    T: 'static,
    F: Future<Output = T> + 'static,
{
    run_with(PATIENCE, main)
}

/// Like [`run`], for tests and fuzzing without other threads: time jumps at once, so that every run is the same.
pub fn run_alone<T, F>(main: impl FnOnce(Net) -> F) -> T
where
    T: 'static,
    F: Future<Output = T> + 'static,
{
    run_with(Duration::ZERO, main)
}

fn run_with<T, F>(patience: Duration, main: impl FnOnce(Net) -> F) -> T
where
    T: 'static,
    F: Future<Output = T> + 'static,
{
    let thread = std::thread::current();
    let parker = Parker::new(move || thread.unpark());
    let local = Local::simulated();
    let _entered = local::enter(local.clone());
    let net = Net {
        inner: Rc::new(Inner {
            local: local.clone(),
            spawned: RefCell::default(),
            connections: Cell::new(0),
            segment: Cell::new(usize::MAX),
            hosts: RefCell::default(),
            dark: RefCell::default(),
            opened_from: RefCell::default(),
        }),
    };
    local.set_outside(Some(Rc::new(net.clone())));
    let executor = Executor::new(parker.clone());
    let result = Rc::new(RefCell::new(None));
    let (main, slot) = (main(net.clone()), result.clone());
    executor.spawn(Box::pin(async move {
        let out = main.await;
        *slot.borrow_mut() = Some(out);
    }));
    loop {
        net.step(&executor);
        if let Some(out) = result.borrow_mut().take() {
            local.set_outside(None);
            executor.drop_all();
            return out;
        }
        let is_asked = !patience.is_zero() && local::waits_for_threads();
        let patience = if is_asked { PATIENCE_FOR_ANSWERS } else { patience };
        if executor.has_ready() || wait_for_threads(&executor, &parker, patience) {
            continue;
        }
        let Some(wait) = local.until_next_timer() else {
            let moved = wait_for_threads(&executor, &parker, DEADLOCK_AFTER);
            assert!(moved, "the simulation is stuck: everyone waits and nothing is due");
            continue;
        };
        local.advance_to(local.now() + wait);
        local.fire_timers();
    }
}

/// Whether another thread woke a task within `patience` of real time.
fn wait_for_threads(executor: &Executor, parker: &Parker, patience: Duration) -> bool {
    let until = Instant::now() + patience;
    loop {
        parker.announce_sleep();
        if executor.has_ready() {
            parker.awake();
            return true;
        }
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            parker.awake();
            return false;
        }
        std::thread::park_timeout(left);
    }
}

impl Net {
    fn step(&self, executor: &Executor) {
        self.inner.local.fire_timers();
        for future in self.inner.spawned.take() {
            executor.spawn(future);
        }
        executor.run_ready(1, Duration::ZERO);
        if let Some(panic) = executor.take_panic() {
            resume_unwind(panic);
        }
        for future in self.inner.spawned.take() {
            executor.spawn(future);
        }
    }

    /// Opens a connection to `service`, which serves it beside the caller.
    pub fn connect<S: Service + ?Sized>(&self, service: &S) -> Client {
        let (stream, client) = self.pair();
        let session = service.serve(stream);
        self.spawn(session);
        client
    }

    /// A server's stream and the client at its other end. Addresses are 192.0.2.1 (the client; RFC 5737) and 192.0.2.25.
    pub fn pair(&self) -> (Stream, Client) {
        let number = self.inner.connections.get().wrapping_add(1);
        self.inner.connections.set(number);
        let peer = SocketAddr::from(([192, 0, 2, 1], 1024_u16.saturating_add(number)));
        self.pair_from(peer)
    }

    /// Like [`Net::pair`], with a client at `peer`.
    pub fn pair_from(&self, peer: SocketAddr) -> (Stream, Client) {
        let local = SocketAddr::from(([192, 0, 2, 25], 25));
        let (transport, client) = pipe::connection(self.inner.segment.get());
        (Stream::new(Box::new(transport), peer, local), client)
    }

    /// From now on, who connects to `addr` meets `serve`, which has the other end.
    pub fn listen<F>(&self, addr: SocketAddr, serve: impl Fn(Client) -> F + 'static)
    where
        F: Future<Output = ()> + 'static,
    {
        let serve = move |client| Box::pin(serve(client)) as SessionFuture;
        self.inner.hosts.borrow_mut().insert(addr, Rc::new(serve));
    }

    /// From now on nothing answers at `addr`: connecting neither succeeds nor fails.
    pub fn darken(&self, addr: SocketAddr) {
        self.inner.dark.borrow_mut().insert(addr);
    }

    /// From which addresses of ours connections were opened so far, in their order.
    pub fn opened_from(&self) -> Vec<IpAddr> {
        self.inner.opened_from.borrow().clone()
    }

    /// Runs `future` beside the caller.
    pub fn spawn(&self, future: impl Future<Output = ()> + 'static) {
        self.inner.spawned.borrow_mut().push(Box::pin(future));
    }

    /// From now on, servers of new connections receive at most `size_bytes` at a time: how a test cuts input anywhere.
    pub fn segment(&self, size_bytes: usize) {
        self.inner.segment.set(size_bytes.max(1));
    }

    /// Begins the graceful stop that sessions see by `stopping()`.
    pub fn stop(&self) {
        self.inner.local.stop.set();
    }

    /// The simulated instant.
    pub fn now(&self) -> Instant {
        self.inner.local.now()
    }
}

impl Outside for Net {
    fn connect(&self, to: SocketAddr, from: Option<IpAddr>) -> Connecting {
        let net = self.clone();
        Box::pin(async move {
            if net.inner.dark.borrow().contains(&to) {
                std::future::pending::<()>().await;
            }
            let serve = net.inner.hosts.borrow().get(&to).cloned();
            let serve = serve.ok_or(std::io::ErrorKind::ConnectionRefused)?;
            let (transport, client) = pipe::connection(net.inner.segment.get());
            net.spawn(serve(client));
            let local = SocketAddr::new(from.unwrap_or([192, 0, 2, 25].into()), 40_000);
            net.inner.opened_from.borrow_mut().push(local.ip());
            Ok((Box::new(transport) as Box<dyn Transport>, local))
        })
    }

    fn spawn(&self, future: SessionFuture) {
        self.inner.spawned.borrow_mut().push(future);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::{elsewhere, timeout};
    use tokio::sync::oneshot;

    const LONG: Duration = PATIENCE.saturating_mul(5);

    #[test]
    fn no_time_passes_while_a_thread_is_asked() {
        let took = run(|net| async move {
            let (before, (reply, answer)) = (net.now(), oneshot::channel());
            std::thread::spawn(move || {
                std::thread::sleep(LONG);
                reply.send(7)
            });
            let heard = timeout(Duration::from_secs(1), elsewhere(answer)).await;
            assert_eq!(heard, Some(Ok(7)), "a busy machine looks like a server that gives no answer");
            net.now() - before
        });
        assert_eq!(took, Duration::ZERO);
        assert!(!local::waits_for_threads());
    }

    #[test]
    fn no_time_passes_while_the_store_is_asked() {
        let shared = crate::testing::shared();
        let engine = shared.engine.clone();
        run(move |_| async move {
            let work = engine.work(|| std::thread::sleep(LONG));
            assert!(matches!(timeout(Duration::from_secs(1), work).await, Some(Ok(()))));
        });
        assert!(!local::waits_for_threads());
    }
}
