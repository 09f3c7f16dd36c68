//! Compaction: less room, the same store, for those who read meanwhile, after every kind of start, from the segments alone.
use crate::help::{deliver, ids, message, people};
use posthouse_engine::base::{AccountId, Error, FlagMode, Flags, MailboxId, SimClock, Uid, UidSet};
use posthouse_engine::delivery::{Delivery, Place, Target};
use posthouse_engine::directory::Quota;
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::{Fault, SimDisk};
use posthouse_engine::index::Entry;
use posthouse_engine::queue::NewQueueItem;
use posthouse_engine::{Compact, CompactStatus, Engine, Options, Store, Ticket};
use std::future::Future;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::task::{Context, Poll, Waker};

const BYTES: usize = 900;
const DAY_MS: i64 = 24 * 60 * 60 * 1000;

struct House {
    disk: Arc<dyn Disk>,
    clock: Arc<SimClock>,
}

impl House {
    fn new(seed: u64) -> House {
        House { disk: Arc::new(SimDisk::new(seed)), clock: Arc::new(SimClock::at_ms(1_700_000_000_000)) }
    }

    fn open(&self) -> Arc<Engine> {
        let options = Options {
            disk: self.disk.clone(),
            clock: self.clock.clone(),
            shards: 2,
            segment_bytes_max: 8 << 10,
            checkpoint_log_bytes: 12 << 10,
            workers: 1,
        };
        Engine::open(options).expect("opens").0
    }

    /// Closes and opens: a checkpoint covers everything, so every sealed segment may be compacted.
    fn reopen(&self, engine: Arc<Engine>) -> Arc<Engine> {
        engine.close().expect("closes");
        drop(engine);
        self.open()
    }

    fn names(&self, start: &str) -> Vec<String> {
        let mut all = Vec::new();
        for shard in 0..2 {
            let dir = PathBuf::from(format!("shards/{shard:05}"));
            let names = self.disk.list(&dir).expect("listed");
            all.extend(
                names
                    .into_iter()
                    .filter(|name| name.starts_with(start))
                    .map(|name| dir.join(name).display().to_string()),
            );
        }
        all
    }

    fn remove(&self, start: &str) {
        self.names(start).iter().for_each(|name| self.disk.remove(Path::new(name)).expect("removed"));
    }

    fn log_bytes(&self) -> usize {
        let sizes = ["seg-", "cold-"].map(|start| {
            self.names(start).iter().map(|name| self.disk.map(Path::new(name)).expect("mapped").len()).sum::<usize>()
        });
        sizes.iter().sum()
    }
}

fn all_of_it(keep_ms: i64) -> Compact {
    Compact { cold_after_ms: 0, dead_percent: 10, bytes_per_second: 0, keep_ms, leave_free_bytes: 0 }
}

fn compact(engine: &Engine, request: Compact) -> CompactStatus {
    engine.compact(request).wait().expect("compacted")
}

/// Everything that a client can see of an account, messages and summaries included.
fn show(engine: &Engine, account: AccountId) -> String {
    let view = engine.account(account).expect("open");
    let mut text = format!("{} {} {:?}\n", view.used_bytes, view.messages, view.subscriptions);
    for mailbox in &view.mailboxes {
        let head = (&mailbox.name, mailbox.uid_validity, mailbox.uid_next, mailbox.highest_modseq, mailbox.unseen);
        text += &format!("{head:?} {} {} {:?}\n", mailbox.deleted, mailbox.size_bytes, mailbox.keywords);
        for entry in mailbox.entries.range(0..mailbox.entries.len()) {
            let entry = entry.expect("readable");
            let whole = engine.message(account, &entry).wait().unwrap_or_else(|why| panic!("{entry:?}: {why}"));
            let summary = engine.summary(account, &entry).unwrap_or_else(|why| panic!("{entry:?}: {why}"));
            text += &format!("  {entry:?} {:08x} {:08x}\n", crc(&whole), crc(&summary));
        }
    }
    text
}

fn crc(bytes: &[u8]) -> u32 {
    bytes.iter().fold(7, |hash: u32, byte| hash.wrapping_mul(16_777_619) ^ u32::from(*byte))
}

fn shown(engine: &Engine) -> Vec<String> {
    let mut all: Vec<String> = ids(engine, 3).into_iter().map(|id| show(engine, id)).collect();
    all.push(format!("{:?}", engine.queue()));
    all
}

/// Mail for three accounts, copies, flags, a mailbox that goes, a queue item, expunged mail; answers entries that are gone now.
fn fill(engine: &Engine) -> (AccountId, Vec<Entry>) {
    let all = people(engine, 3, Quota::Unlimited);
    for number in 0..90 {
        let to = if number % 6 == 0 { &all[..] } else { &all[(number % 3) as usize..][..1] };
        deliver(engine, to, number, BYTES).targets.into_iter().for_each(|answer| assert!(answer.is_ok(), "{answer:?}"));
        if number == 30 {
            assert!(engine.train_dictionary());
        }
    }
    let staged = engine.stage(Vec::new(), message(1000, BYTES)).wait().expect("staged");
    let item = NewQueueItem { sender: "a@b".into(), ..NewQueueItem::default() };
    engine.deliver(Delivery { staged, targets: Vec::new(), queue: vec![item] }).wait().queued.expect("queued");
    let (account, inbox) = (all[0], MailboxId::INBOX);
    let some = UidSet::range(Uid(3), Uid(12));
    let work = engine.create_mailbox(account, "Work/项目", None).wait().expect("made");
    engine.copy(account, inbox, some.clone(), work).wait().expect("copied");
    let gone = engine.create_mailbox(account, "Gone", None).wait().expect("made");
    engine.move_entries(account, inbox, UidSet::range(Uid(13), Uid(20)), gone).wait().expect("moved");
    engine.delete_mailbox(account, "Gone").wait().expect("deleted");
    let store = Store {
        uids: UidSet::range(Uid(1), Uid(9)),
        mode: FlagMode::Add,
        flags: Flags::SEEN,
        keywords: vec!["Later".into()],
        unchanged_since: None,
    };
    engine.store(account, inbox, store).wait().expect("stored");
    let view = engine.mailbox(all[1], inbox).expect("INBOX");
    let expunged = UidSet::range(Uid(2), Uid(20));
    let entries = view.entries.in_uids(&expunged).map(|found| found.expect("readable").1).collect();
    engine.remove(all[1], inbox, expunged).wait().expect("removed");
    engine.remove(account, inbox, some).wait().expect("removed");
    // What follows pushes all of it into sealed segments.
    for number in 90..120 {
        deliver(engine, &all, number, BYTES)
            .targets
            .into_iter()
            .for_each(|answer| assert!(answer.is_ok(), "{answer:?}"));
    }
    (all[1], entries)
}

#[test]
fn a_compacted_store_is_the_same_store_in_less_room() {
    let house = House::new(41);
    let engine = house.open();
    let (account, dead) = fill(&engine);
    let engine = house.reopen(engine);
    let before = shown(&engine);
    let (bytes_before, segments) = (house.log_bytes(), house.names("seg-").len());
    let done = compact(&engine, all_of_it(DAY_MS));
    assert!(done.proven > 0 && done.proven == done.messages, "{done:?}");
    assert_eq!(done.segments_done, segments as u64, "the last ones are cold too, and were sealed for it: {done:?}");
    assert!(done.bytes_after * 10 < done.bytes_before * 7, "{done:?}");
    assert_eq!(shown(&engine), before, "while it is open");
    for entry in &dead {
        let whole = engine.message(account, entry).wait().expect("an old view still reads what is expunged");
        assert_eq!(whole.len(), entry.size_bytes as usize);
    }
    assert!(house.log_bytes() > bytes_before, "what was replaced is still there");
    let engine = house.reopen(engine);
    assert_eq!(shown(&engine), before, "with a checkpoint");
    engine.close().expect("closes");
    drop(engine);
    house.remove("idx-");
    let engine = house.open();
    assert_eq!(shown(&engine), before, "from the segments alone");
    let lost = engine.message(account, &dead[0]).wait().map(|whole| whole.len());
    assert!(matches!(lost, Err(Error::NotFound(_))), "dead is dead: {lost:?}");
    let again = compact(&engine, all_of_it(DAY_MS));
    assert_eq!((again.segments_chosen, again.removed_bytes), (0, 0), "nothing is left to do: {again:?}");
    house.clock.advance_ms(DAY_MS);
    let later = compact(&engine, all_of_it(DAY_MS));
    assert!(later.removed_bytes > 0 && later.retired_bytes == 0, "{later:?}");
    assert_eq!(house.names("seg-").len(), 2, "each shard's last segment");
    assert!(house.log_bytes() * 10 < bytes_before * 8, "{} of {bytes_before} bytes", house.log_bytes());
    assert_eq!(shown(&engine), before, "without the old files");
    engine.close().expect("closes");
    drop(engine);
    house.remove("idx-");
    let engine = house.open();
    assert_eq!(shown(&engine), before, "from the compacted segments alone");
}

/// Keeps the only worker busy until what is given back is dropped.
fn busy_worker(engine: &Engine) -> (Sender<()>, Ticket<Result<(), Error>>) {
    let (go, gate) = channel::<()>();
    (go, engine.work(move || gate.recv().unwrap_or_default()))
}

#[test]
fn a_block_is_unpacked_by_a_worker_once_for_its_messages() {
    let house = House::new(47);
    let engine = house.open();
    fill(&engine);
    let engine = house.reopen(engine);
    compact(&engine, all_of_it(-1));
    let engine = house.reopen(engine);
    let account = ids(&engine, 3)[0];
    let entries = engine.mailbox(account, MailboxId::INBOX).expect("INBOX").entries.clone();
    let all: Vec<Entry> = entries.range(0..entries.len()).map(|entry| entry.expect("readable")).collect();
    let is_ready = |entry: &Entry| {
        let mut ticket = engine.message(account, entry);
        matches!(Pin::new(&mut ticket).poll(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(_)))
    };
    let (go, busy) = busy_worker(&engine);
    // The newest may lie in a frame of its own still.
    assert!(all.iter().take(30).all(|entry| !is_ready(entry)), "whoever asks has others to serve");
    drop(go);
    busy.wait().expect("done");
    let first = engine.message(account, &all[0]).wait().expect("read");
    let (go, busy) = busy_worker(&engine);
    let at_hand = all.iter().filter(|entry| is_ready(entry)).count();
    assert!(at_hand > 5 && is_ready(&all[0]), "{at_hand} of {} at hand", all.len());
    assert!(first[..] == engine.message(account, &all[0]).wait().expect("at hand")[..]);
    drop(go);
    busy.wait().expect("done");
}

#[test]
fn what_dies_later_goes_with_the_next_compaction_and_numbers_are_never_used_again() {
    let house = House::new(42);
    let engine = house.open();
    fill(&engine);
    let engine = house.reopen(engine);
    compact(&engine, all_of_it(0));
    let (account, inbox) = (ids(&engine, 3)[2], MailboxId::INBOX);
    let view = engine.mailbox(account, inbox).expect("INBOX");
    let last = view.entries.get(view.entries.len() - 1).expect("readable").uid;
    engine.remove(account, inbox, UidSet::range(Uid(2), last)).wait().expect("removed");
    for number in 200..260 {
        let to = &ids(&engine, 3)[..2];
        deliver(&engine, to, number, BYTES)
            .targets
            .into_iter()
            .for_each(|answer| assert!(answer.is_ok(), "{answer:?}"));
    }
    let engine = house.reopen(engine);
    let before = shown(&engine);
    let only_dead =
        Compact { cold_after_ms: i64::MAX, dead_percent: 15, bytes_per_second: 0, keep_ms: 0, leave_free_bytes: 0 };
    let done = compact(&engine, only_dead);
    assert!(done.segments_done > 0 && done.bytes_after < done.bytes_before, "{done:?}");
    compact(&engine, Compact { keep_ms: -1, ..only_dead });
    assert_eq!(shown(&engine), before);
    engine.close().expect("closes");
    drop(engine);
    house.remove("idx-");
    let engine = house.open();
    assert_eq!(shown(&engine), before, "from the segments alone");
    let next = engine.mailbox(account, inbox).expect("INBOX").uid_next;
    let told = deliver(&engine, &[account], 300, BYTES).targets.remove(0).expect("delivered").uid;
    assert!(told == next && told > last, "{told} after {last}");
}

#[test]
fn a_run_waits_when_it_is_told_to_and_stops_with_the_house() {
    let house = House::new(43);
    let engine = house.open();
    fill(&engine);
    let engine = house.reopen(engine);
    let before = shown(&engine);
    engine.compact_pause(true);
    let run = engine.compact(all_of_it(DAY_MS));
    assert!(matches!(engine.compact(all_of_it(DAY_MS)).wait(), Err(Error::Busy)), "one at a time");
    let status = engine.compact_status();
    assert!(status.running && status.paused && status.segments_done == 0, "{status:?}");
    let account = ids(&engine, 3)[0];
    deliver(&engine, &[account], 400, BYTES).targets.remove(0).expect("mail comes in meanwhile");
    engine.close().expect("closes");
    assert!(matches!(run.wait(), Err(Error::Closed)));
    drop(engine);
    let engine = house.open();
    assert_eq!(house.names("cold-").len(), 0);
    assert_eq!(shown(&engine)[1..], before[1..]);
    let done = compact(&engine, all_of_it(DAY_MS));
    assert!(done.segments_done > 0, "run again, it does what was left: {done:?}");
}

#[test]
fn damage_in_what_is_read_stops_the_run_and_replaces_nothing() {
    let house = House::new(44);
    let engine = house.open();
    fill(&engine);
    engine.close().expect("closes");
    drop(engine);
    let victim = house.names("seg-").remove(0);
    let map = house.disk.map(Path::new(&victim)).expect("mapped");
    let at = map.windows(4).position(|four| four == [0x28, 0xb5, 0x2f, 0xfd]).expect("a zstd frame") + 40;
    let file = house.disk.open(Path::new(&victim)).expect("opens");
    file.write_at(&[map[at] ^ 0x55], at as u64).expect("written");
    file.sync_data().expect("synced");
    let engine = house.open();
    let failed = engine.compact(all_of_it(DAY_MS)).wait().expect_err("it cannot be read");
    assert!(matches!(&failed, Error::Corrupt { file, .. } if file.contains("seg-")), "{failed}");
    assert!(engine.compact_status().failed.is_some());
    assert!(house.disk.map(Path::new(&victim)).is_ok(), "the damaged file is left for repair");
    assert!(house.names("compacting").is_empty(), "what was begun is gone");
}

#[test]
fn a_file_that_is_no_segment_is_not_removed() {
    let house = House::new(45);
    let engine = house.open();
    fill(&engine);
    let engine = house.reopen(engine);
    compact(&engine, all_of_it(DAY_MS));
    let old = house.names("seg-").remove(0);
    let file = house.disk.open(Path::new(&old)).expect("opens");
    file.write_at(b"somebody's own file, by chance of that name", 0).expect("written");
    let refused = engine.compact(all_of_it(-1)).wait();
    assert!(matches!(refused, Err(Error::Corrupt { .. })), "{refused:?}");
    assert!(house.disk.map(Path::new(&old)).is_ok());
}

/// Flags and targets are used by the helper only through `deliver`; a delivery to a named mailbox survives as well.
#[test]
fn a_message_to_many_accounts_stays_one() {
    let house = House::new(46);
    let engine = house.open();
    let all = people(&engine, 3, Quota::Unlimited);
    for number in 0..60 {
        let staged = engine.stage(Vec::new(), message(number, 2000)).wait().expect("staged");
        let target = |account: &AccountId| Target {
            account: *account,
            place: Place::Named("Lists".into()),
            flags: Flags::NONE,
            bound: None,
        };
        let delivery = Delivery { staged, targets: all.iter().map(target).collect(), queue: Vec::new() };
        engine.deliver(delivery).wait().targets.into_iter().for_each(|answer| assert!(answer.is_ok(), "{answer:?}"));
    }
    let engine = house.reopen(engine);
    let before = shown(&engine);
    let done = compact(&engine, all_of_it(-1));
    assert!(done.messages <= 120, "one for each shard, not for each account: {done:?}");
    assert_eq!(shown(&engine), before);
}

#[test]
fn a_disk_with_too_little_room_is_left_alone_and_says_why() {
    let disk = SimDisk::new(47);
    let house = House { disk: Arc::new(disk.clone()), clock: Arc::new(SimClock::at_ms(1_700_000_000_000)) };
    let engine = house.open();
    fill(&engine);
    let engine = house.reopen(engine);
    let before = shown(&engine);
    let request = Compact { leave_free_bytes: 3 << 20, ..all_of_it(DAY_MS) };
    // What the segments become and what is to stay free are asked for together.
    disk.set_free_bytes((4 << 20) + 10_000);
    let left = compact(&engine, request);
    let why = left.left.as_deref().unwrap_or_default();
    assert!(why.contains("too little room") && why.contains("3145728 are to stay free"), "{left:?}");
    assert!(left.segments_chosen > 0 && left.segments_done == 0 && left.failed.is_none(), "{left:?}");
    assert_eq!((house.names("cold-").len(), house.names("compacting").len()), (0, 0));
    disk.set_free_bytes(8 << 20);
    let done = compact(&engine, request);
    assert!(done.left.is_none() && done.segments_done == done.segments_chosen, "{done:?}");
    // What was replaced is still kept, so it is not free; it is when its time is over.
    let taken = (8 << 20) - disk.free_bytes().expect("known");
    assert!(taken >= done.bytes_after && taken < done.bytes_before, "{taken} bytes: {done:?}");
    compact(&engine, Compact { keep_ms: -1, ..request });
    assert!(disk.free_bytes().expect("known") > 8 << 20);
    assert_eq!(shown(&engine), before);
}

fn sent(engine: &Engine, to: &[AccountId], number: u32) {
    let answers = deliver(engine, to, number, BYTES).targets;
    answers.into_iter().for_each(|answer| assert!(answer.is_ok(), "{answer:?}"));
}

#[test]
fn a_growing_segment_is_sealed_when_it_is_old_and_worth_it() {
    let house = House::new(48);
    let engine = house.open();
    let all = people(&engine, 3, Quota::Unlimited);
    sent(&engine, &all[..1], 1);
    let little = compact(&engine, all_of_it(DAY_MS));
    assert_eq!((little.segments_chosen, house.names("cold-").len()), (0, 0), "not worth a file: {little:?}");
    (2..12).for_each(|number| sent(&engine, &all, number));
    let before = shown(&engine);
    let young = compact(&engine, Compact { cold_after_ms: DAY_MS, ..all_of_it(DAY_MS) });
    assert_eq!(young.segments_chosen, 0, "it is not old: {young:?}");
    house.clock.advance_ms(DAY_MS);
    let done = compact(&engine, Compact { cold_after_ms: DAY_MS, ..all_of_it(DAY_MS) });
    assert!(done.segments_done >= 2 && done.messages > 0, "{done:?}");
    assert_eq!(shown(&engine), before);
    sent(&engine, &all, 20);
    let before = shown(&engine);
    let engine = house.reopen(engine);
    assert_eq!(shown(&engine), before, "with a checkpoint");
    engine.close().expect("closes");
    drop(engine);
    house.remove("idx-");
    assert_eq!(shown(&house.open()), before, "from the segments alone");
}

#[test]
fn a_disk_that_fills_while_a_segment_is_sealed_loses_nothing() {
    let (mut ops, mut at) = (1, 0);
    while at < ops {
        let disk = SimDisk::new(49);
        let house = House { disk: Arc::new(disk.clone()), clock: Arc::new(SimClock::at_ms(1_700_000_000_000)) };
        let engine = house.open();
        let all = people(&engine, 3, Quota::Unlimited);
        (0..12).for_each(|number| sent(&engine, &all, number));
        let (before, first) = (shown(&engine), disk.ops());
        disk.fail_at(first + at, Fault::NoSpace);
        // It may say so, or find nothing to do.
        let _ = engine.compact(all_of_it(DAY_MS)).wait();
        ops = ops.max((disk.ops() - first).min(60));
        assert_eq!(shown(&engine), before, "call {at} of the run");
        // The last segment may be sealed with none behind it; a file that could not be cut has closed its shard.
        let _ = engine.close();
        drop(engine);
        let engine = house.open();
        assert_eq!(shown(&engine), before, "call {at}, opened again");
        compact(&engine, all_of_it(DAY_MS));
        let engine = house.reopen(engine);
        assert_eq!(shown(&engine), before, "call {at}, compacted and opened again");
        sent(&engine, &all, 40);
        at += 1;
    }
    assert!(ops > 10, "{ops}");
}
