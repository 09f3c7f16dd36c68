//! Tests what both runtimes make of clients that go away: an end is seen behind what they have sent. It knows no mail protocol.

mod common;

use std::io::{Read, Write};
use std::net::Shutdown;
use std::time::Duration;

use common::{By, connect, on_both, serve};
use posthouse_protocols::runtime::{PeerState, Stream, stopping, timeout};

const MILLI: Duration = Duration::from_millis(1);

/// Whoever works long for a client asks now and then whether there still is one: bytes that nobody has read hide its end from every receive.
#[test]
fn an_end_is_seen_behind_unread_bytes_and_a_reset_after_something_was_sent() {
    on_both(|kind| {
        let (tell, told) = std::sync::mpsc::channel();
        let works = move |mut stream: Stream| {
            let tell = tell.clone();
            async move {
                let _ = stream.fill().await;
                // One client after the other: what it is seen at, once that is no longer what it was.
                let mut state = stream.peer_state();
                let _ = tell.send(state);
                while state != PeerState::Gone && timeout(MILLI, stopping().wait()).await.is_none() {
                    let now = stream.peer_state();
                    if now != state {
                        let _ = tell.send(now);
                        stream.output().extend_from_slice(b"still there?");
                        let _ = stream.flush().await;
                    }
                    state = now;
                }
            }
        };
        let (server, addr) = serve(kind, 1, By(works));
        let next = || told.recv_timeout(Duration::from_secs(60)).expect("the session sees it");
        // Closed altogether, with bytes on the way that the session does not read.
        let mut client = connect(addr);
        client.write_all(b"x").expect("the server reads");
        assert_eq!(next(), PeerState::Here, "{kind:?}");
        client.write_all(&[b'x'; 40_000]).expect("the sockets take it");
        drop(client);
        assert_eq!(next(), PeerState::Ended, "{kind:?}");
        assert_eq!(next(), PeerState::Gone, "{kind:?}");
        // Closed for sending only: it hears what is sent, and nothing else happens until it goes.
        let mut client = connect(addr);
        client.write_all(b"x").expect("the server reads");
        assert_eq!(next(), PeerState::Here, "{kind:?}");
        client.shutdown(Shutdown::Write).expect("the socket is open");
        assert_eq!(next(), PeerState::Ended, "{kind:?}");
        let mut heard = [0; 12];
        client.read_exact(&mut heard).expect("the server sends");
        assert_eq!(&heard, b"still there?");
        assert!(told.try_recv().is_err(), "{kind:?}");
        drop(client);
        server.stop(Duration::ZERO);
    });
}
