//! Tests whose turn it is on a real reactor: connections of one address that always have something to do take no more turns than another
//! address's only connection. It knows no mail protocol.

mod common;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{By, on_both, serve};
use posthouse_protocols::runtime::{Kind, Stream, yield_now};
use socket2::{Domain, Socket, Type};

/// Connections of the flood.
const FLOOD: usize = 100;
/// Turns that a quiet client's request takes.
const TURNS: usize = 50;

fn connect_from(last: u8, to: SocketAddr) -> TcpStream {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
    let from = SocketAddr::from((Ipv4Addr::new(127, 0, 0, last), 0));
    socket.bind(&from.into()).expect("an address of this machine");
    socket.connect(&to.into()).expect("the server listens");
    let client = TcpStream::from(socket);
    client.set_read_timeout(Some(Duration::from_secs(60))).expect("a time is given");
    client
}

/// `f`: one of the flood, which takes turn after turn. Else: so many turns, and then how many the flood has had meanwhile.
async fn flood_or_answer(mut stream: Stream, flooded: Arc<AtomicUsize>) {
    while let Ok(1..) = stream.fill().await {
        let is_flood = stream.buffered()[0] == b'f';
        stream.consume(usize::MAX);
        if is_flood {
            loop {
                flooded.fetch_add(1, Ordering::Relaxed);
                yield_now().await;
            }
        }
        let before = flooded.load(Ordering::Relaxed);
        for _ in 0..TURNS {
            yield_now().await;
        }
        let others = flooded.load(Ordering::Relaxed) - before;
        stream.output().extend_from_slice(&(others as u64).to_le_bytes());
        if stream.flush().await.is_err() {
            return;
        }
    }
}

#[test]
fn a_flood_from_one_address_has_no_more_turns_than_another_address() {
    on_both(flood_beside_others);
}

fn flood_beside_others(kind: Kind) {
    let flooded = Arc::new(AtomicUsize::new(0));
    let counted = flooded.clone();
    let (server, addr) = serve(kind, 1, By(move |stream| flood_or_answer(stream, counted.clone())));
    let mut flood: Vec<TcpStream> = (0..FLOOD).map(|_| connect_from(2, addr)).collect();
    flood.iter_mut().for_each(|client| client.write_all(b"f").expect("the server reads"));
    // Two addresses share a line once in 256 times; four do not.
    let others = (3..7).map(|last| {
        let mut quiet = connect_from(last, addr);
        quiet.write_all(b"q").expect("the server reads");
        let mut answer = [0; 8];
        quiet.read_exact(&mut answer).expect("the server answers beside the flood");
        u64::from_le_bytes(answer)
    });
    let least = others.min().expect("four");
    assert!(flooded.load(Ordering::Relaxed) > FLOOD, "the flood had no turns");
    assert!(least <= 2 * TURNS as u64, "{kind:?}: the flood had {least} turns beside {TURNS} of another's");
    server.stop(Duration::ZERO);
}
