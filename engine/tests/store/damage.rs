//! Index parts that changed at rest or lie: an error where it is met, never a half of a change, never sums that wrap.
use crate::help::{deliver, ids, open, open_told, people};
use posthouse_engine::Store;
use posthouse_engine::base::bytes::Reader;
use posthouse_engine::base::{AccountId, Error, FlagMode, Flags, MailboxId, Uid, UidSet};
use posthouse_engine::directory::Quota;
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::format::frame::salted_crc;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The newest index part of shard 0 and its bytes.
fn part(disk: &Arc<dyn Disk>) -> (PathBuf, Vec<u8>) {
    let dir = Path::new("shards/00000");
    let names = disk.list(dir).expect("a directory");
    let newest = names.iter().rfind(|name| name.ends_with(".phi")).expect("a checkpoint");
    let path = dir.join(newest);
    let bytes = disk.map(&path).expect("readable").to_vec();
    (path, bytes)
}

fn messages(engine: &posthouse_engine::Engine, id: AccountId) -> usize {
    engine.mailbox(id, MailboxId::INBOX).expect("INBOX").entries.len()
}

#[test]
fn a_delivery_that_meets_a_damaged_chunk_leaves_no_half_of_it() {
    let sim = SimDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let engine = open(&disk, 1).expect("opens");
    let all = people(&engine, 2, Quota::Default);
    deliver(&engine, &all[..1], 1, 700).targets[0].as_ref().expect("delivered");
    deliver(&engine, &all[1..], 2, 900).targets[0].as_ref().expect("delivered");
    let size_bytes =
        engine.mailbox(all[1], MailboxId::INBOX).expect("INBOX").entries.get(0).expect("an entry").size_bytes;
    engine.close().expect("closes");
    drop(engine);
    let (path, bytes) = part(&disk);
    let entry = [1u32.to_le_bytes(), size_bytes.to_le_bytes()].concat();
    let at = bytes.windows(8).position(|window| window == entry).expect("the second member's entry");
    sim.flip(&path, at as u64 + 30, 1).expect("a byte of the part");
    let engine = open(&disk, 1).expect("a damaged chunk is met when it is read");
    let outcome = deliver(&engine, &all, 3, 700);
    assert!(outcome.targets.iter().all(Result::is_err), "{:?}", outcome.targets);
    assert_eq!(messages(&engine, all[0]), 1, "what was refused is not shown");
    deliver(&engine, &all[..1], 4, 700).targets[0].as_ref().expect("others go on");
    assert_eq!(messages(&engine, all[0]), 2);
    drop(engine);
    let engine = open(&disk, 1).expect("opens");
    assert_eq!(messages(&engine, ids(&engine, 2)[0]), 2);
}

/// A store that was killed after a change to a mailbox whose chunk, in a checkpoint, is damaged; what was in that mailbox.
fn damaged_below_the_log() -> (Arc<dyn Disk>, PathBuf, Vec<Vec<u8>>) {
    let sim = SimDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let engine = open(&disk, 1).expect("opens");
    let all = people(&engine, 1, Quota::Default);
    for number in 0..3 {
        deliver(&engine, &all, number, 700).targets[0].as_ref().expect("delivered");
    }
    let size_bytes = entries(&engine, all[0])[0].size_bytes;
    engine.close().expect("closes");
    drop(engine);
    let engine = open(&disk, 1).expect("opens");
    let uids = UidSet::range(Uid(2), Uid(2));
    let (mode, flags) = (FlagMode::Add, Flags::DELETED);
    let store = Store { uids, mode, flags, keywords: Vec::new(), unchanged_since: None };
    engine.store(all[0], MailboxId::INBOX, store).wait().expect("marked");
    engine.expunge(all[0], MailboxId::INBOX, None).wait().expect("expunged");
    let before = contents(&engine, all[0]);
    let sim = sim.crash();
    drop(engine);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let (path, bytes) = part(&disk);
    let entry = [1u32.to_le_bytes(), size_bytes.to_le_bytes()].concat();
    let at = bytes.windows(8).position(|window| window == entry).expect("the first entry");
    sim.flip(&path, at as u64 + 30, 1).expect("a byte of the part");
    (disk, path, before)
}

fn entries(engine: &posthouse_engine::Engine, id: AccountId) -> Vec<posthouse_engine::index::Entry> {
    let view = engine.mailbox(id, MailboxId::INBOX).expect("INBOX");
    view.entries.range(0..view.entries.len()).map(|entry| entry.expect("readable")).collect()
}

fn contents(engine: &posthouse_engine::Engine, id: AccountId) -> Vec<Vec<u8>> {
    let read = |entry| engine.message(id, &entry).wait().expect("readable").to_vec();
    entries(engine, id).into_iter().map(read).collect()
}

#[test]
fn a_damaged_chunk_that_the_log_needs_is_made_anew_from_the_log() {
    let (disk, path, before) = damaged_below_the_log();
    let (engine, notices) = open_told(&disk, 1).expect("a damaged checkpoint keeps no store closed");
    let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
    let told = notices.iter().find(|line| line.contains("passed over")).expect("the log says so");
    assert!(told.contains(name), "{told}");
    let notes = &engine.status().shards[0].notes;
    assert!(notes.iter().any(|line| line.contains(name)), "status says so: {notes:?}");
    let id = ids(&engine, 1)[0];
    assert_eq!(contents(&engine, id), before);
    engine.close().expect("writes a new checkpoint");
    drop(engine);
    let (engine, notices) = open_told(&disk, 1).expect("opens");
    assert!(notices.is_empty(), "the next start has nothing to say: {notices:?}");
    assert_eq!(contents(&engine, id), before);
    assert!(disk.open(&path).is_err(), "the damaged part is gone");
}

#[test]
fn a_damaged_checkpoint_and_a_damaged_log_are_not_taken_for_a_torn_tail() {
    let (disk, _, _) = damaged_below_the_log();
    let segment = Path::new("shards/00000/seg-0000000001.phl");
    let whole = disk.map(segment).expect("readable").to_vec();
    let at = whole.windows(4).rposition(|window| window == b"PHF1").expect("the last frame");
    let before = whole[..at].windows(4).rposition(|window| window == b"PHF1").expect("one that the checkpoint covers");
    disk.open(segment).expect("there").write_at(&[whole[before + 40] ^ 1], before as u64 + 40).expect("written");
    let (path, len) = (segment, whole.len());
    match open(&disk, 1) {
        Err(why) => assert!(matches!(why, Error::Corrupt { .. }), "{why}"),
        Ok(engine) => assert_eq!(messages(&engine, ids(&engine, 1)[0]), 2, "the same answer"),
    }
    assert_eq!(disk.map(path).expect("readable").len(), len, "nothing is cut");
}

/// Writes other used bytes into the only account record of a part and puts its crc right.
fn lie_about_used_bytes(bytes: &mut [u8]) {
    let trailer = bytes.len() - 24;
    let meta_at = u64::from_le_bytes(*bytes[trailer..].first_chunk().expect("a trailer")) as usize;
    let mut meta = Reader::new(&bytes[meta_at..trailer]);
    // Shard, part, Lsn.
    (0..3).for_each(|_| assert!(meta.varint().is_ok()));
    let table_at = meta.varint().expect("the table's place");
    let row = table_at as usize;
    let record_at = u64::from_le_bytes(*bytes[row + 8..].first_chunk().expect("a row")) as usize;
    let len = u32::from_le_bytes(*bytes[row + 16..].first_chunk().expect("a row")) as usize;
    // The account's number takes a byte, then comes the varint of what it uses.
    bytes[record_at + 1] ^= 1;
    let crc = salted_crc(0, &bytes[record_at..record_at + len - 4]);
    bytes[record_at + len - 4..record_at + len].copy_from_slice(&crc.to_le_bytes());
}

#[test]
fn sums_that_are_not_those_of_the_mailboxes_are_not_believed() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let engine = open(&disk, 1).expect("opens");
    let all = people(&engine, 1, Quota::Default);
    deliver(&engine, &all, 1, 700).targets[0].as_ref().expect("delivered");
    engine.close().expect("closes");
    drop(engine);
    let (path, mut bytes) = part(&disk);
    lie_about_used_bytes(&mut bytes);
    disk.open(&path).expect("the part").write_at(&bytes, 0).expect("written");
    let engine = open(&disk, 1).expect("records are read when they are needed");
    let why = engine.account(all[0]).expect_err("a record that contradicts itself");
    assert!(matches!(why, Error::Corrupt { .. }), "{why}");
}

#[test]
fn a_failed_start_leaves_nothing_running_behind_it() {
    let sim = SimDisk::new(2);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let engine = open(&disk, 2).expect("opens");
    let all = people(&engine, 2, Quota::Default);
    deliver(&engine, &all, 1, 700).targets.iter().for_each(|answer| assert!(answer.is_ok()));
    let disk: Arc<dyn Disk> = Arc::new(sim.crash());
    drop(engine);
    disk.open(Path::new("shards/00001/seg-0000000001.phl")).expect("there").write_at(&[0; 64], 0).expect("written");
    assert!(open(&disk, 2).is_err(), "a segment without a header");
    // The control shard and the first one have ended in order, before the lock was free.
    for dir in ["shards/control", "shards/00000"] {
        let names = disk.list(Path::new(dir)).expect("a directory");
        assert!(names.iter().any(|name| name.ends_with(".phi")), "{dir}: {names:?}");
    }
    assert!(disk.lock(Path::new("LOCK")).is_ok(), "the lock is free");
}
