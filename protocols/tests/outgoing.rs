//! Connections that we open, on both runtimes over the loopback: they carry bytes both ways and TLS, fail with a reason, are given up when
//! dropped, leave nothing behind, and a stop waits for the work that opened them.
mod common;

use common::{By, descriptors, echo, eventually, on_both, serve};
use posthouse_protocols::outbound::TlsConfigs;
use posthouse_protocols::runtime::{Kind, Server, Stream, connect, connect_unix, sleep, spawn, stopping, tls};
use std::io::{self, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

const WAIT: Duration = Duration::from_secs(60);

/// Runs work on a reactor and waits for what it gives.
fn on_reactor<T, F>(server: &Server, work: impl FnOnce() -> F + Send + 'static) -> T
where
    T: Send + 'static,
    F: Future<Output = T> + 'static,
{
    let (done, given) = mpsc::channel();
    server.spawner().spawn(move || {
        let work = work();
        Box::pin(async move { done.send(work.await).expect("the test waits") })
    });
    given.recv_timeout(WAIT).expect("the work ends")
}

async fn ask(stream: &mut Stream, text: &[u8]) -> io::Result<Vec<u8>> {
    stream.output().extend_from_slice(text);
    stream.flush().await?;
    while stream.buffered().len() < text.len() {
        if stream.fill().await? == 0 {
            break;
        }
    }
    let heard = stream.buffered().to_vec();
    stream.consume(heard.len());
    Ok(heard)
}

#[test]
fn bytes_go_both_ways_from_the_address_that_is_asked_for() {
    on_both(|kind| {
        let before = descriptors();
        let (server, addr) = serve(kind, 2, By(echo));
        let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
        let heard = on_reactor(&server, move || async move {
            let mut stream = connect(addr, Some(from), WAIT).await?;
            let long = vec![7; 3_000_000];
            assert_eq!(stream.local().ip(), from);
            assert_eq!(ask(&mut stream, b"hello").await?, b"hello");
            assert_eq!(ask(&mut stream, &long).await?, long);
            stream.close().await;
            io::Result::Ok(())
        });
        heard.expect("it carries");
        server.stop(Duration::ZERO);
        assert!(eventually(|| descriptors() <= before), "{kind:?}: {before} -> {}", descriptors());
    });
}

#[test]
fn failures_have_reasons_and_attempts_end_in_time() {
    on_both(|kind| {
        let before = descriptors();
        let (server, _) = serve(kind, 1, By(echo));
        // A port that was free a moment ago.
        let closed = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port");
        // Its queue is full, and nobody accepts: what more comes is not answered.
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
        socket.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into()).expect("bound");
        socket.listen(0).expect("it listens");
        let full: SocketAddr = socket.local_addr().expect("it has one").as_socket().expect("IPv4");
        let _first = std::net::TcpStream::connect(full).expect("the queue takes one");
        let (refused, late, foreign) = on_reactor(&server, move || async move {
            let refused = connect(closed, None, WAIT).await.err().map(|error| error.kind());
            let late = connect(full, None, Duration::from_millis(100)).await.err().map(|error| error.kind());
            let from = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
            let foreign = connect(closed, Some(from), WAIT).await.err().map(|error| error.kind());
            (refused, late, foreign)
        });
        assert_eq!(refused, Some(io::ErrorKind::ConnectionRefused), "{kind:?}");
        assert_eq!(late, Some(io::ErrorKind::TimedOut), "{kind:?}");
        assert_eq!(foreign, Some(io::ErrorKind::AddrNotAvailable), "{kind:?}");
        server.stop(Duration::ZERO);
        drop((socket, _first));
        assert!(eventually(|| descriptors() <= before), "{kind:?}: {before} -> {}", descriptors());
    });
}

#[test]
fn a_tls_client_takes_any_certificate_or_only_a_proven_one() {
    let directory = tempfile::tempdir().expect("a directory");
    let identity = tls::self_signed(directory.path(), &["mx.x.test".to_owned()]).expect("an identity");
    let authorities = directory.path().join(tls::CERTIFICATE_FILE);
    on_both(|kind: Kind| {
        let config = identity.clone();
        let service = By(move |mut stream: Stream| {
            let config = config.clone();
            async move {
                if stream.start_tls(config).await.is_err() {
                    return;
                }
                // The client's words may have come with the end of its handshake.
                while !stream.buffered().is_empty() || stream.fill().await.is_ok_and(|got| got > 0) {
                    let bytes = std::mem::take(stream.input());
                    stream.output().extend_from_slice(&bytes);
                    if stream.flush().await.is_err() {
                        return;
                    }
                }
                stream.close().await;
            }
        });
        let (server, addr) = serve(kind, 1, service);
        let configs = TlsConfigs::new(Some(&authorities)).expect("an authority");
        let told = on_reactor(&server, move || async move {
            let mut told = Vec::new();
            for (config, name) in
                [(&configs.any, "other.test"), (&configs.proven, "mx.x.test"), (&configs.proven, "other.test")]
            {
                let mut stream = connect(addr, None, WAIT).await.expect("it is there");
                let name = name.try_into().expect("a name");
                let heard = match stream.start_tls_client(config.clone(), name).await {
                    Ok(()) => ask(&mut stream, b"over TLS").await,
                    Err(error) => Err(error),
                };
                told.push(heard.is_ok_and(|heard| heard == b"over TLS"));
                stream.close().await;
            }
            told
        });
        assert_eq!(told, [true, true, false], "{kind:?}");
        server.stop(Duration::ZERO);
    });
}

#[test]
fn a_stop_waits_for_the_work_and_tells_it() {
    on_both(|kind| {
        let (server, _) = serve(kind, 2, By(echo));
        let ended = Arc::new(AtomicBool::new(false));
        let (begun, has_begun) = mpsc::channel();
        let flag = ended.clone();
        server.spawner().spawn(move || {
            Box::pin(async move {
                spawn(async move { begun.send(()).expect("the test waits") });
                stopping().wait().await;
                sleep(Duration::from_millis(200)).await;
                flag.store(true, Ordering::SeqCst);
            })
        });
        has_begun.recv_timeout(WAIT).expect("a task beside the first one runs");
        let from = Instant::now();
        server.stop(WAIT);
        assert!(ended.load(Ordering::SeqCst), "{kind:?}: the work was cut");
        assert!(from.elapsed() < WAIT, "{kind:?}: and the grace is not used up");
    });
}

#[test]
fn unix_sockets_carry_bytes_both_ways_and_say_why_they_do_not() {
    on_both(|kind| {
        let dir = tempfile::tempdir().expect("a folder");
        let (path, nobody) = (dir.path().join("s"), dir.path().join("nobody"));
        let listener = UnixListener::bind(&path).expect("a socket");
        let echo = std::thread::spawn(move || {
            let (mut peer, _) = listener.accept().expect("a connection");
            let (mut bytes, mut all) = ([0; 8192], 0);
            while let Ok(got @ 1..) = peer.read(&mut bytes) {
                peer.write_all(&bytes[..got]).expect("it listens");
                all += got;
            }
            all
        });
        let (server, _) = serve(kind, 1, By(common::echo));
        let before = descriptors();
        let heard = on_reactor(&server, move || async move {
            let mut stream = connect_unix(&path, WAIT).await?;
            let long = vec![7; 300_000];
            assert_eq!(ask(&mut stream, b"hello").await?, b"hello");
            assert_eq!(ask(&mut stream, &long).await?, long);
            drop(stream);
            Ok::<_, io::Error>(connect_unix(&nobody, WAIT).await.err().map(|error| error.kind()))
        });
        assert_eq!(heard.expect("it carries"), Some(io::ErrorKind::NotFound));
        assert_eq!(echo.join().expect("it ends when the connection does"), 300_005);
        assert!(eventually(|| descriptors() <= before), "{kind:?}: {before} -> {}", descriptors());
        server.stop(Duration::ZERO);
    });
}
