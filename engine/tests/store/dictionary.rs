//! Fresh mail is compressed with a dictionary that its shards keep: less room, the same bytes back, after a restart and from the segments alone.
use crate::help::{deliver, ids, message, open, people};
use posthouse_engine::base::{AccountId, Error, Flags, MailboxId, ShardId, SimClock};
use posthouse_engine::delivery::Dictionaries;
use posthouse_engine::directory::Quota;
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::index::mime::{SummaryRef, summarize};
use posthouse_engine::log::{FrameKind, LogOptions, Segments};
use posthouse_engine::{Append, Engine};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const BYTES: usize = 900;

fn log_bytes(engine: &Engine) -> u64 {
    engine.status().shards.iter().map(|shard| shard.log_bytes).sum()
}

fn trained(engine: &Engine, account: AccountId) {
    for number in 0..60 {
        deliver(engine, &[account], number, BYTES).targets[0].as_ref().expect("delivered");
    }
    assert!(engine.train_dictionary(), "sixty mails of one kind have something in common");
}

/// Every message of an INBOX is what was delivered, summaries too.
fn check(engine: &Engine, account: AccountId, numbers: &[u32]) {
    let view = engine.mailbox(account, MailboxId::INBOX).expect("INBOX");
    assert_eq!(view.entries.len(), numbers.len());
    for (entry, number) in view.entries.range(0..numbers.len()).zip(numbers) {
        let entry = entry.expect("readable");
        let wanted = [&b"Return-Path: <>\r\n"[..], &message(*number, BYTES)].concat();
        assert_eq!(&engine.message(account, &entry).wait().expect("read")[..], wanted, "message {number}");
        let bytes = engine.summary(account, &entry).expect("read");
        let (mut again, found) = (Vec::new(), SummaryRef::decode(&bytes).expect("a summary"));
        summarize(&wanted).encode(&mut again);
        assert_eq!((&bytes[..], found.envelope()), (&again[..], SummaryRef::decode(&again).expect("whole").envelope()));
    }
}

/// Kind and dictionary of every frame of a shard's log, read without the engine.
fn frames(disk: &Arc<dyn Disk>, shard: u16) -> (Vec<(FrameKind, u16)>, Arc<Segments>) {
    let dir = PathBuf::from(format!("shards/{shard:05}"));
    let options = LogOptions { shard: ShardId(shard), dir, segment_bytes_max: 1 << 20, epoch: 1, writes_ahead: false };
    let clock = Arc::new(SimClock::at_ms(0));
    let opened = posthouse_engine::log::open(disk.clone(), clock, options, Default::default(), &mut |_, _| Ok(()));
    let segments = opened.expect("opens").1;
    let all = segments.frames(Default::default());
    (all.map(|frame| frame.map(|(_, _, frame)| (frame.kind, frame.dictionary)).expect("whole")).collect(), segments)
}

#[test]
fn mail_takes_less_room_and_comes_back_after_every_kind_of_start() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(21));
    let engine = open(&disk, 3).expect("opens");
    let all = people(&engine, 3, Quota::Default);
    let shard_of = |account: AccountId| (account.0 % 3) as u16;
    trained(&engine, all[0]);
    let before = log_bytes(&engine);
    (60..120).for_each(|number| assert!(deliver(&engine, &all[..1], number, BYTES).targets[0].is_ok()));
    let with = log_bytes(&engine) - before;
    assert!(with < before * 8 / 10, "{with} bytes with a dictionary, {before} without and for the accounts");
    deliver(&engine, &all, 120, BYTES).targets.iter().for_each(|answer| assert!(answer.is_ok()));
    let staged = engine.stage(b"Return-Path: <>\r\n".to_vec(), message(121, BYTES)).wait().expect("staged");
    let append = Append { staged, flags: Flags::NONE, keywords: Vec::new(), internal_date: None };
    engine.append(all[2], MailboxId::INBOX, vec![append]).wait().expect("appended");
    let first: Vec<u32> = (0..121).collect();
    let inboxes: [&[u32]; 3] = [&first, &[120], &[120, 121]];
    let checked = |engine: &Engine| inboxes.iter().zip(&all).for_each(|(numbers, id)| check(engine, *id, numbers));
    checked(&engine);
    engine.close().expect("closes");
    drop(engine);
    for id in &all {
        let (frames, segments) = frames(&disk, shard_of(*id));
        let dictionary = frames.iter().position(|frame| *frame == (FrameKind::Dictionary, 1)).expect("a dictionary");
        let user = frames.iter().position(|frame| *frame == (FrameKind::Message, 1)).expect("a message that uses it");
        assert!(dictionary < user, "the dictionary stands before who needs it");
        assert_eq!(frames.iter().filter(|frame| frame.0 == FrameKind::Dictionary).count(), 1, "once a shard");
        let scanned = Dictionaries::scan(&segments).expect("readable");
        assert!(scanned.get(&segments, 1).expect("whole").is_some());
        assert!(matches!(scanned.get(&segments, 2), Err(Error::NotFound(_))));
    }
    for rebuilt in [false, true] {
        if rebuilt {
            for shard in 0..3 {
                let dir = PathBuf::from(format!("shards/{shard:05}"));
                for name in disk.list(&dir).expect("listed").iter().filter(|name| name.starts_with("idx-")) {
                    disk.remove(&dir.join(name)).expect("removed");
                }
            }
        }
        let engine = open(&disk, 3).expect("opens");
        checked(&engine);
        let account = ids(&engine, 3)[0];
        let number = 200 + u32::from(rebuilt);
        deliver(&engine, &[account], number, BYTES).targets[0].as_ref().expect("delivered");
        let uids =
            posthouse_engine::base::UidSet::range(posthouse_engine::base::Uid(122), posthouse_engine::base::Uid(200));
        engine.remove(account, MailboxId::INBOX, uids).wait().expect("removed");
        engine.close().expect("closes");
        drop(engine);
        let frames = frames(&disk, shard_of(account)).0;
        let newest: Vec<_> = frames.iter().filter(|frame| frame.0 == FrameKind::Message).rev().take(1).collect();
        assert_eq!(newest, [&(FrameKind::Message, 1)], "a restart goes on with the dictionary there is");
        assert_eq!(frames.iter().filter(|frame| frame.0 == FrameKind::Dictionary).count(), 1);
    }
}

#[test]
fn a_dictionary_that_found_no_room_is_written_with_the_next_group() {
    let sim = SimDisk::new(22);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let engine = open(&disk, 1).expect("opens");
    let all = people(&engine, 1, Quota::Default);
    trained(&engine, all[0]);
    sim.set_free_bytes(300);
    let refused = deliver(&engine, &all, 60, BYTES);
    assert!(matches!(refused.targets[0], Err(Error::NoSpace)), "{refused:?}");
    sim.set_free_bytes(u64::MAX);
    (60..64).for_each(|number| assert!(deliver(&engine, &all, number, BYTES).targets[0].is_ok()));
    let numbers: Vec<u32> = (0..64).collect();
    check(&engine, all[0], &numbers);
    engine.close().expect("closes");
    drop(engine);
    let engine = open(&disk, 1).expect("opens");
    check(&engine, all[0], &numbers);
}

/// Makes a segment say that it is of format version 1, as every store that was made before had it.
fn make_old(disk: &Arc<dyn Disk>, path: &Path) {
    let file = disk.open(path).expect("opens");
    let mut header = [0; 64];
    file.read_exact_at(&mut header, 0).expect("read");
    header[8..12].copy_from_slice(&[1, 0, 1, 0]);
    // CRC-32 by the book; the engine has its own.
    let mut crc = u32::MAX;
    for byte in &header[..60] {
        crc = (0..8).fold(crc ^ u32::from(*byte), |crc, _| crc >> 1 ^ (0xedb8_8320 & (crc & 1).wrapping_neg()));
    }
    header[60..].copy_from_slice(&(!crc).to_le_bytes());
    file.write_at(&header, 0).expect("written");
    file.sync_data().expect("synced");
}

#[test]
fn a_store_of_the_version_before_opens_and_goes_on_in_a_segment_of_this_version() {
    for empty in [false, true] {
        let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(23));
        let engine = open(&disk, 1).expect("opens");
        let all = people(&engine, 1, Quota::Default);
        let count = if empty { 0 } else { 5 };
        (0..count).for_each(|number| assert!(deliver(&engine, &all, number, BYTES).targets[0].is_ok()));
        engine.close().expect("closes");
        drop(engine);
        let first = Path::new("shards/00000/seg-0000000001.phl");
        make_old(&disk, first);
        let engine = open(&disk, 1).expect("opens");
        assert_eq!(
            disk.list(Path::new("shards/00000")).expect("listed").iter().filter(|name| name.ends_with("phl")).count(),
            1
        );
        (count..9).for_each(|number| assert!(deliver(&engine, &all, number, BYTES).targets[0].is_ok()));
        engine.close().expect("closes");
        drop(engine);
        let engine = open(&disk, 1).expect("opens");
        check(&engine, all[0], &(0..9).collect::<Vec<u32>>());
        let version = |name: &str| disk.map(Path::new(name)).expect("mapped")[8];
        assert_eq!((version("shards/00000/seg-0000000001.phl"), version("shards/00000/seg-0000000002.phl")), (1, 2));
    }
}
