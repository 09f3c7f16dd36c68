//! A connection that is given up at every point of its life: whatever the kernel still had of it comes back, its descriptor closes, and nothing of
//! it reaches the connection that comes into its place.

use std::cell::RefCell;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::driver::Driver;
use super::transport::RingTransport;
use super::{connect, reactor, wake};
use crate::limits;
use crate::runtime::executor::{Executor, Parker};
use crate::runtime::limiter::{ConnectionLimits, Limiter};
use crate::runtime::server::Shared;
use crate::runtime::{Transport, outgoing};

/// How long the kernel may take to give everything back.
const PATIENCE: Duration = Duration::from_secs(60);
const PIECE: Duration = Duration::from_millis(2);

/// How far an operation goes before the connection is given up: only queued, with the kernel, or as far as it gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Depth {
    Queued,
    Submitted,
    Turned,
}

const DEPTHS: [Depth; 3] = [Depth::Queued, Depth::Submitted, Depth::Turned];

fn driver() -> Rc<RefCell<Driver>> {
    let limiter = Limiter::new(ConnectionLimits::default(), 1);
    let shared = Shared { bound: Vec::new(), limiter, reactors: 1, background: AtomicUsize::new(0) };
    let event = wake::event().expect("an eventfd");
    Rc::new(RefCell::new(Driver::new(Arc::new(shared), event).expect("a ring")))
}

fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("bound");
    let peer = TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
    peer.set_read_timeout(Some(PATIENCE)).expect("set");
    (listener.accept().expect("accepted").0, peer)
}

/// A connection under test with its other end.
struct Life {
    driver: Rc<RefCell<Driver>>,
    transport: RingTransport,
    peer: TcpStream,
    received: Vec<u8>,
}

/// The steps of a busy connection's life, in order.
const STEPS: [fn(&mut Life); 8] = [
    |_| {},
    Life::receive,
    |life| life.peer.write_all(&[1; 10_000]).expect("written"),
    Life::receive,
    // More than it may hold unread: the receive is paused.
    |life| life.peer.write_all(&[2; 2 * limits::INBOX_SIZE_BYTES_MAX]).expect("written"),
    // More than the sockets take: a part stays with the kernel.
    |life| {
        let mut bytes = vec![3; 32 << 20];
        assert!(life.transport.poll_send(&mut context(), &mut bytes).is_pending());
    },
    |life| assert!(life.peer.read(&mut [0; 1 << 16]).expect("read") > 0),
    // The peer is gone, with bytes unread: a reset.
    |life| life.peer.shutdown(std::net::Shutdown::Both).expect("shut"),
];

fn context() -> Context<'static> {
    Context::from_waker(Waker::noop())
}

impl Life {
    fn new(driver: &Rc<RefCell<Driver>>) -> Life {
        let (socket, peer) = pair();
        let slot = driver.borrow_mut().adopt(socket);
        let transport = RingTransport::new(driver.clone(), slot);
        Life { driver: driver.clone(), transport, peer, received: Vec::new() }
    }

    fn receive(&mut self) {
        let _ = self.transport.poll_recv(&mut context(), &mut self.received);
    }

    fn go(&self, depth: Depth) {
        let mut driver = self.driver.borrow_mut();
        match depth {
            Depth::Queued => {}
            Depth::Submitted => driver.ring.submit().expect("submitted"),
            Depth::Turned => (0..3).for_each(|_| driver.turn(Some(PIECE)).expect("turned")),
        }
    }
}

/// Turns until nothing of any connection is left.
fn drained(driver: &Rc<RefCell<Driver>>) -> bool {
    let until = Instant::now() + PATIENCE;
    let mut driver = driver.borrow_mut();
    while !driver.conns.is_empty() && Instant::now() < until {
        driver.turn(Some(PIECE)).expect("turned");
    }
    driver.conns.is_empty()
}

/// The peer sees the end, or a reset where it had sent what nobody has read.
fn is_closed(mut peer: TcpStream) -> bool {
    let mut sink = vec![0; 1 << 20];
    loop {
        match peer.read(&mut sink) {
            Ok(0) => return true,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::ConnectionReset,
        }
    }
}

/// A new connection of the same ring receives what its own peer sends, with every buffer of the ring in turn, and sends.
fn still_serves(driver: &Rc<RefCell<Driver>>) {
    let mut life = Life::new(driver);
    let total = usize::from(limits::RECV_BUFFERS_PER_RING) * 2;
    for round in 0..total {
        life.peer.write_all(&[4; 100]).expect("written");
        let until = Instant::now() + PATIENCE;
        life.receive();
        while life.received.len() < (round + 1) * 100 && Instant::now() < until {
            driver.borrow_mut().turn(Some(PIECE)).expect("turned");
            life.receive();
        }
    }
    assert_eq!(life.received, vec![4; total * 100]);
    let sent = life.transport.poll_send(&mut context(), &mut b"bye".to_vec());
    assert!(matches!(sent, Poll::Ready(Ok(()))));
}

#[test]
fn a_connection_given_up_at_any_point_leaves_nothing() {
    for count in 1..=STEPS.len() {
        for depth in DEPTHS {
            let driver = driver();
            let mut life = Life::new(&driver);
            for (number, step) in STEPS[..count].iter().enumerate() {
                step(&mut life);
                // Those before the last have had their time.
                life.go(if number + 1 == count { depth } else { Depth::Turned });
            }
            let Life { transport, peer, .. } = life;
            drop(transport);
            // Whoever comes next must not get what was meant for the one that is going.
            still_serves(&driver);
            assert!(drained(&driver), "given up after step {count}, {depth:?}: the kernel keeps something");
            assert!(is_closed(peer), "given up after step {count}, {depth:?}: its descriptor is open");
        }
    }
}

/// Many at once, each at another point, on one ring whose queues are shorter than what they ask for.
#[test]
fn thousands_given_up_at_once_leave_nothing() {
    let driver = driver();
    for round in 0..4 {
        let mut lives: Vec<Life> = (0..600).map(|_| Life::new(&driver)).collect();
        for (number, life) in lives.iter_mut().enumerate() {
            let steps = [0, 1, 2, 3, 4, 7];
            steps.iter().take(1 + (number + round) % steps.len()).for_each(|step| STEPS[*step](life));
            if number % 50 == 0 {
                life.go(DEPTHS[number / 50 % 3]);
            }
        }
        let peers: Vec<TcpStream> = lives.into_iter().map(|life| life.peer).collect();
        still_serves(&driver);
        assert!(drained(&driver), "round {round}: the kernel keeps something");
        assert!(peers.into_iter().all(is_closed), "round {round}: a descriptor is open");
    }
}

#[test]
fn an_attempt_to_connect_given_up_at_any_point_leaves_nothing() {
    // Its queue holds one; the kernel lets those behind it wait.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&"127.0.0.1:0".parse::<std::net::SocketAddr>().expect("an address").into()).expect("bound");
    socket.listen(0).expect("listening");
    let full: TcpListener = socket.into();
    let full_at = full.local_addr().expect("bound");
    let _queued: Vec<TcpStream> =
        (0..2).filter_map(|_| TcpStream::connect_timeout(&full_at, PIECE * 20).ok()).collect();
    let open = TcpListener::bind("127.0.0.1:0").expect("bound");
    for to in [full_at, open.local_addr().expect("bound")] {
        for depth in DEPTHS {
            let driver = driver();
            let slot = driver.borrow_mut().adopt(outgoing::socket(to, None).expect("a socket").into());
            let transport = RingTransport::new(driver.clone(), slot);
            {
                let Driver { ring, conns, .. } = &mut *driver.borrow_mut();
                connect::start(ring, slot, &mut conns[slot], to.into());
            }
            let (_, peer) = pair();
            let life = Life { driver: driver.clone(), transport, peer, received: Vec::new() };
            life.go(depth);
            drop(life);
            still_serves(&driver);
            assert!(drained(&driver), "to {to}, {depth:?}: the kernel keeps something");
        }
    }
}

/// What nobody reads waits in the sockets, however fast it comes.
#[test]
fn a_burst_is_taken_no_further_than_the_bound() {
    let driver = driver();
    let mut life = Life::new(&driver);
    life.receive();
    life.go(Depth::Turned);
    life.peer.set_nonblocking(true).expect("set");
    let burst = vec![5; 1 << 20];
    let mut sent = 0;
    for _ in 0..20 {
        while let Ok(taken @ 1..) = life.peer.write(&burst) {
            sent += taken;
        }
        life.go(Depth::Turned);
    }
    let held = driver.borrow().conns[life.transport.slot()].inbox.len();
    let most = 3 * limits::INBOX_SIZE_BYTES_MAX;
    assert!(held <= most, "{held} bytes are held of {sent}, {most} at most expected");
    while life.received.len() < sent {
        life.receive();
        life.go(Depth::Turned);
    }
    assert!(life.received.iter().all(|byte| *byte == 5) && life.received.len() == sent);
}

/// What comes in while a reactor sleeps wakes its own sessions without the eventfd, which would end the next sleep for nothing.
#[test]
fn nobody_rings_for_what_the_ring_has_brought() {
    let rung = Arc::new(AtomicUsize::new(0));
    let bell = rung.clone();
    let parker = Parker::new(move || {
        bell.fetch_add(1, Ordering::SeqCst);
    });
    let (driver, executor) = (driver(), Executor::new(parker.clone()));
    let Life { mut transport, mut peer, .. } = Life::new(&driver);
    let came = Rc::new(RefCell::new(Vec::new()));
    let into = came.clone();
    executor.spawn(Box::pin(async move {
        let _ = std::future::poll_fn(|cx| transport.poll_recv(cx, &mut into.borrow_mut())).await;
    }));
    executor.run_ready(usize::MAX, PATIENCE);
    peer.write_all(b"x").expect("written");
    while !executor.has_ready() {
        parker.announce_sleep();
        reactor::sleep(&mut driver.borrow_mut(), &parker, Some(PATIENCE)).expect("slept");
    }
    executor.run_ready(usize::MAX, PATIENCE);
    assert_eq!((came.borrow().as_slice(), rung.load(Ordering::SeqCst)), (&b"x"[..], 0));
}
