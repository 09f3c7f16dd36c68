//! Checkpoints of several parts, of which an older one cannot be read for a while or any more: the log stands in, and no later start takes
//! parts together that do not belong together.
use crate::help::{address, deliver, ids, open, people};
use posthouse_engine::Engine;
use posthouse_engine::base::{AccountId, MailboxId};
use posthouse_engine::directory::{Change, Quota};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const DIR: &str = "shards/00000";

fn inboxes(engine: &Engine) -> Vec<usize> {
    let count = |id: AccountId| engine.mailbox(id, MailboxId::INBOX).map_or(0, |view| view.entries.len());
    ids(engine, 2).into_iter().map(count).collect()
}

fn parts(disk: &Arc<dyn Disk>) -> Vec<PathBuf> {
    let names = disk.list(Path::new(DIR)).expect("a directory");
    names.iter().filter(|name| name.ends_with(".phi")).map(|name| Path::new(DIR).join(name)).collect()
}

/// A start, a mail for the second member, an orderly stop.
fn session(disk: &Arc<dyn Disk>, number: u32) -> Vec<usize> {
    let engine = open(disk, 1).expect("opens");
    let all = ids(&engine, 2);
    deliver(&engine, &all[1..], number, 300).targets[0].as_ref().expect("delivered");
    let found = inboxes(&engine);
    engine.close().expect("closes");
    found
}

/// A large part with the first member's mail and a small one behind it that needs it; both have numbers above two.
fn large_and_small(disk: &Arc<dyn Disk>) -> Vec<usize> {
    let engine = open(disk, 1).expect("opens");
    people(&engine, 2, Quota::Unlimited);
    engine.close().expect("closes");
    drop(engine);
    (1..=3).for_each(|number| drop(session(disk, number)));
    let engine = open(disk, 1).expect("opens");
    let all = ids(&engine, 2);
    (10..210).for_each(|number| drop(deliver(&engine, &all[..1], number, 200)));
    engine.close().expect("closes");
    drop(engine);
    let found = session(disk, 300);
    assert!(parts(disk).len() > 1, "a large part and a small one: {:?}", parts(disk));
    found
}

/// Twelve more sessions, each of which sees what the one before saw and a mail more.
fn go_on(disk: &Arc<dyn Disk>, mut before: Vec<usize>, case: &str) {
    for number in 400..412 {
        before[1] += 1;
        assert_eq!(session(disk, number), before, "{case}: session {number}");
    }
    // Nothing is left over that a later start could take for a part of its checkpoint.
    let engine = open(disk, 1).expect("opens");
    assert_eq!(inboxes(&engine), before, "{case}");
    engine.close().expect("closes");
}

#[test]
fn a_damaged_older_part_is_never_replaced_by_a_stranger() {
    let sim = SimDisk::new(5);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let before = large_and_small(&disk);
    let len_of = |part: &PathBuf| disk.map(part).expect("readable").len() as u64;
    let large = parts(&disk).into_iter().max_by_key(len_of).expect("a part");
    let len = len_of(&large);
    sim.flip(&large, len - 3, 4).expect("a byte of the trailer");
    go_on(&disk, before, "a byte of the trailer");
}

#[test]
fn a_part_that_cannot_be_read_for_a_while_is_never_replaced_by_a_stranger() {
    let sim = SimDisk::new(6);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let before = large_and_small(&disk);
    // The reads of one start, of which two after each other fail.
    let first = sim.reads();
    drop(open(&disk, 1).expect("opens"));
    let reads = sim.reads() - first;
    for at in 0..reads {
        let sim = SimDisk::new(6);
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        assert_eq!(large_and_small(&disk), before);
        // As a part that another one needs, and by itself.
        sim.fail_read_at(sim.reads() + at);
        sim.fail_read_at(sim.reads() + at + 1);
        let mut before = before.clone();
        // What cannot do without the read fails; a later start does not meet it any more.
        let engine = (0..3).find_map(|_| open(&disk, 1).ok()).expect("opens");
        deliver(&engine, &ids(&engine, 2)[1..], 350, 300).targets[0].as_ref().expect("delivered");
        before[1] += 1;
        assert_eq!(inboxes(&engine), before, "read {at}");
        // Threads of the engine read too, so that what the start of another run read may be read here by the close, which
        // then says so; what was delivered stands in the log all the same.
        if let Err(error) = engine.close() {
            assert!(error.to_string().contains("simulated I/O error"), "read {at}: {error}");
        }
        drop(engine);
        // And how many they read differs, so that a fault may still wait for its read.
        sim.forgive_reads();
        go_on(&disk, before, &format!("read {at} of {reads}"));
    }
}

#[test]
fn parts_do_not_pile_up_with_small_changes() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(7));
    let mut before = large_and_small(&disk);
    for number in 500..530 {
        let engine = open(&disk, 1).expect("opens");
        let change = Change::MemberAdd {
            address: address(&format!("n{number}@example.test")),
            name: "New".into(),
            password_hash: None,
            vip: false,
            quota: Quota::Default,
        };
        engine.change_directory(vec![change]).wait().into_iter().for_each(|answer| answer.expect("a good change"));
        engine.close().expect("closes");
        drop(engine);
        before[1] += 1;
        assert_eq!(session(&disk, number), before);
        assert!(parts(&disk).len() <= 4, "{:?}", parts(&disk));
        let control = disk.list(Path::new("shards/control")).expect("a directory");
        let control = control.iter().filter(|name| name.ends_with(".phi")).count();
        assert!(control <= 2, "{control} parts, each with the whole directory");
    }
}
