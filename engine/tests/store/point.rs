//! A log taken back to a point in time: nothing later is left, everything that is proven to be earlier is, and the store goes on from there.
use crate::help::{ids, message, people};
use posthouse_engine::base::{Clock, Flags, MailboxId, ShardId, SimClock};
use posthouse_engine::delivery::{Delivery, Place, Target};
use posthouse_engine::directory::{Change, Quota};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::index::{FlagMode, UidSet};
use posthouse_engine::{Compact, Engine, Options, Store, take_back};
use std::path::Path;
use std::sync::Arc;

const BEGUN: i64 = 1_700_000_000;

fn open(disk: &Arc<dyn Disk>, clock: &Arc<SimClock>) -> Arc<Engine> {
    let options = Options {
        disk: disk.clone(),
        clock: clock.clone(),
        shards: 1,
        segment_bytes_max: 8 << 10,
        checkpoint_log_bytes: 1 << 40,
        workers: 1,
    };
    Engine::open(options).expect("opens").0
}

/// One delivery every ten seconds from `BEGUN` + 10 on, each marked seen three seconds later, and a member more every fifty. In the middle the
/// store learns a dictionary, so that its log holds frames of other kinds than messages and events.
fn history(disk: &Arc<dyn Disk>, clock: &Arc<SimClock>) {
    let engine = open(disk, clock);
    let account = people(&engine, 1, Quota::Default)[0];
    for number in 1..=40u32 {
        if number == 20 {
            assert!(engine.train_dictionary(), "mails of one kind have something in common");
        }
        clock.advance_ms(10_000 - if number > 1 { 3_000 } else { 0 });
        let staged = engine.stage(Vec::new(), message(number, 700)).wait().expect("staged");
        let target = Target { account, place: Place::Inbox, flags: Flags::NONE, bound: None };
        let outcome = engine.deliver(Delivery { staged, targets: vec![target], queue: Vec::new() }).wait();
        let uid = outcome.targets[0].as_ref().expect("delivered").uid;
        if number % 5 == 0 {
            let address = crate::help::address(&format!("more{number}@example.test"));
            let (name, quota) = (String::new(), Quota::Default);
            let change = Change::MemberAdd { address, name, password_hash: None, vip: false, quota };
            engine.change_directory(vec![change]).wait().remove(0).expect("added");
        }
        clock.advance_ms(3_000);
        let store = Store {
            uids: UidSet::range(uid, uid),
            mode: FlagMode::Add,
            flags: Flags::SEEN,
            keywords: Vec::new(),
            unchanged_since: None,
        };
        engine.store(account, MailboxId::INBOX, store).wait().expect("stored");
    }
    engine.close().expect("closes");
    drop(engine);
    without_index(disk);
}

fn without_index(disk: &Arc<dyn Disk>) {
    for dir in ["00000", "control"] {
        let dir = Path::new("shards").join(dir);
        for name in disk.list(&dir).expect("names").iter().filter(|name| name.starts_with("idx-")) {
            disk.remove(&dir.join(name)).expect("removed");
        }
    }
}

#[test]
fn nothing_later_is_left_and_everything_earlier_is() {
    for after in [0, 9, 10, 12, 13, 19, 20, 22, 55, 99, 100, 250, 393, 400, 402] {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(after as u64));
        let clock = Arc::new(SimClock::at_ms(BEGUN * 1000));
        history(&disk, &clock);
        let as_clock: Arc<dyn Clock> = clock.clone();
        for shard in [ShardId(0), ShardId::CONTROL] {
            take_back(&disk, &as_clock, shard, BEGUN + after, None).expect("taken back");
        }
        let engine = open(&disk, &clock);
        let expected = (after / 10) as usize;
        let account = ids(&engine, 1)[0];
        assert_eq!(engine.directory(|all| all.account_count()), 1 + expected / 5, "{after} seconds");
        let view = match engine.mailbox(account, MailboxId::INBOX) {
            Ok(view) => view,
            Err(_) => {
                assert_eq!(expected, 0, "{after} seconds");
                continue;
            }
        };
        assert_eq!(view.entries.len(), expected, "{after} seconds");
        for (at, entry) in view.entries.range(0..expected).enumerate() {
            let entry = entry.expect("an entry");
            let read = engine.message_here(account, &entry).expect("readable");
            assert_eq!(read.into_vec(), message(at as u32 + 1, 700));
            // What a flag's change carries is no time: the last one is there only if a later time proves that it was early enough.
            assert!(at + 1 == expected || entry.flags.contains(Flags::SEEN), "{after} seconds: uid {}", entry.uid);
        }
        // It goes on.
        clock.advance_ms(1_000_000);
        assert!(crate::help::deliver(&engine, &[account], 99, 600).targets[0].is_ok());
        engine.close().expect("closes");
        assert_eq!(open(&disk, &clock).mailbox(account, MailboxId::INBOX).expect("INBOX").entries.len(), expected + 1);
    }
}

#[test]
fn before_the_beginning_there_is_nothing_and_index_parts_are_in_the_way() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(7));
    let clock = Arc::new(SimClock::at_ms(BEGUN * 1000));
    history(&disk, &clock);
    let as_clock: Arc<dyn Clock> = clock.clone();
    let taken = take_back(&disk, &as_clock, ShardId(0), BEGUN - 1, None).expect("taken back");
    assert_eq!(taken.last, None);
    assert!(taken.bytes > 10_000, "{taken:?}");
    assert_eq!(disk.list(Path::new("shards/00000")).expect("names").len(), 1, "an empty log is left");
    let engine = open(&disk, &clock);
    engine.close().expect("closes");
    drop(engine);
    assert!(
        take_back(&disk, &as_clock, ShardId::CONTROL, BEGUN, None).is_err(),
        "a checkpoint knows what would be cut"
    );
}

/// Changes of the directory that say nothing of time by themselves: an alias, a name, a group's member.
#[test]
fn a_change_of_the_directory_is_there_from_its_time_on() {
    for (after, expected) in [(99, [false, false]), (100, [true, false]), (199, [true, false]), (200, [true, true])] {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(after as u64));
        let clock = Arc::new(SimClock::at_ms(BEGUN * 1000));
        let engine = open(&disk, &clock);
        people(&engine, 1, Quota::Default);
        for alias in ["first", "second"] {
            clock.advance_ms(100_000);
            let (account, alias) = ("m0@example.test", format!("{alias}@example.test"));
            let change =
                Change::AliasAdd { account: crate::help::address(account), alias: crate::help::address(&alias) };
            engine.change_directory(vec![change]).wait().remove(0).expect("added");
        }
        engine.close().expect("closes");
        drop(engine);
        without_index(&disk);
        let as_clock: Arc<dyn Clock> = clock.clone();
        take_back(&disk, &as_clock, ShardId::CONTROL, BEGUN + after, None).expect("taken back");
        let engine = open(&disk, &clock);
        let known = ["first", "second"].map(|alias| {
            let address = crate::help::address(&format!("{alias}@example.test"));
            engine.directory(|all| all.account_at(&address).is_some())
        });
        assert_eq!(known, expected, "{after} seconds");
    }
}

/// Compacts all that is sealed; what was replaced is kept, or not.
fn compact(disk: &Arc<dyn Disk>, clock: &Arc<SimClock>, keep: bool) {
    // A checkpoint has to cover it first.
    for _ in 0..2 {
        open(disk, clock).close().expect("closes");
    }
    let engine = open(disk, clock);
    let all =
        Compact { cold_after_ms: 0, dead_percent: 1, bytes_per_second: 0, keep_ms: i64::MAX, leave_free_bytes: 0 };
    assert!(engine.compact(all).wait().expect("compacted").segments_done > 0);
    if !keep {
        let removed = engine.compact(Compact { keep_ms: -1, ..all }).wait().expect("removed");
        assert!(removed.removed_bytes > 0);
    }
    engine.close().expect("closes");
    drop(engine);
    without_index(disk);
}

#[test]
fn what_was_compacted_later_goes_back_as_long_as_what_it_replaced_is_kept() {
    for (after, keep) in [(55, true), (250, true), (55, false), (399, false), (500, false), (500, true)] {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(after as u64));
        let clock = Arc::new(SimClock::at_ms(BEGUN * 1000));
        history(&disk, &clock);
        compact(&disk, &clock, keep);
        let as_clock: Arc<dyn Clock> = clock.clone();
        let taken = take_back(&disk, &as_clock, ShardId(0), BEGUN + after, None);
        if !keep && after < 400 {
            let why = taken.expect_err("it cannot be known what was there").to_string();
            assert!(why.contains("older backup"), "{why}");
            continue;
        }
        taken.expect("taken back");
        let engine = open(&disk, &clock);
        let view = engine.mailbox(ids(&engine, 1)[0], MailboxId::INBOX).expect("INBOX");
        assert_eq!(view.entries.len(), (after as usize / 10).min(40), "{after} seconds, {keep}");
        for (at, entry) in view.entries.range(0..view.entries.len()).enumerate() {
            let read = engine.message_here(ids(&engine, 1)[0], &entry.expect("an entry")).expect("readable");
            assert_eq!(read.into_vec(), message(at as u32 + 1, 700));
        }
    }
}
