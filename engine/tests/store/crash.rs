//! The power fails at each disk operation of a workload: whatever was answered is there afterwards, byte for byte and once, and the sums are right.
use crate::help::{deliver, ids, message, open, people};
use posthouse_engine::base::{AccountId, FlagMode, Flags, MailboxId, Uid, UidSet};
use posthouse_engine::directory::Quota;
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::{Compact, Engine, Store};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const PEOPLE: usize = 2;

/// What callers were promised: uid -> (message, seen) in each INBOX; `None` where the answer did not come.
#[derive(Default)]
pub struct Promise {
    pub people: bool,
    pub inboxes: [BTreeMap<u32, (u32, bool)>; PEOPLE],
    /// The message that was under way when the power failed.
    pub unsure: Option<u32>,
    /// The uids that were being expunged then.
    pub vanishing: UidSet,
}

fn run(engine: &Engine, promise: &mut Promise) -> Option<()> {
    let all = people_or_none(engine)?;
    promise.people = true;
    for number in 0..30u32 {
        if number == 12 {
            // From here on messages need a dictionary, which the next group brings.
            engine.train_dictionary();
        }
        if number % 9 == 8 {
            let request = Compact {
                cold_after_ms: 0,
                dead_percent: 10,
                bytes_per_second: 0,
                keep_ms: i64::from(number) - 17,
                leave_free_bytes: 0,
            };
            // It may fail with the power; nobody was promised anything of it.
            let _ = engine.compact(request).wait();
        }
        promise.unsure = Some(number);
        let to = if number % 4 == 0 { &all[..] } else { &all[..1] };
        let outcome = deliver(engine, to, number, 700);
        for (at, answer) in outcome.targets.iter().enumerate() {
            promise.inboxes[at].insert(answer.as_ref().ok()?.uid.0, (number, false));
        }
        promise.unsure = None;
        if number % 7 == 3 {
            let uids = UidSet::range(Uid(number - 2), Uid(number - 1));
            let store = Store {
                uids: uids.clone(),
                mode: FlagMode::Add,
                flags: Flags(Flags::SEEN.0 | Flags::DELETED.0),
                keywords: Vec::new(),
                unchanged_since: None,
            };
            engine.store(all[0], MailboxId::INBOX, store).wait().ok()?;
            for uid in uids.iter() {
                if let Some(entry) = promise.inboxes[0].get_mut(&uid.0) {
                    entry.1 = true;
                }
            }
            let gone = UidSet::range(Uid(number - 2), Uid(number - 2));
            promise.vanishing = gone.clone();
            engine.expunge(all[0], MailboxId::INBOX, Some(gone)).wait().ok()?;
            promise.vanishing = UidSet::new();
            promise.inboxes[0].remove(&(number - 2));
        }
    }
    Some(())
}

fn people_or_none(engine: &Engine) -> Option<Vec<AccountId>> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| people(engine, PEOPLE, Quota::Default))).ok()
}

pub fn check(disk: &Arc<dyn Disk>, promise: &Promise, case: &str) {
    let engine = open(disk, 1).unwrap_or_else(|why| panic!("{case}: {why}"));
    if !promise.people {
        return;
    }
    for (at, id) in ids(&engine, PEOPLE).into_iter().enumerate() {
        let Ok(account) = engine.account(id) else {
            assert!(promise.inboxes[at].is_empty(), "{case}: account {id} is gone");
            continue;
        };
        let view = engine.mailbox(id, MailboxId::INBOX).expect("INBOX");
        let mut found = BTreeMap::new();
        let (mut bytes, mut before) = (0, 0);
        for entry in view.entries.range(0..view.entries.len()) {
            let entry = entry.unwrap_or_else(|why| panic!("{case}: {why}"));
            assert!(entry.uid.0 > before && entry.uid < view.uid_next, "{case}: uids grow");
            assert!(entry.modseq <= view.highest_modseq, "{case}: modseqs are bounded");
            before = entry.uid.0;
            bytes += u64::from(entry.size_bytes);
            found.insert(entry.uid.0, entry);
        }
        assert_eq!(account.used_bytes, bytes, "{case}: usage is the sum of the sizes");
        for (uid, (number, seen)) in &promise.inboxes[at] {
            let Some(entry) = found.remove(uid) else {
                assert!(at == 0 && promise.vanishing.contains(Uid(*uid)), "{case}: uid {uid} was lost");
                continue;
            };
            assert!(!seen || entry.flags.contains(Flags::SEEN), "{case}: flags of uid {uid} were lost");
            let stored = engine.message(id, &entry).wait().unwrap_or_else(|why| panic!("{case}: {why}"));
            assert_eq!(&stored[..], [&b"Return-Path: <>\r\n"[..], &message(*number, 700)].concat(), "{case}");
        }
        let more = usize::from(promise.unsure.is_some());
        assert!(found.len() <= more, "{case}: {} entries that nobody was told of", found.len());
    }
}

#[test]
fn a_crash_at_every_operation_loses_nothing_that_was_answered() {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if std::thread::current().name().is_some_and(|name| name != "main")
            && !info.to_string().contains("a good change")
        {
            quiet(info);
        }
    }));
    let sim = SimDisk::new(0);
    let whole: Arc<dyn Disk> = Arc::new(sim.clone());
    let engine = open(&whole, 1).expect("opens");
    run(&engine, &mut Promise::default()).expect("a quiet disk");
    drop(engine);
    let operations = sim.ops();
    assert!(operations > 100, "a workload with {operations} operations says something");
    for at in 0..operations {
        let sim = SimDisk::new(at);
        sim.crash_at(at);
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let mut promise = Promise::default();
        if let Ok(engine) = open(&disk, 1) {
            run(&engine, &mut promise);
        }
        let after: Arc<dyn Disk> = Arc::new(sim.crash());
        check(&after, &promise, &format!("crash at operation {at} of {operations}"));
    }
}

#[test]
fn a_full_disk_refuses_and_recovers() {
    let sim = SimDisk::new(4);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let engine = open(&disk, 1).expect("opens");
    let account = people(&engine, 1, Quota::Default);
    let mut promise = Promise { people: true, ..Promise::default() };
    let mut refused = 0;
    for number in 0..60u32 {
        match number {
            20 => sim.set_free_bytes(3000),
            40 => sim.set_free_bytes(u64::MAX),
            _ => {}
        }
        match &deliver(&engine, &account, number, 700).targets[0] {
            Ok(delivered) => drop(promise.inboxes[0].insert(delivered.uid.0, (number, false))),
            Err(why) => {
                assert!(matches!(why, posthouse_engine::base::Error::NoSpace), "{why}");
                assert!((20..40).contains(&number), "message {number} was refused: {why}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0, "the disk was full at some point");
    sim.set_free_bytes(100);
    engine.close().expect("closes in order also when there is no room for a checkpoint");
    drop(engine);
    let names = disk.list(std::path::Path::new("shards/00000")).expect("a directory");
    assert!(!names.iter().any(|name| name.ends_with(".tmp")), "half a checkpoint takes no room: {names:?}");
    let engine = open(&disk, 1).expect("opens on a full disk");
    let view = engine.mailbox(account[0], MailboxId::INBOX).expect("INBOX");
    assert_eq!(view.entries.len(), promise.inboxes[0].len());
    drop(engine);
}
