//! What the tests of the running server share: services, clients and the two runtimes. It checks nothing itself.
#![allow(dead_code, reason = "each test binary uses a part")]

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use posthouse_protocols::runtime::{
    Choice, ConnectionLimits, Kind, Listener, Server, Service, SessionFuture, Stream, choose,
};
use socket2::{Domain, Socket, Type};

/// One server test at a time: they count descriptors and connections.
pub fn one_at_a_time() -> MutexGuard<'static, ()> {
    static LOCK: Mutex<()> = Mutex::new(());
    LOCK.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs `test` on tokio, and on io_uring where it can be had.
pub fn on_both(test: impl Fn(Kind)) {
    let _alone = one_at_a_time();
    test(Kind::Tokio);
    match choose(Choice::Uring) {
        Ok((kind, _)) => test(kind),
        Err(error) => println!("not run on io_uring: {error}"),
    }
}

/// A service made of an async function.
pub struct By<F>(pub F);

impl<F, Fut> Service for By<F>
where
    F: Fn(Stream) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = ()> + 'static,
{
    fn serve(&self, stream: Stream) -> SessionFuture {
        Box::pin((self.0)(stream))
    }

    fn busy_reply(&self) -> &'static [u8] {
        b"421 busy\r\n"
    }
}

/// Sends back whatever comes.
pub async fn echo(mut stream: Stream) {
    while let Ok(1..) = stream.fill().await {
        let bytes = std::mem::take(stream.input());
        stream.output().extend_from_slice(&bytes);
        if stream.flush().await.is_err() {
            return;
        }
    }
    stream.close().await;
}

pub fn listener(service: impl Service) -> Listener {
    Listener {
        name: "test".into(),
        addr: SocketAddr::from(([127, 0, 0, 1], 0)),
        service: Arc::new(service),
        implicit_tls: None,
        proxies: Arc::default(),
    }
}

pub const MANY: ConnectionLimits = ConnectionLimits { total: 10_000, per_ip: 10_000, per_ip_minute: 0 };

/// A server of `service` and its address.
pub fn serve(kind: Kind, reactors: usize, service: impl Service) -> (Server, SocketAddr) {
    let server = Server::start(kind, reactors, vec![listener(service)], MANY).expect("the server starts");
    let addr = server.local_addrs()[0].1;
    (server, addr)
}

pub fn connect(addr: SocketAddr) -> TcpStream {
    let client = TcpStream::connect(addr).expect("the server listens");
    client.set_read_timeout(Some(Duration::from_secs(60))).expect("a time is given");
    client
}

/// A client in whose socket little fits: the kernel may let any other grow to 32 MiB, though nobody reads from it.
pub fn connect_narrow(addr: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    socket.set_recv_buffer_size(64 << 10).expect("a size is given");
    socket.set_read_timeout(Some(Duration::from_secs(60))).expect("a time is given");
    socket.connect(&addr.into()).expect("the server listens");
    socket.into()
}

/// Writes `bytes` and reads as many back.
pub fn ask(client: &mut TcpStream, bytes: &[u8]) -> Vec<u8> {
    client.write_all(bytes).expect("the server reads");
    let mut answer = vec![0; bytes.len()];
    client.read_exact(&mut answer).expect("the server answers");
    answer
}

/// Waits until `what` holds; false after a minute.
pub fn eventually(what: impl Fn() -> bool) -> bool {
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until {
        if what() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    false
}

/// Open descriptors of this process.
pub fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").map_or(0, Iterator::count)
}

/// Reads to the end, whatever way the connection ends.
pub fn read_all(client: &mut TcpStream) -> (Vec<u8>, io::Result<usize>) {
    let mut bytes = Vec::new();
    let end = client.read_to_end(&mut bytes);
    (bytes, end)
}
