//! UIDL: ids that last, and those that messages brought from another server.
use super::{Pop3Service, ask, filled, logged_in};
use crate::runtime::sim;
use posthouse_engine::base::{MailboxId, Uid, UidSet};
use std::sync::Arc;

#[test]
fn messages_keep_the_ids_that_they_had_elsewhere() {
    let shared = Arc::new(filled());
    let account = shared.engine.directory(|directory| directory.login("ann@example.org").map(|account| account.id));
    let account = account.expect("a member");
    let note = |ids: &[(u32, &str)]| {
        let ids = ids.iter().map(|(uid, id)| (Uid(*uid), (*id).to_owned())).collect();
        shared.engine.note_pop3_uidls(account, MailboxId::INBOX, ids).wait().expect("noted")
    };
    let own = format!("{:08x}00000002", shared.engine.mailbox(account, MailboxId::INBOX).expect("there").uid_validity);
    assert_eq!(note(&[(1, "UID1-1700000000"), (9, "nobody's"), (2, "two words"), (2, &own)]), 1);
    // Neither a second id for a message nor a second message for an id.
    assert_eq!(note(&[(1, "other"), (2, "UID1-1700000000"), (3, "last")]), 1);
    let service = Pop3Service::new(shared);
    sim::run(move |net| async move {
        let mut client = logged_in(&net, &service, "ann@example.org").await;
        assert_eq!(ask(&mut client, "UIDL 1").await, "+OK 1 UID1-1700000000");
        assert_eq!(ask(&mut client, "UIDL 2").await, format!("+OK 2 {own}"));
        assert_eq!(ask(&mut client, "UIDL").await, "+OK");
        for line in ["1 UID1-1700000000", &format!("2 {own}"), "3 last", "."] {
            assert_eq!(String::from_utf8_lossy(&client.read_line().await).trim_end(), line);
        }
    });
}

/// What was brought, removed and brought once more has its ids again, and room for them.
#[test]
fn what_is_brought_again_has_its_ids_again() {
    let shared = Arc::new(filled());
    let account = shared.engine.directory(|directory| directory.login("ann@example.org").map(|account| account.id));
    let account = account.expect("a member");
    let note = |from: u32, count: u32| {
        let ids = (0..count).map(|n| (Uid(from + n), format!("{n:->70}"))).collect();
        shared.engine.note_pop3_uidls(account, MailboxId::INBOX, ids).wait().expect("noted")
    };
    let view = || shared.engine.mailbox(account, MailboxId::INBOX).expect("there");
    let bring = || {
        let from = view().uid_next.0;
        for _ in 0..10 {
            let mails: [&[u8]; 100] = [b"\r\n\r\n"; 100];
            crate::testing::append(&shared, "ann@example.org", &mails);
        }
        from
    };
    let first = bring();
    assert_eq!(note(first, 1000), 1000);
    let gone = UidSet::range(Uid(first + 1), Uid(first + 999));
    shared.engine.remove(account, MailboxId::INBOX, gone).wait().expect("removed");
    let again = bring();
    // The first one is still there: its id stays its own.
    assert_eq!(note(again, 10), 9);
    let all = view().pop3_uidls();
    assert_eq!((all.len(), all.get(Uid(first))), (10, Some(&*format!("{:->70}", 0))));
    assert_eq!((all.get(Uid(again)), all.get(Uid(again + 9))), (None, Some(&*format!("{:->70}", 9))));
    assert_eq!(note(again, 1000), 990);
    let all = view().pop3_uidls();
    assert_eq!((all.len(), all.get(Uid(again + 999))), (1000, Some(&*format!("{:->70}", 999))));
}

/// More than one annotation of them, in several requests, and after a restart of the fold they are as they were.
#[test]
fn many_ids() {
    let shared = Arc::new(filled());
    let account = shared.engine.directory(|directory| directory.login("bob@example.org").map(|account| account.id));
    let account = account.expect("a member");
    for _ in 0..20 {
        let mails: [&[u8]; 100] = [b"\r\n\r\n"; 100];
        crate::testing::append(&shared, "bob@example.org", &mails);
    }
    let id = |uid: u32| format!("{uid:->70}");
    for from in [1, 1001] {
        let ids = (from..from + 1000).map(|uid| (Uid(uid), id(uid))).collect();
        assert_eq!(shared.engine.note_pop3_uidls(account, MailboxId::INBOX, ids).wait().expect("noted"), 1000);
    }
    let view = shared.engine.mailbox(account, MailboxId::INBOX).expect("there");
    let all = view.pop3_uidls();
    assert!((1..=2000).all(|uid| all.get(Uid(uid)) == Some(&id(uid))));
    assert!(view.metadata.of_clients().is_empty(), "no client sees them");
}
