//! What SELECT says of the first unseen message, and what it looks at for that.
use super::{ImapService, logged_in};
use crate::limits;
use crate::runtime::sim::{self, Client};
use crate::testing::{append, shared, shared_on};
use posthouse_engine::base::MailboxId;
use posthouse_engine::disk::sim::SimDisk;
use std::sync::Arc;

async fn ask(client: &mut Client, command: &str) -> String {
    client.write(format!("t {command}\r\n").as_bytes()).await;
    let mut heard = client.read_until(b"t OK").await;
    heard.extend(client.read_line().await);
    String::from_utf8_lossy(&heard).into_owned()
}

/// The message number in `[UNSEEN n]`.
fn told(answer: &str) -> Option<usize> {
    answer.split("[UNSEEN ").nth(1)?.split(']').next()?.parse().ok()
}

#[test]
fn the_first_unseen_message_is_told_as_flags_change() {
    const BOUND: usize = limits::IMAP_UNSEEN_SCAN_MAX;
    let shared = shared();
    append(&shared, "ann@example.org", &[b"Subject: x\r\n\r\n".as_slice(); BOUND + 3]);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        for (command, expected) in [
            ("NOOP", Some(1)),
            ("STORE 1:700 +FLAGS.SILENT (\\Seen)", Some(701)),
            ("STORE 513 -FLAGS.SILENT (\\Seen)", Some(513)),
            ("STORE 1:1500 +FLAGS.SILENT (\\Seen \\Deleted)", Some(1501)),
            ("STORE 1:10 -FLAGS.SILENT (\\Deleted)", Some(1501)),
            ("EXPUNGE", Some(11)),
            ("COPY 1:11 INBOX", Some(11)),
            ("STORE 1:5000 +FLAGS.SILENT (\\Seen)", Some(5001)),
            ("COPY 5000:* INBOX", Some(5001)),
            ("STORE 1:* +FLAGS.SILENT (\\Seen)", None),
            (&format!("STORE {BOUND} -FLAGS.SILENT (\\Seen)"), Some(BOUND)),
            // Further than anybody looks.
            (&format!("STORE {BOUND} +FLAGS.SILENT (\\Seen)"), None),
            (&format!("STORE {} -FLAGS.SILENT (\\Seen)", BOUND + 1), None),
            ("STORE 8 -FLAGS.SILENT (\\Seen)", Some(8)),
        ] {
            ask(&mut client, "SELECT INBOX").await;
            ask(&mut client, command).await;
            for _ in 0..2 {
                assert_eq!(told(&ask(&mut client, "SELECT INBOX").await), expected, "after {command}");
            }
        }
    });
}

/// Who reads another's mailbox has its own \Seen there.
#[test]
fn each_reader_has_its_own_first_unseen_message() {
    const MESSAGES: usize = 1100;
    let shared = shared();
    append(&shared, "ann@example.org", &[b"Subject: x\r\n\r\n".as_slice(); MESSAGES]);
    let service = ImapService::new(Arc::new(shared));
    sim::run(move |net| async move {
        let mut ann = logged_in(&net, &service, "ann@example.org").await;
        ask(&mut ann, "SETACL INBOX bob@example.org lrswte").await;
        let mut bob = logged_in(&net, &service, "bob@example.org").await;
        let shared_inbox = "SELECT \"Other Users/ann@example.org/INBOX\"";
        for (session, command, of_ann, of_bob) in [
            ("ann", "STORE 1:600 +FLAGS.SILENT (\\Seen)", Some(601), Some(1)),
            ("bob", "STORE 1:300,302:900 +FLAGS.SILENT (\\Seen)", Some(601), Some(301)),
            ("bob", "STORE 301 +FLAGS.SILENT (\\Seen)", Some(601), Some(901)),
            ("bob", "STORE 1 -FLAGS.SILENT (\\Seen)", Some(601), Some(1)),
            ("ann", "STORE 1:* +FLAGS.SILENT (\\Seen)", None, Some(1)),
            ("bob", "STORE 1:1099 +FLAGS.SILENT (\\Seen)", None, Some(1100)),
            ("ann", "STORE 2:999 +FLAGS.SILENT (\\Deleted)", None, Some(1100)),
            ("ann", "EXPUNGE", None, Some(102)),
            ("bob", "STORE 2,4,50,102 -FLAGS.SILENT (\\Seen)", None, Some(2)),
            ("bob", "STORE 1:3 +FLAGS.SILENT (\\Seen)", None, Some(4)),
            ("bob", "STORE 1:* +FLAGS.SILENT (\\Seen)", None, None),
        ] {
            ask(&mut ann, "SELECT INBOX").await;
            ask(&mut bob, shared_inbox).await;
            ask(if session == "ann" { &mut ann } else { &mut bob }, command).await;
            assert_eq!(told(&ask(&mut ann, "SELECT INBOX").await), of_ann, "ann after {command} by {session}");
            assert_eq!(told(&ask(&mut bob, shared_inbox).await), of_bob, "bob after {command} by {session}");
        }
    });
}

/// Clients that are told of no first unseen message have no entries read for it.
#[test]
fn nothing_is_brought_for_an_answer_that_is_not_given() {
    let disk = SimDisk::new(1);
    let first = shared_on(disk.clone());
    append(&first, "ann@example.org", &[b"Subject: x\r\n\r\n".as_slice(); 400]);
    let account = first.engine.directory(|directory| directory.login("ann@example.org").map(|account| account.id));
    let account = account.expect("a member");
    first.engine.claim_recent(account, MailboxId::INBOX).wait().expect("a commit");
    first.engine.close().expect("closes");
    drop(first);
    disk.set_unread(true);
    let shared = Arc::new(shared_on(disk));
    let engine = shared.engine.clone();
    let service = ImapService::new(shared);
    sim::run(move |net| async move {
        let view = engine.mailbox(account, MailboxId::INBOX).expect("INBOX");
        let is_cold = || !view.entries.cold(std::slice::from_ref(&(0..400))).is_empty();
        for (enabled, stays_cold) in [("ENABLE IMAP4rev2", true), ("ENABLE UIDONLY", true), ("NOOP", false)] {
            let mut client = logged_in(&net, &service, "ann@example.org").await;
            ask(&mut client, enabled).await;
            assert!(is_cold(), "before a mailbox is opened");
            let answer = ask(&mut client, "EXAMINE INBOX").await;
            assert!(answer.contains("* 400 EXISTS\r\n"), "{answer}");
            assert_eq!(told(&answer), (!stays_cold).then_some(1), "{enabled}");
            assert_eq!(is_cold(), stays_cold, "{enabled}");
        }
    });
}
