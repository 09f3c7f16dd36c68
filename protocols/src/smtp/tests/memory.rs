//! What clients that send large mail slowly, or much of it from one address, make the server hold.
use super::{SmtpService, inbox};
use crate::limits::{BUDGET_STEP_BYTES as STEP, INTAKE_WINDOW};
use crate::runtime::sim::{self, Client, Net};
use crate::runtime::sleep;
use crate::session::{Budget, Share, Shared};
use crate::testing;
use std::sync::Arc;
use std::time::Duration;

const BEGIN: &str = "EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<ann@example.org>\r\n";
const SECOND: Duration = Duration::from_secs(1);

/// A store whose budget is of so many steps.
fn shared(steps: u64) -> Arc<Shared> {
    let mut shared = testing::shared();
    shared.budget = Budget::new(steps * STEP);
    Arc::new(shared)
}

fn lines(bytes: usize) -> Vec<u8> {
    b"0123456789abcd\r\n".repeat(bytes / 16)
}

/// Sends and hears the reply.
async fn ask(client: &mut Client, bytes: &[u8], last: &str) -> String {
    client.write(bytes).await;
    let before = client.read_until(last.as_bytes()).await;
    let rest = client.read_line().await;
    String::from_utf8_lossy(&[before, rest].concat()).into_owned()
}

async fn begun(net: &Net, service: &SmtpService) -> Client {
    let mut client = net.connect(service);
    ask(&mut client, BEGIN.as_bytes(), "250 2.1.5").await;
    client
}

/// Delivers a large mail and says what became of it.
async fn large(net: &Net, service: &SmtpService) -> String {
    let mut client = begun(net, service).await;
    ask(&mut client, b"DATA\r\n", "354 ").await;
    client.write(&lines(300 << 10)).await;
    client.write(b".\r\nQUIT\r\n").await;
    String::from_utf8_lossy(&client.read_until(b"221 ").await).into_owned()
}

#[test]
fn a_slow_sender_gives_way() {
    let shared = shared(2);
    let service = SmtpService::mx(shared.clone());
    sim::run(move |net| async move {
        let mut slow = begun(&net, &service).await;
        ask(&mut slow, b"DATA\r\n", "354 ").await;
        slow.write(&lines(3 << 19)).await;
        let heard = large(&net, &service).await;
        assert!(heard.contains("452 4.3.1 Too many messages are under way; try again"), "{heard}");
        // A byte now and then does not keep the room.
        for _ in 0..=INTAKE_WINDOW.as_secs() {
            sleep(SECOND).await;
            slow.write(b"x").await;
        }
        let heard = large(&net, &service).await;
        assert!(heard.contains("250 2.0.0 Taken as "), "{heard}");
        let heard = ask(&mut slow, b"\r\n.\r\n", "4.3.1").await;
        assert!(
            heard.contains("452 4.3.1 Too many messages are under way and this one comes in too slowly"),
            "{heard}"
        );
        ask(&mut slow, b"NOOP\r\n", "250 ").await;
        assert_eq!(inbox(&shared, "ann@example.org").len(), 1);
    });
}

#[test]
fn chunks_do_not_wait_for_ever_for_the_last() {
    let shared = shared(2);
    let service = SmtpService::mx(shared);
    sim::run(move |net| async move {
        let mut slow = begun(&net, &service).await;
        slow.write(format!("BDAT {}\r\n", 3 << 19).as_bytes()).await;
        ask(&mut slow, &lines(3 << 19), "250 2.0.0").await;
        let heard = large(&net, &service).await;
        assert!(heard.contains("452 4.3.1 Too many messages are under way; try again"), "{heard}");
        sleep(INTAKE_WINDOW + SECOND).await;
        let heard = large(&net, &service).await;
        assert!(heard.contains("250 2.0.0 Taken as "), "{heard}");
        let heard = ask(&mut slow, b"BDAT 0 LAST\r\n", "4.3.1").await;
        assert!(
            heard.contains("452 4.3.1 Too many messages are under way and this one comes in too slowly"),
            "{heard}"
        );
    });
}

/// Of a message over the limit nothing is kept, so it holds no room either, however long the rest of it takes.
#[test]
fn what_is_too_big_gives_its_room_back_at_once() {
    for in_chunks in [false, true] {
        let mut shared = Arc::into_inner(shared(2)).expect("nobody else has it");
        shared.message_size_bytes_max = 3 << 19;
        let service = SmtpService::mx(Arc::new(shared));
        sim::run(move |net| async move {
            let mut big = begun(&net, &service).await;
            if in_chunks {
                big.write(format!("BDAT {}\r\n", 3 << 19).as_bytes()).await;
                ask(&mut big, &lines(3 << 19), "250 2.0.0").await;
                big.write(b"BDAT 160\r\n").await;
                big.write(&lines(16)).await;
            } else {
                ask(&mut big, b"DATA\r\n", "354 ").await;
                big.write(&lines((3 << 19) + 160)).await;
            }
            let heard = large(&net, &service).await;
            assert!(heard.contains("250 2.0.0 Taken as "), "{heard}");
            let end: &[u8] = if in_chunks { &lines(144) } else { b".\r\n" };
            let heard = ask(&mut big, end, "5.3.4").await;
            assert!(heard.contains("552 5.3.4 The message is too big"), "{heard}");
        });
    }
}

/// What becomes of a mail that comes by so many bytes a second while others hold `held` steps of 64.
fn delivered_at(bytes_a_second: usize, held: u64) -> String {
    let shared = shared(64);
    let mut others: Share = shared.budget.share();
    assert!(others.hold(held * STEP));
    let service = SmtpService::mx(shared);
    sim::run(move |net| async move {
        let _others = others;
        let mut client = begun(&net, &service).await;
        ask(&mut client, b"DATA\r\n", "354 ").await;
        client.write(&lines(300 << 10)).await;
        for _ in 0..30 {
            sleep(SECOND).await;
            client.write(&lines(bytes_a_second)).await;
        }
        client.write(b".\r\nQUIT\r\n").await;
        String::from_utf8_lossy(&client.read_until(b"221 ").await).into_owned()
    })
}

#[test]
fn how_slow_is_too_slow_depends_on_what_is_left() {
    let (taken, refused) = ("250 2.0.0 Taken as ", "452 4.3.1 Too many");
    for (bytes_a_second, held, expected) in
        [(1 << 10, 20, taken), (1 << 10, 40, refused), (40 << 10, 40, taken), (40 << 10, 60, refused)]
    {
        let heard = delivered_at(bytes_a_second, held);
        assert!(heard.contains(expected), "{bytes_a_second} bytes a second beside {held} of 64: {heard}");
    }
}

#[test]
fn one_address_gets_half_and_another_its_part() {
    let shared = shared(8);
    let service = SmtpService::mx(shared);
    sim::run(move |net| async move {
        let mut greedy = Vec::new();
        for _ in 0..4 {
            let mut client = begun(&net, &service).await;
            ask(&mut client, b"DATA\r\n", "354 ").await;
            client.write(&lines(900 << 10)).await;
            greedy.push(client);
        }
        let heard = large(&net, &service).await;
        assert!(heard.contains("452 4.3.1 Too many messages are under way; try again"), "{heard}");
        // What is refused takes no room, though its sender goes on and on.
        let mut refused = begun(&net, &service).await;
        ask(&mut refused, b"DATA\r\n", "354 ").await;
        refused.write(&lines(2 << 20)).await;
        let (stream, mut other) = net.pair_from(([198, 51, 100, 7], 1024).into());
        net.spawn(crate::runtime::Service::serve(&service, stream));
        ask(&mut other, BEGIN.as_bytes(), "250 2.1.5").await;
        ask(&mut other, b"DATA\r\n", "354 ").await;
        other.write(&lines(900 << 10)).await;
        let heard = ask(&mut other, b".\r\n", "2.0.0 Taken").await;
        assert!(heard.contains("250 2.0.0 Taken as "), "{heard}");
    });
}
