//! A disk without room: changes are refused in words, and reading goes on.
use super::{ImapService, logged_in};
use crate::runtime::sim;
use crate::testing::{Random, perform, shared_on};
use posthouse_engine::Append;
use posthouse_engine::base::{Error, Flags, MailboxId};
use posthouse_engine::disk::sim::SimDisk;
use std::sync::Arc;

#[test]
fn a_full_disk_is_read_and_changes_hear_so() {
    let disk = SimDisk::new(1);
    let shared = Arc::new(shared_on(disk.clone()));
    let ann = shared.engine.directory(|directory| directory.login("ann@example.org").map(|account| account.id));
    let ann = ann.expect("a member");
    shared.engine.open_account(ann).wait().expect("the account opens");
    let append = |message: &[u8], flags| {
        let staged = shared.engine.stage(Vec::new(), message.to_vec()).wait().expect("staging takes no room");
        let one = Append { staged, flags, keywords: Vec::new(), internal_date: None };
        shared.engine.append(ann, MailboxId::INBOX, vec![one]).wait()
    };
    append(b"Subject: a\r\n\r\nbody\r\n", Flags::DELETED).expect("there is room");
    // What does not fit takes the room with it that was written in front of the log.
    disk.set_free_bytes(0);
    let mut random = Random(1);
    let large: Vec<u8> = (0..100_000).map(|_| random.below(256) as u8).collect();
    let refused = append(&large, Flags::NONE);
    assert!(matches!(refused, Err(Error::NoSpace)), "{refused:?}");
    let service = ImapService::new(shared);
    sim::run(move |net| async move {
        disk.set_free_bytes(0);
        let mut clients = vec![logged_in(&net, &service, "ann@example.org").await];
        let full = "\
            C: a SELECT INBOX
            S: * FLAGS ...
            S: * OK [PERMANENTFLAGS ...
            S: * 1 EXISTS
            S: * 1 RECENT
            S: * OK [UNSEEN 1] ...
            S: * OK [UIDVALIDITY ...
            S: * OK [UIDNEXT 2] ...
            S: * OK [HIGHESTMODSEQ ...
            S: * OK [MAILBOXID ...
            S: a OK [READ-WRITE] ...
            C: b FETCH 1 BODY.PEEK[TEXT]
            S: * 1 FETCH (BODY[TEXT] {6}
            S: body
            S: )
            S: b OK ...
            C: c STORE 1 +FLAGS (\\Seen)
            S: c NO [...disk is full...
            C: d CREATE x
            S: d NO [...disk is full...
            C: e CLOSE
            S: e NO [...disk is full...
            C: e FETCH 1 FLAGS
            S: * 1 FETCH (FLAGS (\\Deleted \\Recent))
            S: e OK ...";
        perform(&mut clients, full).await;
        disk.set_free_bytes(u64::MAX);
        let room = "\
            C: f STORE 1 +FLAGS.SILENT (\\Seen)
            S: f OK ...
            C: g FETCH 1 FLAGS
            S: * 1 FETCH (FLAGS (\\Deleted \\Seen \\Recent))
            S: g OK ...
            C: h CLOSE
            S: h OK ...
            C: i FETCH 1 FLAGS
            S: i BAD No mailbox is selected";
        perform(&mut clients, room).await;
    });
}
