//! Delivery, flags, copies, mailboxes, quota, and that all of it is there again after a restart with and without checkpoints.
use crate::help::{deliver, ids, message, open, people};
use posthouse_engine::base::{Error, FlagMode, Flags, MailboxId, Uid, UidSet};
use posthouse_engine::directory::{Address, Change, Quota, ScopeName};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::index::{Account, diff};
use posthouse_engine::{Engine, Store};
use std::path::Path;
use std::sync::Arc;

fn show(account: &Account) -> String {
    let mut text = format!("{} {} {:?}\n", account.used_bytes, account.messages, account.subscriptions);
    for mailbox in &account.mailboxes {
        text += &format!(
            "{} {} validity {} next {} modseq {} unseen {} deleted {} size {} {:?}\n",
            mailbox.id,
            mailbox.name,
            mailbox.uid_validity,
            mailbox.uid_next,
            mailbox.highest_modseq,
            mailbox.unseen,
            mailbox.deleted,
            mailbox.size_bytes,
            mailbox.keywords,
        );
        for entry in mailbox.entries.range(0..mailbox.entries.len()) {
            text += &format!("  {:?}\n", entry.expect("readable"));
        }
    }
    text
}

fn work(engine: &Engine) {
    let all = people(engine, 3, Quota::Default);
    for number in 0..40 {
        let to = if number % 5 == 0 { &all[..] } else { &all[(number % 3) as usize..][..1] };
        for answer in deliver(engine, to, number, 600).targets {
            answer.expect("delivered");
        }
    }
    let account = all[0];
    let inbox = MailboxId::INBOX;
    let store = |uids, mode, flags, keywords: &[&str]| Store {
        uids,
        mode,
        flags,
        keywords: keywords.iter().map(|word| (*word).to_owned()).collect(),
        unchanged_since: None,
    };
    let some = UidSet::range(Uid(2), Uid(6));
    engine.store(account, inbox, store(some.clone(), FlagMode::Add, Flags::SEEN, &["Work"])).wait().expect("stored");
    let work = engine.create_mailbox(account, "Work/2026/项目", None).wait().expect("made");
    let copied = engine.copy(account, inbox, some, work).wait().expect("copied");
    assert_eq!((copied.from.len(), copied.to.len()), (5, 5));
    engine.move_entries(account, inbox, UidSet::range(Uid(1), Uid(2)), work).wait().expect("moved");
    let flag = store(UidSet::range(Uid(3), Uid(4)), FlagMode::Replace, Flags::DELETED, &[]);
    engine.store(account, inbox, flag).wait().expect("stored");
    assert_eq!(engine.expunge(account, inbox, None).wait().expect("expunged").len(), 2);
    engine.rename_mailbox(account, "Work", "Office").wait().expect("renamed");
    engine.subscribe(account, "Office/2026/项目", true).wait().expect("subscribed");
    engine.delete_mailbox(account, "Junk").wait().expect("deleted");
}

#[test]
fn who_has_looked_a_mailbox_up_means_that_one() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let engine = open(&disk, 1).expect("opens");
    let account = people(&engine, 1, Quota::Default)[0];
    let looked_up = engine.create_mailbox(account, "Work", None).wait().expect("made");
    engine.rename_mailbox(account, "Work", "Private").wait().expect("renamed");
    let other = engine.create_mailbox(account, "Work", None).wait().expect("made");
    let name = |id| engine.account(account).expect("open").mailbox(id).map(|found| found.name.to_string());
    engine.rename_mailbox_at(account, looked_up, "Old").wait().expect("renamed");
    assert_eq!((name(looked_up).as_deref(), name(other).as_deref()), (Some("Old"), Some("Work")));
    engine.delete_mailbox_at(account, looked_up).wait().expect("deleted");
    assert_eq!((name(looked_up), name(other).as_deref()), (None, Some("Work")));
    assert!(engine.delete_mailbox_at(account, looked_up).wait().is_err());
    assert!(engine.rename_mailbox_at(account, looked_up, "New").wait().is_err());
    assert!(engine.delete_mailbox_at(account, MailboxId::INBOX).wait().is_err());
}

/// Else each would copy up to 10 MB while nobody's mail is committed.
#[test]
fn a_subscription_copies_no_other_names() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let engine = open(&disk, 1).expect("opens");
    let account = people(&engine, 1, Quota::Default)[0];
    engine.subscribe(account, "a", true).wait().expect("subscribed");
    let before = engine.account(account).expect("open");
    engine.subscribe(account, "b", true).wait().expect("subscribed");
    let after = engine.account(account).expect("open");
    let at = |view: &Account| view.subscriptions.get("a").map(|name| name.as_ptr());
    assert_eq!(at(&before), at(&after));
    assert!(!before.subscriptions.contains("b") && after.subscriptions.contains("b"));
}

#[test]
fn everything_is_there_after_a_restart_with_checkpoints_and_without() {
    for shards in [1, 3] {
        let sim = SimDisk::new(1);
        let disk: Arc<dyn Disk> = Arc::new(sim);
        let engine = open(&disk, shards).expect("opens");
        work(&engine);
        let views = |engine: &Engine| -> Vec<String> {
            ids(engine, 3).iter().map(|id| show(&engine.account(*id).expect("open"))).collect()
        };
        let before = views(&engine);
        engine.close().expect("closes");
        let engine = open(&disk, shards).expect("opens with checkpoints");
        assert_eq!(views(&engine), before);
        engine.close().expect("closes");
        drop(engine);
        let mut removed = 0;
        for dir in ["shards/00000", "shards/00001", "shards/00002", "shards/control"] {
            for name in disk.list(Path::new(dir)).unwrap_or_default().iter().filter(|name| name.starts_with("idx-")) {
                disk.remove(&Path::new(dir).join(name)).expect("removed");
                removed += 1;
            }
        }
        assert!(removed > usize::from(shards), "there were checkpoints");
        let engine = open(&disk, shards).expect("opens from the log alone");
        assert_eq!(views(&engine), before, "rebuilt from the segments");
        let view = engine.mailbox(ids(&engine, 3)[1], MailboxId::INBOX).expect("there");
        let first = view.entries.get(0).expect("an entry");
        let bytes = engine.message(ids(&engine, 3)[1], &first).wait().expect("read");
        assert_eq!(&bytes[..], [&b"Return-Path: <>\r\n"[..], &message(0, 600)].concat());
    }
}

#[test]
fn quota_is_exact_and_a_refusal_changes_nothing() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(2));
    let engine = open(&disk, 1).expect("opens");
    let all = people(&engine, 2, Quota::Bytes(3000));
    for number in 0..6 {
        let outcome = deliver(&engine, &all[..1], number, 900);
        let fits = number < 3;
        assert_eq!(outcome.targets[0].is_ok(), fits, "message {number}: {outcome:?}");
        if !fits {
            assert!(matches!(outcome.targets[0], Err(Error::OverQuota { quota_bytes_max: 3000, .. })));
        }
    }
    let used = |id| engine.account(id).expect("open").used_bytes;
    let full = used(all[0]);
    let outcome = deliver(&engine, &all, 7, 900);
    assert!(outcome.targets[0].is_err() && outcome.targets[1].is_ok(), "each target for itself");
    assert_eq!(used(all[0]), full);
    let sum = |id| -> u64 {
        let view = engine.mailbox(id, MailboxId::INBOX).expect("there");
        view.entries.range(0..100).map(|entry| u64::from(entry.expect("readable").size_bytes)).sum()
    };
    assert_eq!((used(all[0]), used(all[1])), (sum(all[0]), sum(all[1])));
    let copied = engine.copy(all[0], MailboxId::INBOX, UidSet::range(Uid(1), Uid(9)), MailboxId(2)).wait();
    assert!(matches!(copied, Err(Error::OverQuota { .. })));
    assert_eq!(used(all[0]), full);
}

#[test]
fn the_number_of_messages_is_exact_and_a_message_too_many_is_refused() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(2));
    let engine = open(&disk, 1).expect("opens");
    let all = people(&engine, 2, Quota::Default);
    let limit = Change::RuleAdd {
        scope: ScopeName::Account(Address::parse("m0@example.test").expect("an address")),
        rule: "messages 3".parse().expect("a rule"),
    };
    engine.change_directory(vec![limit]).wait().into_iter().for_each(|done| done.expect("the directory takes it"));
    deliver(&engine, &all[..1], 0, 900).targets[0].as_ref().expect("delivered");
    // Two more fit, the third of the same delivery does not, whoever else gets it.
    let outcome = deliver(&engine, &[all[0], all[0], all[0], all[1]], 1, 900);
    let fits: Vec<bool> = outcome.targets.iter().map(Result::is_ok).collect();
    assert_eq!(fits, [true, true, false, true]);
    assert!(matches!(outcome.targets[2], Err(Error::TooManyMessages { messages: 3, messages_max: 3 })));
    let held = |id| engine.account(id).expect("open").messages;
    assert_eq!((held(all[0]), held(all[1])), (3, 1));
    let (inbox, one) = (MailboxId::INBOX, UidSet::range(Uid(1), Uid(1)));
    let copied = engine.copy(all[0], inbox, one.clone(), MailboxId(2)).wait();
    assert!(matches!(copied, Err(Error::TooManyMessages { .. })));
    engine.move_entries(all[0], inbox, one.clone(), MailboxId(2)).wait().expect("a move takes no room");
    assert_eq!(held(all[0]), 3);
    let none = engine.copy(all[0], inbox, one, MailboxId(2)).wait().expect("nothing to copy");
    assert!(none.from.is_empty());
}

#[test]
fn sessions_learn_what_changed_by_comparing_views() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(3));
    let engine = open(&disk, 1).expect("opens");
    let account = people(&engine, 1, Quota::Default)[0];
    (0..1300).for_each(|number| drop(deliver(&engine, &[account], number, 100)));
    let inbox = MailboxId::INBOX;
    let watch = engine.watch(account, inbox);
    let old = engine.mailbox(account, inbox).expect("there");
    let flagged = UidSet::from_ranges([(5, 9), (700, 701)]);
    let store = Store {
        uids: flagged.clone(),
        mode: FlagMode::Add,
        flags: Flags::DELETED,
        keywords: Vec::new(),
        unchanged_since: None,
    };
    engine.store(account, inbox, store).wait().expect("stored");
    let gone = UidSet::from_ranges([(5, 6)]);
    assert_eq!(engine.expunge(account, inbox, Some(gone.clone())).wait().expect("expunged"), gone);
    deliver(&engine, &[account], 9999, 100).targets[0].as_ref().expect("delivered");
    assert!(watch.take(), "a change was told");
    assert!(!watch.take(), "once");
    let new = engine.mailbox(account, inbox).expect("there");
    let found = diff(&old, &new).expect("comparable");
    assert_eq!(found.expunged, gone);
    assert_eq!(found.changed, UidSet::from_ranges([(7, 9), (700, 701)]));
    assert_eq!(found.appended, 1);
    assert_eq!(new.entries.position(Uid(7)).expect("readable"), Some(4), "positions moved up");
}
