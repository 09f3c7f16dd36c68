//! Much of it: large messages to slow readers, maildrops with many messages, and what is held meanwhile.
use super::{append, ask, logged_in, service, shared};
use crate::limits;
use crate::runtime::{sim, sleep};
use crate::session::Budget;
use crate::testing::Random;

/// Undoes dot-stuffing, of what stands before the final dot.
fn unstuffed(heard: &[u8]) -> Vec<u8> {
    let text = heard.strip_suffix(b".\r\n").expect("the end is heard");
    let mut message = Vec::new();
    for line in text.split_inclusive(|byte| *byte == b'\n') {
        message.extend_from_slice(line.strip_prefix(b".").unwrap_or(line));
    }
    message
}

/// A message of about `size_bytes` with dots where they hurt.
fn mail(size_bytes: usize, random: &mut Random) -> Vec<u8> {
    let mut mail = b"Subject: large\r\n\r\n".to_vec();
    while mail.len() < size_bytes {
        let dots = [0, 0, 1, 2, 3][random.below(5)];
        mail.extend(std::iter::repeat_n(b'.', dots));
        mail.extend((0..random.below(90)).map(|_| b' ' + random.below(90) as u8));
        mail.extend_from_slice(b"\r\n");
    }
    mail
}

#[test]
fn large_messages_come_byte_for_byte() {
    let shared = shared();
    let mut random = Random(11);
    let sizes = [limits::POP3_PIECE_BYTES - 2, limits::POP3_PIECE_BYTES, 3 << 20];
    let mails: Vec<Vec<u8>> = sizes.into_iter().map(|size_bytes| mail(size_bytes, &mut random)).collect();
    append(&shared, "ann@example.org", &mails.iter().map(Vec::as_slice).collect::<Vec<_>>());
    let service = service(shared);
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        for (at, mail) in mails.iter().enumerate() {
            let first = ask(&mut client, &format!("RETR {}", at + 1)).await;
            assert_eq!(first, format!("+OK {} octets", mail.len()));
            let heard = client.read_until(b"\r\n.\r\n").await;
            assert!(unstuffed(&heard) == *mail, "message {at}");
        }
    });
}

#[test]
fn a_reader_that_takes_nothing_is_given_up_and_frees_the_maildrop() {
    let shared = shared();
    let large = mail(1 << 20, &mut Random(12));
    append(&shared, "ann@example.org", &[&large]);
    let service = service(shared);
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        client.write(b"RETR 1\r\nRETR 1\r\nRETR 1\r\n").await;
        client.read_line().await;
        let begun = net.now();
        client.stall(true);
        loop {
            sleep(limits::SEND_STALL_MAX / 4).await;
            let mut other = net.connect(&service);
            other.read_line().await;
            ask(&mut other, "USER ann@example.org").await;
            let answer = ask(&mut other, "PASS secret").await;
            if answer.starts_with("+OK") {
                break;
            }
            assert!(answer.starts_with("-ERR [IN-USE]"), "{answer}");
        }
        let waited = net.now() - begun;
        assert!(waited >= limits::SEND_STALL_MAX && waited < limits::SEND_STALL_MAX * 2, "{waited:?}");
    });
}

#[test]
fn a_large_maildrop_is_listed_whole_and_emptied() {
    const COUNT: usize = 3 * limits::POP3_BATCH_MESSAGES + 5;
    let shared = shared();
    let mails: Vec<&[u8]> = vec![b"Subject: x\r\n\r\n"; COUNT];
    append(&shared, "ann@example.org", &mails);
    let service = service(shared);
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        assert_eq!(ask(&mut client, "LIST").await, format!("+OK {COUNT} messages ({} octets)", COUNT * 14));
        let list = client.read_until(b"\r\n.\r\n").await;
        let lines = String::from_utf8(list).expect("ASCII");
        assert!(lines.lines().take(COUNT).enumerate().all(|(at, line)| line == format!("{} 14", at + 1)));
        assert_eq!(lines.lines().count(), COUNT + 1);
        // From the last to the first and all but one, as a client may.
        let mut deletes = String::new();
        for number in (1..=COUNT).rev().filter(|number| *number != COUNT / 2) {
            deletes += &format!("DELE {number}\r\n");
        }
        let sending = async {
            client.write(deletes.as_bytes()).await;
            client
        };
        let mut client = sending.await;
        for _ in 1..COUNT {
            assert!(client.read_line().await.starts_with(b"+OK Message "));
        }
        assert_eq!(ask(&mut client, "LIST").await, "+OK 1 message (14 octets)");
        assert_eq!(client.read_until(b"\r\n.\r\n").await, format!("{} 14\r\n.\r\n", COUNT / 2).as_bytes());
        assert_eq!(ask(&mut client, "QUIT").await, "+OK Bye");
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        assert_eq!(ask(&mut client, "STAT").await, "+OK 1 14");
    });
}

#[test]
fn a_reader_that_takes_nothing_lets_others_read_and_then_reads_on() {
    let mut shared = shared();
    shared.reading = Budget::new(3 << 20);
    let large = mail(2 << 20, &mut Random(13));
    append(&shared, "ann@example.org", &[&large]);
    let room = shared.reading.clone();
    let service = service(shared);
    sim::run(move |net| async move {
        let mut slow = logged_in(&net, &service, "ann@example.org").await;
        slow.stall(true);
        slow.write(b"RETR 1\r\n").await;
        sleep(limits::READING_HOLD_MIN / 2).await;
        assert!(!room.share().hold(2 << 20), "the slow one has its message");
        sleep(limits::READING_HOLD_MIN).await;
        assert!(room.share().hold(2 << 20), "the slow one has let it go");
        slow.stall(false);
        slow.read_line().await;
        assert!(unstuffed(&slow.read_until(b"\r\n.\r\n").await) == large);
    });
}
