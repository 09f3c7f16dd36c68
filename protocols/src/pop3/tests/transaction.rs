//! The TRANSACTION state: STAT, LIST, RETR, DELE, NOOP, RSET, TOP, UIDL.
use super::{MAILS, append, ask, filled, logged_in, play_logged_in, service};
use crate::runtime::sim;
use crate::session::Shared;
use crate::testing::{shared, shared_on};
use posthouse_engine::base::{AccountId, MailboxId};
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::index::UidSet;
use std::sync::Arc;

#[test]
fn lists() {
    play_logged_in(
        "C: STAT
         S: +OK 3 107
         C: LIST
         S: +OK 3 messages (107 octets)
         S: 1 39
         S: 2 27
         S: 3 41
         S: .
         C: LIST 2
         S: +OK 2 27
         C: list 4
         S: -ERR No such message; there are 3
         C: LIST 0
         S: -ERR No such message; there are 3
         C: LIST x
         S: -ERR One message number is expected
         C: LIST 1 2
         S: -ERR One message number is expected
         C: LIST -1
         S: -ERR One message number is expected
         C: LIST +1
         S: -ERR One message number is expected
         C: LIST 99999999999999999999999
         S: -ERR No such message; there are 3
         C: STAT 1
         S: -ERR No argument is expected",
    );
}

#[test]
fn retr_is_dot_stuffed() {
    play_logged_in(
        "C: RETR 1
         S: +OK 39 octets
         S: Subject: one
         S: 
         S: Hello
         S: ..dot
         S: ...
         S: ..
         S: x
         S: .
         C: RETR 2
         S: +OK 27 octets
         S: Subject: two
         S: 
         S: no line end
         S: .
         C: RETR 3
         S: +OK 41 octets
         S: Subject: three
         S: X-Empty: yes, all of it
         S: .
         C: RETR
         S: -ERR One message number is expected
         C: RETR 4
         S: -ERR No such message; there are 3",
    );
}

#[test]
fn top_gives_the_header_and_some_lines() {
    play_logged_in(
        "C: TOP 1 0
         S: +OK ...
         S: Subject: one
         S: 
         S: .
         C: TOP 1 2
         S: +OK ...
         S: Subject: one
         S: 
         S: Hello
         S: ..dot
         S: .
         C: TOP 2 99999999999999999999999
         S: +OK ...
         S: Subject: two
         S: 
         S: no line end
         S: .
         C: TOP 3 1
         S: +OK ...
         S: Subject: three
         S: X-Empty: yes, all of it
         S: .
         C: TOP 1
         S: -ERR A message number and a number of lines are expected
         C: TOP 1 -1
         S: -ERR A message number and a number of lines are expected
         C: TOP 9 1
         S: -ERR No such message; there are 3",
    );
}

#[test]
fn deleted_messages_are_left_out_until_rset() {
    play_logged_in(
        "C: DELE 2
         S: +OK Message 2 deleted
         C: DELE 2
         S: -ERR Message 2 is deleted
         C: RETR 2
         S: -ERR Message 2 is deleted
         C: TOP 2 0
         S: -ERR Message 2 is deleted
         C: LIST 2
         S: -ERR Message 2 is deleted
         C: UIDL 2
         S: -ERR Message 2 is deleted
         C: STAT
         S: +OK 2 80
         C: LIST
         S: +OK 2 messages (80 octets)
         S: 1 39
         S: 3 41
         S: .
         C: UIDL
         S: +OK
         S: 1 ...
         S: 3 ...
         S: .
         C: DELE 1
         S: +OK ...
         C: DELE 3
         S: +OK ...
         C: STAT
         S: +OK 0 0
         C: RSET
         S: +OK 3 messages (107 octets)
         C: STAT
         S: +OK 3 107
         C: RETR 2
         S: +OK 27 octets
         S: Subject: two
         S: 
         S: no line end
         S: .",
    );
}

fn ann(shared: &Shared) -> AccountId {
    shared.engine.directory(|directory| directory.login("ann@example.org").map(|account| account.id)).expect("a member")
}

/// UIDL as number and unique-id.
async fn unique_ids(client: &mut sim::Client) -> Vec<(u32, String)> {
    assert_eq!(ask(client, "UIDL").await, "+OK");
    let heard = client.read_until(b".\r\n").await;
    let heard = String::from_utf8(heard).expect("ASCII");
    let lines = heard.lines().filter_map(|line| line.split_once(' '));
    lines.map(|(number, id)| (number.parse().expect("a number"), id.to_owned())).collect()
}

#[test]
fn unique_ids_stay_and_are_never_given_twice() {
    let shared = Arc::new(filled());
    let service = super::Pop3Service::new(shared.clone());
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        let first = unique_ids(&mut client).await;
        assert_eq!(first.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [1, 2, 3]);
        for (number, id) in &first {
            assert!((1..=70).contains(&id.len()) && id.bytes().all(|byte| (0x21..=0x7e).contains(&byte)), "{id}");
            assert_eq!(ask(&mut client, &format!("UIDL {number}")).await, format!("+OK {number} {id}"));
        }
        ask(&mut client, "DELE 3").await;
        ask(&mut client, "QUIT").await;
        // The last one is gone: its name must not come again with the next one.
        append(&shared, "ann@example.org", &[MAILS[0], MAILS[0]]);
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        let second = unique_ids(&mut client).await;
        assert_eq!(second[..2], first[..2]);
        assert_eq!(second.len(), 4);
        assert!(second[2..].iter().all(|(_, id)| first.iter().all(|(_, old)| old != id)), "{first:?} {second:?}");
        assert_ne!(second[2].1, second[3].1);
        assert_eq!(ask(&mut client, "UIDL 9").await, "-ERR No such message; there are 4");
    });
}

#[test]
fn unique_ids_outlive_a_restart() {
    let disk = SimDisk::new(1);
    let ids = |shared: Shared| {
        let service = service(shared);
        sim::run(move |net| async move {
            let mut client = logged_in(&net, &service, "ann@example.org").await;
            unique_ids(&mut client).await
        })
    };
    let shared = shared_on(disk.clone());
    append(&shared, "ann@example.org", &MAILS);
    let before = ids(shared);
    let after = ids(shared_on(disk.crash()));
    assert_eq!((before.len(), &before), (3, &after));
}

#[test]
fn the_maildrop_stays_as_it_was_at_login() {
    let shared = Arc::new(filled());
    let service = super::Pop3Service::new(shared.clone());
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        append(&shared, "ann@example.org", &[MAILS[0]]);
        assert_eq!(ask(&mut client, "STAT").await, "+OK 3 107");
        assert_eq!(ask(&mut client, "RETR 4").await, "-ERR No such message; there are 3");
        // Another protocol removes one: numbers stay, and QUIT removes the rest all the same.
        let one = UidSet::from_ranges([(1, 1)]);
        shared.engine.remove(ann(&shared), MailboxId::INBOX, one).wait().expect("it is removed");
        assert_eq!(ask(&mut client, "LIST 2").await, "+OK 2 27");
        assert_eq!(ask(&mut client, "DELE 1").await, "+OK Message 1 deleted");
        assert_eq!(ask(&mut client, "DELE 2").await, "+OK Message 2 deleted");
        assert_eq!(ask(&mut client, "QUIT").await, "+OK Bye");
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        assert_eq!(ask(&mut client, "STAT").await, "+OK 2 80");
    });
}

#[test]
fn flags_stay_as_they_are() {
    let shared = Arc::new(filled());
    let service = super::Pop3Service::new(shared.clone());
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        ask(&mut client, "RETR 1").await;
        client.read_until(b"\r\n.\r\n").await;
        ask(&mut client, "QUIT").await;
        let inbox = shared.engine.mailbox(ann(&shared), MailboxId::INBOX).expect("it is there");
        assert_eq!(inbox.unseen, 3);
        assert_eq!(inbox.recent_from.0, 1);
    });
}

#[test]
fn mail_in_utf8_goes_out_as_it_is() {
    let mail = "Subject: Gr\u{fc}\u{df}e \u{9a7f}\u{7ad9}\r\n\r\n.\u{e4}\r\n".as_bytes();
    let shared = shared();
    append(&shared, "ann@example.org", &[mail]);
    let service = service(shared);
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        ask(&mut client, "RETR 1").await;
        let heard = client.read_until(b"\r\n.\r\n").await;
        assert_eq!(heard, "Subject: Gr\u{fc}\u{df}e \u{9a7f}\u{7ad9}\r\n\r\n..\u{e4}\r\n.\r\n".as_bytes());
    });
}

#[test]
fn a_message_cannot_speak_for_the_server() {
    // LMTP and APPEND let an LF alone in; clients that take it for a line end must not see the message end there.
    let shared = shared();
    append(&shared, "ann@example.org", &[b"Subject: x\r\n\r\n\n.\n+OK 0 octets\r\n.\r\n\n.\r\n"]);
    let service = service(shared);
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        ask(&mut client, "RETR 1").await;
        let mut lines = Vec::new();
        loop {
            let line = String::from_utf8(client.read_line().await).expect("ASCII");
            if line.trim_end() == "." {
                break;
            }
            lines.push(line.strip_prefix('.').unwrap_or(&line).trim_end().to_owned());
        }
        assert_eq!(lines, ["Subject: x", "", "", ".", "+OK 0 octets", ".", "", "."]);
        assert_eq!(ask(&mut client, "NOOP").await, "+OK");
    });
}
