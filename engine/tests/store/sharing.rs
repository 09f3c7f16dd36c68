//! Mailboxes that several members use: each one's \Seen against a plain model through restarts, rebuilds and compaction, and moves between
//! shards with a power failure at each operation.
use crate::help::{block_on, deliver, ids, open, people};
use posthouse_engine::base::limits::READERS_MAX;
use posthouse_engine::base::{AccountId, Error, FlagMode, Flags, MailboxId, Uid, UidSet};
use posthouse_engine::directory::{AclChange, AclMode, Change, Grantee, Quota, Rights};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::{Append, At, Compact, Engine, Guest, Store};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

const INBOX: MailboxId = MailboxId::INBOX;

fn guest(owner: AccountId, reader: AccountId) -> At {
    let flags = Flags::SEEN.union(Flags::FLAGGED).union(Flags::DELETED);
    At { account: owner, mailbox: INBOX, guest: Some(Guest { reader, flags, keywords: false }) }
}

fn mark(uids: UidSet, mode: FlagMode, flags: Flags) -> Store {
    Store { uids, mode, flags, keywords: vec!["word".into()], unchanged_since: None }
}

/// What is true of INBOX: uid -> who has seen it; 0 is its owner.
type Truth = BTreeMap<u32, (BTreeSet<u64>, bool)>;

struct Random(u64);

impl Random {
    fn below(&mut self, bound: u32) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % u64::from(bound.max(1))) as u32
    }
}

fn step(engine: &Engine, all: &[AccountId], truth: &mut Truth, random: &mut Random, number: u32) {
    let next = engine.mailbox(all[0], INBOX).map_or(1, |view| view.uid_next.0);
    let first = random.below(next) + 1;
    let uids = UidSet::range(Uid(first), Uid(first + random.below(6)));
    match random.below(5) {
        0 => {
            drop(truth.insert(
                deliver(engine, &all[..1], number, 300).targets[0].as_ref().expect("room").uid.0,
                <_>::default(),
            ))
        }
        1 if !truth.is_empty() => {
            let gone = engine.remove(all[0], INBOX, uids).wait().expect("removed");
            truth.retain(|uid, _| !gone.contains(Uid(*uid)));
        }
        _ if truth.is_empty() => {}
        _ => {
            let who = random.below(3) as usize;
            let at = if who == 0 { At::own(all[0], INBOX) } else { guest(all[0], all[who]) };
            let mode = [FlagMode::Add, FlagMode::Remove, FlagMode::Replace][random.below(3) as usize];
            let (seen, flagged) = (random.below(2) == 1, random.below(2) == 1);
            let mut flags = if seen { Flags::SEEN } else { Flags::NONE };
            flags = if flagged { flags.union(Flags::FLAGGED) } else { flags };
            engine.store_at(at, mark(uids.clone(), mode, flags)).wait().expect("stored");
            for (_, (readers, is_flagged)) in truth.iter_mut().filter(|(uid, _)| uids.contains(Uid(**uid))) {
                let on = mode != FlagMode::Remove;
                if seen && on {
                    readers.insert(who as u64);
                } else if seen || mode == FlagMode::Replace {
                    readers.remove(&(who as u64));
                }
                if flagged || mode == FlagMode::Replace {
                    *is_flagged = flagged && on;
                }
            }
        }
    }
}

fn check(engine: &Engine, all: &[AccountId], truth: &Truth, case: &str) {
    let view = engine.mailbox(all[0], INBOX).expect("INBOX");
    let uids: Vec<u32> =
        view.entries.range(0..view.entries.len()).map(|entry| entry.expect("readable").uid.0).collect();
    assert_eq!(uids, truth.keys().copied().collect::<Vec<u32>>(), "{case}");
    for (who, reader) in [None, Some(all[1]), Some(all[2])].into_iter().enumerate() {
        let mut unseen = 0;
        for entry in view.entries.range(0..view.entries.len()) {
            let entry = view.seen_by(entry.expect("readable"), reader);
            let (readers, flagged) = &truth[&entry.uid.0];
            let seen = readers.contains(&(who as u64));
            assert_eq!(entry.flags.contains(Flags::SEEN), seen, "{case}: uid {} for {who}", entry.uid);
            assert_eq!(entry.flags.contains(Flags::FLAGGED), *flagged, "{case}: uid {}", entry.uid);
            unseen += u64::from(!seen);
        }
        assert_eq!(view.unseen_for(reader), unseen, "{case}: for {who}");
    }
}

#[test]
fn each_reader_keeps_what_it_has_seen() {
    for seed in 1..=6u64 {
        println!("seed {seed}");
        let sim = SimDisk::new(seed);
        let disk: Arc<dyn Disk> = Arc::new(sim);
        let mut engine = open(&disk, 1).expect("opens");
        let all = people(&engine, 3, Quota::Default);
        engine.open_account(all[0]).wait().expect("opens");
        let (mut truth, mut random) = (Truth::new(), Random(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)));
        for number in 0..240u32 {
            step(&engine, &all, &mut truth, &mut random, number);
            if number % 40 == 39 {
                check(&engine, &all, &truth, &format!("seed {seed} after {number}"));
                let request =
                    Compact { cold_after_ms: 0, dead_percent: 1, bytes_per_second: 0, keep_ms: 0, leave_free_bytes: 0 };
                let _ = engine.compact(request).wait().expect("compacts");
                engine.close().expect("closes");
                drop(engine);
                if number % 80 == 79 {
                    for name in disk.list(Path::new("shards/00000")).unwrap_or_default() {
                        if name.starts_with("idx-") {
                            disk.remove(&Path::new("shards/00000").join(name)).expect("removed");
                        }
                    }
                }
                engine = open(&disk, 1).expect("opens again");
                check(&engine, &all, &truth, &format!("seed {seed} reopened after {number}"));
            }
        }
    }
}

/// A reader that has seen messages, and messages that are moved from one shard to the other, some at a time. What was promised: seen by
/// the reader.
fn moving(engine: &Engine, promised: &mut (bool, BTreeSet<u32>, u32)) -> Option<()> {
    let people = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| people(engine, 2, Quota::Default)));
    let all = people.ok()?;
    promised.0 = true;
    engine.open_account(all[1]).wait().ok()?;
    for number in 0..8u32 {
        deliver(engine, &all[..1], number, 300).targets.pop()?.ok()?;
        promised.2 = number + 1;
    }
    let some = UidSet::range(Uid(1), Uid(4));
    engine.store_at(guest(all[0], all[1]), mark(some.clone(), FlagMode::Add, Flags::SEEN)).wait().ok()?;
    promised.1 = some.iter().map(|uid| uid.0).collect();
    for first in [2u32, 5] {
        let uids = UidSet::range(Uid(first), Uid(first + 1));
        let view = engine.mailbox(all[0], INBOX).ok()?;
        let mut messages = Vec::new();
        for uid in uids.iter() {
            let entry = view.entries.get(view.entries.position(uid).ok()??).ok()?;
            let bytes = engine.message(all[0], &entry).wait().ok()?.to_vec();
            let staged = engine.stage_again(bytes, entry.guid).wait().ok()?;
            messages.push(Append { staged, flags: Flags::NONE, keywords: Vec::new(), internal_date: None });
        }
        engine.receive(At::own(all[1], INBOX), messages, (all[0], INBOX), uids).wait().ok()?;
        block_on(engine.finish_moves(all[1])).ok()?;
    }
    Some(())
}

#[test]
fn a_crash_in_a_move_between_shards_leaves_each_message_once() {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.to_string().contains("a good change") {
            quiet(info);
        }
    }));
    let sim = SimDisk::new(0);
    let whole: Arc<dyn Disk> = Arc::new(sim.clone());
    let engine = open(&whole, 2).expect("opens");
    moving(&engine, &mut Default::default()).expect("a quiet disk");
    drop(engine);
    let operations = sim.ops();
    let mut ended = 0;
    for at in 0..operations {
        let sim = SimDisk::new(at);
        sim.crash_at(at);
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let mut promised = Default::default();
        if let Ok(engine) = open(&disk, 2) {
            moving(&engine, &mut promised);
        }
        let after: Arc<dyn Disk> = Arc::new(sim.crash());
        let (engine, told) = crate::help::open_told(&after, 2).unwrap_or_else(|why| panic!("crash at {at}: {why}"));
        ended += told.iter().filter(|line| line.contains("has been ended")).count();
        if !promised.0 {
            continue;
        }
        let mut found: BTreeMap<posthouse_engine::base::Guid, usize> = BTreeMap::new();
        for id in ids(&engine, 2) {
            let Ok(view) = engine.mailbox(id, INBOX) else { continue };
            for entry in view.entries.range(0..view.entries.len()) {
                *found.entry(entry.expect("readable").guid).or_default() += 1;
            }
        }
        assert!(found.values().all(|count| *count == 1), "crash at {at}: {found:?}");
        assert!(found.len() as u32 >= promised.2, "crash at {at}: a message is gone");
        let all = ids(&engine, 2);
        let Ok(view) = engine.mailbox(all[0], INBOX) else { continue };
        for entry in view.entries.range(0..view.entries.len()).map(|entry| entry.expect("readable")) {
            let kept = !promised.1.contains(&entry.uid.0) || view.readers.has_seen(all[1], entry.uid);
            assert!(kept, "crash at {at}: what was seen of uid {}", entry.uid);
        }
    }
    assert!(ended > 0, "some crash came in the midst of a move");
}

#[test]
fn lists_outlive_restarts_and_name_nobody_who_is_gone() {
    let sim = SimDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(sim);
    let engine = open(&disk, 1).expect("opens");
    let all = people(&engine, 3, Quota::Default);
    let set = |who: AccountId, rights: &str| {
        let rights: Rights = rights.parse().expect("rights");
        let who = Grantee::Account(who);
        Change::Acl(AclChange::Set {
            owner: all[0],
            mailbox: INBOX,
            who,
            negative: false,
            mode: AclMode::Replace,
            rights,
        })
    };
    for answer in engine.change_directory(vec![set(all[1], "lrs"), set(all[2], "lra")]).wait() {
        answer.expect("set");
    }
    assert!(engine.change_directory(vec![set(all[0], "l")]).wait().pop().expect("an answer").is_err());
    let rights = |engine: &Engine, user| engine.directory(|all_of| all_of.rights(user, all[0], INBOX)).to_string();
    for round in 0..3 {
        let engine = if round == 0 { engine.clone() } else { open(&disk, 1).expect("opens") };
        assert_eq!((rights(&engine, all[1]), rights(&engine, all[2])), ("lrs".into(), "lra".into()), "round {round}");
        assert_eq!(engine.directory(|all_of| all_of.sharers(all[1]).len()), 1);
        engine.close().expect("closes");
        drop(engine);
        if round == 1 {
            for name in disk.list(Path::new("shards/control")).expect("a directory") {
                if name.starts_with("idx-") {
                    disk.remove(&Path::new("shards/control").join(name)).expect("removed");
                }
            }
        }
    }
    drop(engine);
    let engine = open(&disk, 1).expect("opens");
    let gone = Change::AccountRemove { address: crate::help::address("m1@example.test") };
    engine.change_directory(vec![gone]).wait().pop().expect("an answer").expect("removed");
    assert_eq!(engine.directory(|all_of| all_of.grants(all[0], INBOX).count()), 1);
    assert_eq!(rights(&engine, all[1]), "");
    let gone = Change::AccountRemove { address: crate::help::address("m0@example.test") };
    engine.change_directory(vec![gone]).wait().pop().expect("an answer").expect("removed");
    assert!(engine.directory(|all_of| all_of.sharers(all[2]).is_empty() && all_of.scopes().next().is_none()));
}

/// Marks of members who have left make room for those who come.
#[test]
fn who_has_left_makes_room() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let engine = open(&disk, 1).expect("opens");
    let all = people(&engine, 3, Quota::Default);
    engine.open_account(all[0]).wait().expect("opens");
    deliver(&engine, &all[..1], 1, 300).targets.pop().expect("a target").expect("room");
    let first = || mark(UidSet::range(Uid(1), Uid(1)), FlagMode::Add, Flags::SEEN);
    let seen_by = |reader: AccountId| engine.mailbox(all[0], INBOX).expect("INBOX").readers.has_seen(reader, Uid(1));
    let change = AclChange::Set {
        owner: all[0],
        mailbox: INBOX,
        who: Grantee::Account(all[1]),
        negative: false,
        mode: AclMode::Replace,
        rights: Rights::READ.union(Rights::SEEN),
    };
    engine.change_directory(vec![Change::Acl(change)]).wait().pop().expect("an answer").expect("shared");
    engine.store_at(guest(all[0], all[1]), first()).wait().expect("marked");
    // Nobody has these numbers any more.
    let gone = (1..READERS_MAX as u64).map(|number| AccountId(100_000 + number));
    let asked: Vec<_> = gone.map(|reader| engine.store_at(guest(all[0], reader), first())).collect();
    asked.into_iter().for_each(|one| drop(one.wait().expect("marked")));
    assert_eq!(engine.mailbox(all[0], INBOX).expect("INBOX").readers.len(), READERS_MAX);
    engine.store_at(guest(all[0], all[2]), first()).wait().expect("there is room");
    assert!(seen_by(all[1]) && seen_by(all[2]) && !seen_by(AccountId(100_001)));
}

/// What is being moved to another shard is nobody else's to move, and may be removed.
#[test]
fn what_is_promised_is_not_moved() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let engine = open(&disk, 2).expect("opens");
    let ann = people(&engine, 1, Quota::Default)[0];
    for number in 0..4 {
        deliver(&engine, &[ann], number, 300).targets.pop().expect("a target").expect("room");
    }
    let trash = engine.account(ann).expect("ann").mailbox_named("Trash").expect("Trash").id;
    let some = |first, last| UidSet::range(Uid(first), Uid(last));
    let promise = engine.promise(ann, INBOX, some(2, 9)).wait().expect("promised");
    assert_eq!(promise.uids().ranges(), [(2, 4)]);
    assert!(matches!(engine.promise(ann, INBOX, some(1, 2)).wait(), Err(Error::Busy)));
    assert!(matches!(engine.move_entries(ann, INBOX, some(1, 2), trash).wait(), Err(Error::Busy)));
    assert!(matches!(engine.rename_mailbox(ann, "INBOX", "old").wait(), Err(Error::Busy)));
    assert!(engine.account(ann).expect("ann").mailbox_named("old").is_none());
    assert_eq!(engine.copy(ann, INBOX, some(2, 2), trash).wait().expect("copied").from.len(), 1);
    assert_eq!(engine.move_entries(ann, INBOX, some(1, 1), trash).wait().expect("moved").from.len(), 1);
    assert_eq!(engine.remove(ann, INBOX, some(2, 2)).wait().expect("removed").len(), 1);
    drop(promise);
    assert_eq!(engine.move_entries(ann, INBOX, some(1, 9), trash).wait().expect("moved").from.len(), 2);
}
