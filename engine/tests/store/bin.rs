//! The end of an account's mail and its way into another account: exact sums, nothing half, nothing back, whatever crashes.
use crate::help::{address, deliver, ids, message, open, people};
use posthouse_engine::base::{AccountId, Error, Flags, Keywords, MailboxId, Uid, UidSet};
use posthouse_engine::directory::{Change, Quota};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::{Append, Checksum, Engine, Purged};
use std::path::Path;
use std::sync::Arc;

fn change(engine: &Engine, change: Change) -> Result<(), Error> {
    engine.change_directory(vec![change]).wait().remove(0)
}

fn remove(engine: &Engine, number: usize) -> Result<(), Error> {
    change(engine, Change::AccountRemove { address: address(&format!("m{number}@example.test")) })
}

fn purge(engine: &Engine, id: AccountId) -> Result<Purged, Error> {
    change(engine, Change::AccountPurgeBegin { id })?;
    let purged = engine.purge_account(id).wait()?;
    change(engine, Change::AccountPurgeEnd { id })?;
    Ok(purged)
}

fn sums(engine: &Engine, id: AccountId) -> Option<(u64, u64)> {
    engine.account(id).ok().map(|account| (account.messages, account.used_bytes))
}

/// Sums of an account counted from its entries, each of which is read.
fn counted(engine: &Engine, id: AccountId) -> (u64, u64) {
    let account = engine.account(id).expect("there");
    let mut sums = (0, 0);
    for mailbox in &account.mailboxes {
        for entry in mailbox.entries.range(0..mailbox.entries.len()) {
            let entry = entry.expect("an entry");
            let read = engine.message_here(id, &entry).expect("readable");
            assert_eq!(engine.checksum(id, &entry).ok(), Checksum::of(&read));
            sums = (sums.0 + 1, sums.1 + u64::from(entry.size_bytes));
        }
    }
    sums
}

fn without_index(disk: &SimDisk) {
    for dir in ["00000", "control"] {
        let dir = Path::new("shards").join(dir);
        for name in disk.list(&dir).expect("names").iter().filter(|name| name.starts_with("idx-")) {
            disk.remove(&dir.join(name)).expect("removed");
        }
    }
}

#[test]
fn a_purged_account_holds_nothing_and_gets_nothing() {
    let sim = SimDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let engine = open(&disk, 1).expect("opens");
    let all = people(&engine, 2, Quota::Default);
    (0..40).for_each(|number| assert!(deliver(&engine, &all, number, 900).targets.iter().all(Result::is_ok)));
    let before = sums(&engine, all[1]).expect("used");
    let refused = engine.purge_account(all[0]).wait().expect_err("a living account");
    assert!(matches!(refused, Error::Invalid(_)), "{refused}");
    remove(&engine, 0).expect("removed");
    assert!(matches!(engine.purge_account(all[0]).wait(), Err(Error::Invalid(_))), "not begun");
    assert_eq!(sums(&engine, all[0]), Some(before), "what is in the bin keeps its mail");
    let watch = engine.watch(all[0], MailboxId::INBOX);
    assert_eq!(purge(&engine, all[0]).ok(), Some(Purged { messages: 40, bytes: before.1 }));
    assert!(watch.take(), "who has it open is told");
    for round in 0..3 {
        assert_eq!(sums(&engine, all[0]), None, "round {round}");
        assert!(matches!(engine.open_account(all[0]).wait(), Err(Error::NotFound(_))));
        assert!(matches!(engine.create_mailbox(all[0], "again", None).wait(), Err(Error::NotFound(_))));
        assert!(matches!(deliver(&engine, &all[..1], 1, 500).targets[0], Err(Error::NotFound(_))));
        assert_eq!(counted(&engine, all[1]), before, "the same messages in another account");
    }
    engine.close().expect("closes");
    drop(engine);
    for keep_index in [true, false] {
        if !keep_index {
            without_index(&sim);
        }
        let engine = open(&disk, 1).expect("opens");
        assert_eq!(sums(&engine, all[0]), None, "index kept: {keep_index}");
        assert!(matches!(engine.open_account(all[0]).wait(), Err(Error::NotFound(_))));
        assert_eq!(counted(&engine, all[1]), before);
        engine.close().expect("closes");
    }
}

#[test]
fn a_crash_at_every_operation_of_a_purge_leaves_all_or_nothing() {
    let begin = |sim: &SimDisk| {
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let engine = open(&disk, 1).expect("opens");
        let all = people(&engine, 2, Quota::Default);
        (0..12).for_each(|number| drop(deliver(&engine, &all, number, 900)));
        (engine, all)
    };
    let sim = SimDisk::new(0);
    let (engine, all) = begin(&sim);
    let from = sim.ops();
    let work = |engine: &Engine| -> Result<Purged, Error> {
        remove(engine, 0)?;
        purge(engine, all[0])
    };
    let whole = work(&engine).expect("a quiet disk");
    drop(engine);
    let to = sim.ops();
    assert!(to - from > 8, "{} operations", to - from);
    for at in from..to {
        let sim = SimDisk::new(at);
        let (engine, _) = begin(&sim);
        sim.crash_at(at);
        let done = work(&engine);
        drop(engine);
        let after: Arc<dyn Disk> = Arc::new(sim.crash());
        let engine = open(&after, 1).expect("opens");
        let case = format!("crash at operation {at} of {from}..{to}");
        match sums(&engine, all[0]) {
            None => assert!(
                engine.directory(|all_of_it| all_of_it.account(all[0]).is_none()),
                "{case}: a member without mail"
            ),
            Some(left) => {
                assert!(done.is_err(), "{case}: a purge that was answered came back");
                assert_eq!(left, (whole.messages, whole.bytes), "{case}: half of it");
            }
        }
        // Whatever was interrupted can be ended.
        let mut left = engine.directory(|all| all.removed(None).map(|one| one.account.id).collect::<Vec<_>>());
        if engine.directory(|directory| directory.account(all[0]).is_some()) {
            remove(&engine, 0).unwrap_or_else(|why| panic!("{case}: {why}"));
            left.push(all[0]);
        }
        for id in left {
            purge(&engine, id).unwrap_or_else(|why| panic!("{case}: {why}"));
        }
        assert_eq!(sums(&engine, all[0]), None, "{case}");
        assert_eq!(counted(&engine, all[1]).0, 12, "{case}");
    }
}

#[test]
fn entries_are_adopted_with_flags_and_without_bytes() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(2));
    let engine = open(&disk, 1).expect("opens");
    let all = people(&engine, 2, Quota::Bytes(20_000));
    let append = |number: u32| Append {
        staged: engine.stage_here(message(number, 900)).expect("staged"),
        flags: Flags::SEEN,
        keywords: vec![format!("$Label{}", number % 3)],
        internal_date: Some(i64::from(number)),
    };
    engine.open_account(all[1]).wait().expect("opened");
    let answers = engine.ingest(all[0], MailboxId::INBOX, (0..8).map(append).collect()).wait().expect("taken");
    assert!(answers.iter().all(Result::is_ok));
    let log_bytes = || engine.status().shards[0].log_bytes;
    let before = log_bytes();
    let uids = UidSet::range(Uid(1), Uid(100));
    let (from, to) = ((all[0], MailboxId::INBOX), (all[1], MailboxId::INBOX));
    assert_eq!(engine.adopt(from, uids.clone(), to).wait().ok(), Some(8));
    assert!(log_bytes() - before < 1200, "{} bytes for eight entries", log_bytes() - before);
    assert_eq!(counted(&engine, all[1]), counted(&engine, all[0]));
    let target = engine.mailbox(all[1], MailboxId::INBOX).expect("INBOX");
    let entry = target.entries.get(1).expect("an entry");
    assert_eq!((entry.flags, entry.internal_date), (Flags::SEEN, 1));
    assert_eq!(entry.keywords, Keywords(target.keyword_bit("$label1").expect("known")));
    engine.adopt(from, uids.clone(), to).wait().expect("room for sixteen");
    let full = engine.adopt(from, uids, to).wait().expect_err("no room for twenty-four");
    assert!(matches!(full, Error::OverQuota { .. }), "{full}");
    assert_eq!(counted(&engine, all[1]).0, 16, "all or none");
    drop(engine);
}

#[test]
fn ingest_takes_what_fits_and_refuses_the_rest() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(3));
    let engine = open(&disk, 1).expect("opens");
    people(&engine, 1, Quota::Bytes(3000));
    let account = ids(&engine, 1)[0];
    engine.open_account(account).wait().expect("opened");
    let append = |number: u32, bytes: usize| Append {
        staged: engine.stage_here(message(number, bytes)).expect("staged"),
        flags: Flags::NONE,
        keywords: (0..80).map(|keyword| format!("k{keyword}")).collect(),
        internal_date: None,
    };
    let syncs = || engine.status().shards[0].syncs;
    let before = syncs();
    let sizes = [900, 900, 2000, 900, 900];
    let messages = sizes.iter().zip(0..).map(|(bytes, number)| append(number, *bytes)).collect();
    let answers = engine.ingest(account, MailboxId::INBOX, messages).wait().expect("answered");
    assert_eq!(syncs() - before, 1, "one sync for all of them");
    let taken: Vec<bool> = answers.iter().map(Result::is_ok).collect();
    assert_eq!(taken, [true, true, false, true, false]);
    assert!(matches!(answers[2], Err(Error::OverQuota { .. })));
    let left_out: Vec<usize> = answers.iter().flatten().map(|one| one.keywords_left_out).collect();
    assert_eq!(left_out, [16, 16, 16], "a mailbox holds 64 keywords");
    assert_eq!(counted(&engine, account).0, 3);
}
