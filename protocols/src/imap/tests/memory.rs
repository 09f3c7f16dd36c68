//! What a client that reads slowly, or asks for too much at once, makes the server hold.
use super::{ImapService, logged_in, play};
use crate::limits;
use crate::runtime::{sim, sleep, timeout};
use crate::session::Budget;
use crate::testing::{append, shared};
use std::sync::Arc;
use std::time::Duration;

#[test]
fn what_is_asked_twice_is_answered_once() {
    play(
        "C: a APPEND INBOX {3+}
         C: abc
         S: a OK ...
         C: b SELECT INBOX
         S: ...
         S: ...
         S: ...
         S: ...
         S: ...
         S: ...
         S: ...
         S: ...
         S: ...
         S: b OK ...
         C: c FETCH 1 (UID BODY.PEEK[] UID BODY.PEEK[]<1.1> BODY.PEEK[] RFC822.SIZE RFC822.SIZE)
         S: * 1 FETCH (UID 1 BODY[] {3}
         S: abc BODY[]<1> {1}
         S: b RFC822.SIZE 3)
         S: c OK ...",
    );
}

#[test]
fn large_messages_on_their_way_out_are_bounded_over_all_sessions() {
    let mut shared = shared();
    shared.reading = Budget::new(1 << 20);
    let large = [b"Subject: x\r\n\r\n".as_slice(), &b"0123456789abcde\n".repeat(50_000)].concat();
    append(&shared, "ann@example.org", &[&large, b"Subject: small\r\n\r\n"]);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut slow = logged_in(&net, &service, "ann@example.org").await;
        let mut other = logged_in(&net, &service, "ann@example.org").await;
        for client in [&mut slow, &mut other] {
            client.write(b"s EXAMINE INBOX\r\n").await;
            client.read_until(b"s OK").await;
            client.read_line().await;
        }
        slow.stall(true);
        slow.write(b"f FETCH 1 BODY.PEEK[]\r\n").await;
        assert_eq!(timeout(Duration::from_secs(1), slow.read_line()).await, None);
        other.write(b"g FETCH 2 RFC822.SIZE\r\nh FETCH 2 BODY.PEEK[TEXT]\r\nf FETCH 1 BODY.PEEK[]\r\n").await;
        other.read_until(b"h OK").await;
        other.read_line().await;
        let early = timeout(limits::READING_HOLD_MIN / 2, other.read_line()).await;
        assert_eq!(early, None, "there is no room for a second large message");
        // The slow one has to let the other go first, though it never goes on.
        let answer = timeout(limits::READING_HOLD_MIN * 2, other.read_until(b"f OK")).await.expect("room");
        assert!(answer.windows(large.len()).any(|window| window == large));
        slow.stall(false);
        let answer = slow.read_until(b"f OK").await;
        assert!(answer.windows(large.len()).any(|window| window == large));
    });
}

#[test]
fn a_slow_reader_is_asked_again_and_again() {
    let mut shared = shared();
    shared.reading = Budget::new(4 << 20);
    let room = shared.reading.clone();
    let large = [b"Subject: x\r\n\r\n".as_slice(), &b"0123456789abcde\n".repeat(60_000)].concat();
    append(&shared, "ann@example.org", &[&large]);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut slow = logged_in(&net, &service, "ann@example.org").await;
        slow.write(b"s EXAMINE INBOX\r\n").await;
        slow.read_until(b"s OK").await;
        slow.read_line().await;
        slow.stall(true);
        slow.write(b"f FETCH 1 BODY.PEEK[]\r\n").await;
        sleep(limits::READING_HOLD_MIN * 3).await;
        let mut others = room.share();
        assert!(!room.share().hold(4 << 20) && others.hold(3 << 20), "nobody has wanted its room so far");
        sleep(limits::READING_HOLD_MIN * 3 / 2).await;
        assert!(room.share().hold(1 << 20), "now somebody does");
        drop(others);
        slow.stall(false);
        let answer = slow.read_until(b"f OK").await;
        assert!(answer.windows(large.len()).any(|window| window == large));
    });
}

#[test]
fn many_slow_readers_of_one_account_leave_room_to_it_and_to_others() {
    let mut shared = shared();
    shared.reading = Budget::new(8 << 20);
    let room = shared.reading.clone();
    let large = [b"Subject: x\r\n\r\n".as_slice(), &b"0123456789abcde\n".repeat(60_000)].concat();
    append(&shared, "ann@example.org", &[&large]);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut slow = Vec::new();
        for _ in 0..12 {
            let mut client = logged_in(&net, &service, "ann@example.org").await;
            client.write(b"s EXAMINE INBOX\r\n").await;
            client.read_until(b"s OK").await;
            client.read_line().await;
            client.stall(true);
            client.write(b"f FETCH 1 BODY.PEEK[]\r\n").await;
            slow.push(client);
        }
        for _ in 0..10 {
            sleep(limits::READING_HOLD_MIN / 2).await;
            assert!(room.share().hold(4 << 20), "half of all is left to others");
        }
        for client in &mut slow {
            client.stall(false);
            let answer = client.read_until(b"f OK").await;
            assert!(answer.windows(large.len()).any(|window| window == large));
        }
    });
}

/// A search finds every other message of more than two thousand: that is counted. One of few is not.
#[test]
fn results_of_searches_take_their_room() {
    let mut shared = shared();
    shared.reading = Budget::new(1 << 20);
    let room = shared.reading.clone();
    let mail = b"Subject: x\r\n\r\n".as_slice();
    append(&shared, "ann@example.org", &[mail; 2400]);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        client.write(b"s SELECT INBOX\r\n").await;
        client.read_until(b"s OK").await;
        let odd: Vec<String> = (0..1200).map(|number| (2 * number + 1).to_string()).collect();
        client.write(format!("f STORE {} +FLAGS.SILENT (\\Seen)\r\n", odd.join(",")).as_bytes()).await;
        client.read_until(b"f OK").await;
        let mut held = vec![room.share(), room.share()];
        assert!(held[0].hold(1 << 20));
        held.extend((0..15).map(|_| room.share()));
        held.iter_mut().skip(1).for_each(|share| assert!(share.hold(16 << 10)));
        let refused = [
            "SEARCH SEEN",
            "SEARCH RETURN (COUNT) SEEN",
            "SORT (ARRIVAL) UTF-8 ALL",
            "THREAD ORDEREDSUBJECT UTF-8 ALL",
        ];
        let mut waiting = Vec::new();
        for command in refused {
            let mut other = logged_in(&net, &service, "ann@example.org").await;
            other.write(format!("s EXAMINE INBOX\r\nt {command}\r\n").as_bytes()).await;
            waiting.push(other);
        }
        client.write(b"t SEARCH ALL\r\nt SORT (ARRIVAL) UTF-8 1:50\r\n").await;
        for _ in 0..2 {
            client.read_until(b"\nt OK").await;
        }
        for (mut other, command) in waiting.into_iter().zip(refused) {
            other.read_until(b"\nt ").await;
            let answer = other.read_line().await;
            assert!(answer.starts_with(b"NO [LIMIT]"), "{command}: {}", String::from_utf8_lossy(&answer));
        }
        drop(held);
        client.read_line().await;
        client.write(b"t SEARCH SEEN\r\n").await;
        let heard = client.read_until(b"t OK").await;
        assert_eq!(heard.split(|byte| *byte == b' ').count(), 1200 + 3);
        assert!(room.share().hold(1 << 20), "what was found is forgotten");
    });
}

#[test]
fn a_message_put_together_takes_its_room() {
    let mut shared = shared();
    shared.budget = Budget::new(1 << 20);
    let large = [b"Subject: x\r\n\r\n".as_slice(), &b"0123456789abcde\n".repeat(25_000)].concat();
    append(&shared, "ann@example.org", &[&large]);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        let url = " URL \"/INBOX/;UID=1\"";
        for (parts, messages, answer) in [(2, 1, "a OK"), (3, 1, "a NO [LIMIT]"), (2, 2, "a NO [LIMIT]")] {
            let message = format!(" CATENATE ({})", url.repeat(parts).trim_start());
            client.write(format!("a APPEND INBOX{}\r\n", message.repeat(messages)).as_bytes()).await;
            let heard = client.read_line().await;
            assert!(heard.starts_with(answer.as_bytes()), "{parts} parts: {}", String::from_utf8_lossy(&heard));
        }
    });
}

#[test]
fn a_slow_append_gives_way() {
    let mut shared = shared();
    shared.budget = Budget::new(2 << 20);
    let budget = shared.budget.clone();
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let size = 3 << 19;
        // In the middle of the literal; and behind it, before the line's end, where the client says nothing more.
        for sent in [5 << 18, size] {
            let mut slow = logged_in(&net, &service, "ann@example.org").await;
            slow.write(format!("a APPEND INBOX {{{size}}}\r\n").as_bytes()).await;
            slow.read_line().await;
            slow.write(&vec![b'x'; sent]).await;
            sleep(Duration::from_secs(1)).await;
            assert!(!budget.share().hold(1 << 20));
            sleep(limits::INTAKE_WINDOW).await;
            assert!(budget.share().hold(2 << 20), "the room is given back while the rest is still to come");
            // And that is not taken for commands.
            slow.write(&b"b NOOP\r\n".repeat((size - sent) / 8)).await;
            slow.write(b"\r\nc NOOP\r\n").await;
            let answer = slow.read_line().await;
            assert!(answer.starts_with(b"a NO [LIMIT] "), "{}", String::from_utf8_lossy(&answer));
            let answer = slow.read_line().await;
            assert!(answer.starts_with(b"c OK"), "{}", String::from_utf8_lossy(&answer));
        }
    });
}

#[test]
fn answers_to_commands_sent_together_do_not_pile_up() {
    let shared = Arc::new(shared());
    let service = ImapService::new(shared.clone());
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        let mut other = logged_in(&net, &service, "ann@example.org").await;
        client.stall(true);
        // About half a megabyte of answers, of which nobody reads a byte: the last command is not begun.
        let commands = "a CAPABILITY\r\n".repeat(1000) + "b CREATE late\r\n";
        client.write(commands.as_bytes()).await;
        sleep(Duration::from_secs(1)).await;
        other.write(b"l LIST \"\" late\r\n").await;
        assert!(other.read_line().await.starts_with(b"l OK"), "it waits for the client");
        client.stall(false);
        client.read_until(b"b OK").await;
        client.read_line().await;
        other.write(b"l LIST \"\" late\r\n").await;
        assert!(other.read_line().await.starts_with(b"* LIST"));
    });
}
