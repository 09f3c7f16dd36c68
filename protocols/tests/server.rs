//! Tests the running server on both runtimes over the loopback: many connections, rude clients, dropped sessions, wake-ups, limits and
//! the stop. It knows no mail protocol.

mod common;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::time::{Duration, Instant};

use common::{
    By, MANY, ask, connect, connect_narrow, descriptors, echo, eventually, listener, on_both, one_at_a_time, read_all,
    serve,
};
use posthouse_protocols::runtime::{
    ConnectionLimits, Either, Kind, Listener, Server, Stream, select, sleep, stopping, timeout, yield_now,
};

const MILLI: Duration = Duration::from_millis(1);

#[test]
fn thousands_of_connections_are_served_and_leave_nothing_behind() {
    on_both(|kind| {
        let before = descriptors();
        let (server, addr) = serve(kind, 2, By(echo));
        let mut clients: Vec<TcpStream> = (0..3000).map(|_| connect(addr)).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            client.write_all(format!("hello {number:04}").as_bytes()).expect("the server reads");
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let mut answer = [0; 10];
            client.read_exact(&mut answer).expect("the server answers");
            assert_eq!(answer, format!("hello {number:04}").as_bytes());
        }
        assert_eq!(server.connections(), 3000);
        drop(clients);
        assert!(eventually(|| server.connections() == 0), "{kind:?}: {}", server.connections());
        server.stop(Duration::ZERO);
        assert!(eventually(|| descriptors() <= before), "{kind:?}: {before} -> {}", descriptors());
    });
}

#[test]
fn large_transfers_come_whole_both_ways_at_once() {
    on_both(|kind| {
        let (server, addr) = serve(kind, 2, By(echo));
        let threads: Vec<_> = (0..4_u8)
            .map(|seed| {
                std::thread::spawn(move || {
                    let mut client = connect(addr);
                    let sent: Vec<u8> = (0..8_000_000_u32).map(|n| (n.wrapping_mul(31) >> 3) as u8 ^ seed).collect();
                    let mut writer = client.try_clone().expect("a descriptor is left");
                    let bytes = sent.clone();
                    let write = std::thread::spawn(move || {
                        writer.write_all(&bytes).expect("the server reads");
                        writer.shutdown(Shutdown::Write).expect("the socket is open");
                    });
                    let (received, end) = read_all(&mut client);
                    write.join().expect("all is written");
                    assert!(end.is_ok() && received == sent, "{} of {}", received.len(), sent.len());
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("all came back"));
        server.stop(Duration::ZERO);
    });
}

#[test]
fn silent_and_half_closed_clients_hinder_nobody() {
    on_both(|kind| {
        let (server, addr) = serve(kind, 2, By(echo));
        let silent: Vec<TcpStream> = (0..1000).map(|_| connect(addr)).collect();
        assert_eq!(ask(&mut connect(addr), b"served"), b"served");
        let mut half = connect(addr);
        half.write_all(b"last words").expect("the server reads");
        half.shutdown(Shutdown::Write).expect("the socket is open");
        assert_eq!(read_all(&mut half).0, b"last words");
        drop(silent);
        assert!(eventually(|| server.connections() == 0));
        server.stop(Duration::ZERO);
    });
}

#[test]
fn a_client_that_stops_reading_is_given_up() {
    on_both(|kind| {
        let given_up = Arc::new(AtomicUsize::new(0));
        let seen = given_up.clone();
        let flood = move |mut stream: Stream| {
            let seen = seen.clone();
            async move {
                stream.set_stall(200 * MILLI);
                loop {
                    stream.output().extend_from_slice(&[b'x'; 500_000]);
                    if let Err(error) = stream.flush().await {
                        assert_eq!(error.kind(), std::io::ErrorKind::TimedOut);
                        seen.fetch_add(1, Ordering::SeqCst);
                        return;
                    }
                }
            }
        };
        let (server, addr) = serve(kind, 1, By(flood));
        let rude: Vec<TcpStream> = (0..10).map(|_| connect(addr)).collect();
        assert!(eventually(|| given_up.load(Ordering::SeqCst) == 10));
        assert!(eventually(|| server.connections() == 0));
        drop(rude);
        server.stop(Duration::ZERO);
    });
}

#[test]
fn a_session_that_does_not_read_stops_its_sender() {
    on_both(|kind| {
        let reads_late = |mut stream: Stream| async move {
            // Something was received, so the receive is armed; then nobody reads until the client is blocked.
            let _ = stream.fill().await;
            while timeout(2000 * MILLI, stopping().wait()).await.is_none() {}
        };
        let (server, addr) = serve(kind, 1, By(reads_late));
        let mut client = connect(addr);
        client.set_write_timeout(Some(500 * MILLI)).expect("a time is given");
        let piece = vec![b'x'; 1 << 20];
        // The kernel's own buffers may grow to what net.ipv4.tcp_rmem and tcp_wmem of the machine allow: 36 MiB, on some more.
        let taken = (0..400).take_while(|_| client.write_all(&piece).is_ok()).count();
        assert!(taken < 200, "{kind:?}: the server took {taken} MiB that nobody read");
        server.stop(Duration::ZERO);
    });
}

#[test]
fn paused_receives_go_on_when_the_session_reads_again() {
    on_both(|kind| {
        let naps = |mut stream: Stream| async move {
            let mut total = 0_u64;
            while let Ok(got @ 1..) = stream.fill().await {
                total += got as u64;
                stream.consume(usize::MAX);
                if total.is_multiple_of(7) {
                    sleep(3 * MILLI).await;
                }
                yield_now().await;
            }
            stream.output().extend_from_slice(total.to_string().as_bytes());
            let _ = stream.flush().await;
            stream.close().await;
        };
        let (server, addr) = serve(kind, 1, By(naps));
        let mut client = connect(addr);
        client.write_all(&vec![b'x'; 20_000_000]).expect("the server reads");
        client.shutdown(Shutdown::Write).expect("the socket is open");
        assert_eq!(read_all(&mut client).0, b"20000000");
        server.stop(Duration::ZERO);
    });
}

#[test]
fn more_arrives_at_once_than_a_ring_has_buffers_for() {
    on_both(|kind| {
        let busy = |mut stream: Stream| async move {
            let _ = stream.fill().await;
            if stream.buffered() == b"busy" {
                // The whole reactor stands still meanwhile, and everyone's bytes pile up in the kernel.
                std::thread::sleep(300 * MILLI);
            }
            let bytes = std::mem::take(stream.input());
            stream.output().extend_from_slice(&bytes);
            let _ = stream.flush().await;
            echo(stream).await;
        };
        let (server, addr) = serve(kind, 1, By(busy));
        let mut clients: Vec<TcpStream> = (0..400).map(|_| connect(addr)).collect();
        clients.iter_mut().for_each(|client| assert_eq!(ask(client, b"hello"), b"hello"));
        let mut blocker = connect(addr);
        blocker.write_all(b"busy").expect("the server reads");
        std::thread::sleep(50 * MILLI);
        let bytes: Vec<u8> = (0..40_000_u32).map(|n| (n >> 3) as u8).collect();
        clients.iter_mut().for_each(|client| client.write_all(&bytes).expect("the kernel takes it"));
        for client in &mut clients {
            let mut answer = vec![0; bytes.len()];
            client.read_exact(&mut answer).expect("all comes back");
            assert!(answer == bytes);
        }
        server.stop(Duration::ZERO);
    });
}

#[test]
fn sessions_dropped_in_the_middle_of_an_operation_leak_nothing() {
    on_both(|kind| {
        let before = descriptors();
        let gives_up = |mut stream: Stream| async move {
            assert!(timeout(5 * MILLI, stream.fill()).await.is_none());
            stream.output().extend_from_slice(&vec![b'x'; 20_000_000]);
            assert!(timeout(5 * MILLI, stream.flush()).await.is_none());
        };
        let (server, addr) = serve(kind, 2, By(gives_up));
        let served = descriptors();
        let clients: Vec<TcpStream> = (0..50).map(|_| connect_narrow(addr)).collect();
        assert!(eventually(|| server.connections() == 0));
        // Also while a client does not read: the send is taken back from the kernel. (Starting may still open a few.)
        assert!(eventually(|| descriptors() < served + 60), "{kind:?}: {served} -> {}", descriptors());
        // The server's side is closed although the clients are still there: each sees the end.
        for mut client in clients {
            assert!(read_all(&mut client).0.len() < 20_000_000);
        }
        server.stop(Duration::ZERO);
        assert!(eventually(|| descriptors() <= before), "{kind:?}: {before} -> {}", descriptors());
    });
}

#[test]
fn a_panicking_session_takes_nobody_with_it() {
    on_both(|kind| {
        let panics = |mut stream: Stream| async move {
            let _ = stream.fill().await;
            assert!(stream.buffered() != b"panic", "told to panic");
            let bytes = std::mem::take(stream.input());
            stream.output().extend_from_slice(&bytes);
            let _ = stream.flush().await;
            echo(stream).await;
        };
        let (server, addr) = serve(kind, 1, By(panics));
        let mut bystander = connect(addr);
        let mut victim = connect(addr);
        victim.write_all(b"panic").expect("the server reads");
        assert_eq!(read_all(&mut victim).0, b"");
        assert_eq!(ask(&mut bystander, b"still here"), b"still here");
        drop(bystander);
        assert!(eventually(|| server.connections() == 0));
        server.stop(Duration::ZERO);
    });
}

#[derive(Default)]
struct Cell {
    ready: bool,
    waker: Option<Waker>,
}

#[test]
fn other_threads_wake_sessions() {
    on_both(|kind| {
        let (work, jobs) = std::sync::mpsc::channel::<Arc<Mutex<Cell>>>();
        let engine = std::thread::spawn(move || {
            for cell in jobs {
                let mut cell = cell.lock().expect("nobody panics holding it");
                cell.ready = true;
                if let Some(waker) = cell.waker.take() {
                    waker.wake();
                }
            }
        });
        let commits = move |mut stream: Stream| {
            let work = work.clone();
            async move {
                while let Ok(1..) = stream.fill().await {
                    stream.consume(usize::MAX);
                    let cell: Arc<Mutex<Cell>> = Arc::default();
                    let _ = work.send(cell.clone());
                    std::future::poll_fn(|cx| {
                        let mut cell = cell.lock().expect("nobody panics holding it");
                        cell.waker = Some(cx.waker().clone());
                        if cell.ready { Poll::Ready(()) } else { Poll::Pending }
                    })
                    .await;
                    stream.output().push(b'!');
                    let _ = stream.flush().await;
                }
            }
        };
        let (server, addr) = serve(kind, 2, By(commits));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                std::thread::spawn(move || {
                    let mut client = connect(addr);
                    for _ in 0..500 {
                        assert_eq!(ask(&mut client, b"?"), b"!");
                    }
                })
            })
            .collect();
        threads.into_iter().for_each(|thread| thread.join().expect("every wake came"));
        server.stop(Duration::ZERO);
        engine.join().expect("the sessions are gone, and with them the jobs");
    });
}

#[test]
fn timers_fire_in_order() {
    on_both(|kind| {
        let sleeps = |mut stream: Stream| async move {
            let begin = Instant::now();
            for (millis, name) in [(30, b"a"), (10, b"b"), (20, b"c")] {
                sleep(millis * MILLI).await;
                stream.output().extend_from_slice(name);
            }
            // So late that no stall of a machine makes both due at once.
            let late = Duration::from_secs(600);
            assert_eq!(select(sleep(late), sleep(20 * MILLI)).await, Either::Right(()));
            assert!(begin.elapsed() >= 80 * MILLI);
            assert!(timeout(10 * MILLI, sleep(late)).await.is_none());
            let _ = stream.flush().await;
            stream.close().await;
        };
        let (server, addr) = serve(kind, 1, By(sleeps));
        let mut clients: Vec<TcpStream> = (0..50).map(|_| connect(addr)).collect();
        for client in &mut clients {
            assert_eq!(read_all(client).0, b"abc");
        }
        server.stop(Duration::ZERO);
    });
}

#[test]
fn a_stop_lets_sessions_say_goodbye_and_ends_the_stubborn() {
    on_both(|kind| {
        let is_stubborn = Arc::new(AtomicBool::new(false));
        let tells = is_stubborn.clone();
        let polite = move |mut stream: Stream| {
            let tells = tells.clone();
            async move {
                match select(stream.fill(), stopping().wait()).await {
                    Either::Right(()) => stream.output().extend_from_slice(b"* BYE\r\n"),
                    // The stubborn one does not look at the stop.
                    Either::Left(_) => {
                        tells.store(true, Ordering::SeqCst);
                        sleep(Duration::from_secs(600)).await;
                    }
                }
                let _ = stream.flush().await;
                stream.close().await;
            }
        };
        let (server, addr) = serve(kind, 2, By(polite));
        let mut idle: Vec<TcpStream> = (0..20).map(|_| connect(addr)).collect();
        let mut stubborn = connect(addr);
        stubborn.write_all(b"x").expect("the server reads");
        assert!(eventually(|| server.connections() == 21));
        // Until the stubborn one's byte is read it would be as polite as the others.
        assert!(eventually(|| is_stubborn.load(Ordering::SeqCst)));
        let begin = Instant::now();
        let stopper = std::thread::spawn(move || server.stop(300 * MILLI));
        for client in &mut idle {
            assert_eq!(read_all(client).0, b"* BYE\r\n");
        }
        drop(idle);
        stopper.join().expect("the stop ends");
        assert!(begin.elapsed() >= 300 * MILLI && begin.elapsed() < Duration::from_secs(60));
        assert_eq!(read_all(&mut stubborn).0, b"");
        assert!(TcpStream::connect(addr).is_err(), "nobody listens any more");
    });
}

#[test]
fn over_the_limits_a_client_hears_why() {
    on_both(|kind| {
        let limits = ConnectionLimits { total: 3, per_ip: 2, per_ip_minute: 0 };
        let server = Server::start(kind, 2, vec![listener(By(echo))], limits).expect("the server starts");
        let addr = server.local_addrs()[0].1;
        let mut first = connect(addr);
        let mut second = connect(addr);
        assert_eq!(ask(&mut first, b"1"), b"1");
        assert_eq!(ask(&mut second, b"2"), b"2");
        assert_eq!(read_all(&mut connect(addr)).0, b"421 busy\r\n");
        drop(first);
        assert!(eventually(|| server.connections() == 1));
        assert_eq!(ask(&mut connect(addr), b"3"), b"3");
        server.stop(Duration::ZERO);
    });
}

#[test]
fn a_few_connections_spread_over_the_reactors() {
    on_both(|kind| {
        let threads: Arc<Mutex<Vec<String>>> = Arc::default();
        let seen = threads.clone();
        let notes = move |stream: Stream| {
            let name = std::thread::current().name().unwrap_or_default().to_owned();
            seen.lock().expect("nobody panics holding it").push(name);
            echo(stream)
        };
        let (server, addr) = serve(kind, 4, By(notes));
        let mut clients: Vec<TcpStream> = (0..8).map(|_| connect(addr)).collect();
        clients.iter_mut().for_each(|client| assert_eq!(ask(client, b"x"), b"x"));
        let mut names = threads.lock().expect("nobody panics holding it").clone();
        names.sort();
        let expected = [0, 0, 1, 1, 2, 2, 3, 3].map(|reactor| format!("reactor-{reactor}"));
        assert_eq!(names, expected);
        server.stop(Duration::ZERO);
    });
}

#[test]
fn an_address_in_use_is_named_in_the_error() {
    on_both(|kind| {
        let (server, addr) = serve(kind, 1, By(echo));
        let mut second = listener(By(echo));
        second.addr = addr;
        let error = Server::start(kind, 1, vec![second], common::MANY).err().expect("the address is taken");
        assert!(error.to_string().contains("listener test on 127.0.0.1"), "{error}");
        // Dropped without a stop it ends at once, and the address is free again.
        let (mut client, begin) = (connect(addr), Instant::now());
        drop(server);
        assert_eq!(read_all(&mut client).0, b"");
        assert!(begin.elapsed() < 10_000 * MILLI);
        let mut again = listener(By(echo));
        again.addr = addr;
        drop(Server::start(kind, 1, vec![again], common::MANY).expect("the address is free"));
    });
}

/// A killed server's ring holds its listeners a moment longer than the process lives.
#[test]
fn a_start_waits_for_an_address_that_is_just_being_freed() {
    let _alone = one_at_a_time();
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let addr = taken.local_addr().expect("its address");
    let holder = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(200));
        drop(taken);
    });
    let listener = Listener { addr, ..listener(By(echo)) };
    let server = Server::start(Kind::Tokio, 1, vec![listener], MANY).expect("the server starts");
    assert_eq!(ask(&mut connect(addr), b"hello"), b"hello");
    holder.join().expect("it ends");
    server.stop(Duration::from_secs(1));
}
