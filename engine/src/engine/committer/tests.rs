//! What goes wrong beside a commit takes nothing of it away: no thread for a checkpoint, a panic in one.
use crate::base::{AccountId, Flags, MailboxId, SimClock};
use crate::delivery::{Delivery, Place, Target};
use crate::disk::sim::SimDisk;
use crate::engine::{Engine, Options};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// No thread can be started for a checkpoint.
pub(super) static NO_THREADS: AtomicBool = AtomicBool::new(false);
/// A checkpoint's thread panics.
pub(super) static PANICS: AtomicBool = AtomicBool::new(false);
/// Both are for one test at a time.
static ALONE: Mutex<()> = Mutex::new(());

const FIRST: AccountId = AccountId(1);
const SECOND: AccountId = AccountId(2);

fn open(disk: &SimDisk) -> Arc<Engine> {
    let options = Options {
        disk: Arc::new(disk.clone()),
        clock: Arc::new(SimClock::at_ms(1_700_000_000_000)),
        shards: 1,
        segment_bytes_max: 64 << 10,
        checkpoint_log_bytes: 4 << 10,
        workers: 1,
    };
    Engine::open(options).expect("opens").0
}

fn deliver(engine: &Engine, account: AccountId) {
    let message = b"Subject: one of many\r\n\r\nfew words\r\n".to_vec();
    let staged = engine.stage(Vec::new(), message).wait().expect("staged");
    let target = Target { account, place: Place::Inbox, flags: Flags::NONE, quota_bytes_max: None };
    let outcome = engine.deliver(Delivery { staged, targets: vec![target], queue: Vec::new() }).wait();
    assert!(outcome.targets[0].is_ok(), "{:?}", outcome.targets[0]);
}

fn messages(engine: &Engine, account: AccountId) -> usize {
    engine.mailbox(account, MailboxId::INBOX).map_or(0, |view| view.entries.len())
}

/// The first account gets mail while checkpoints fail in the way that `fault` says, then only the second does, until there is one.
fn a_checkpoint_fails_and_a_later_one_is_whole(fault: &AtomicBool) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let disk = SimDisk::new(3);
    let engine = open(&disk);
    fault.store(true, Ordering::Relaxed);
    (0..60).for_each(|_| deliver(&engine, FIRST));
    assert_eq!(engine.status().shards[0].checkpoint_lsn, 0, "no checkpoint could be written");
    fault.store(false, Ordering::Relaxed);
    let mut second = 0;
    while engine.status().shards[0].checkpoint_lsn == 0 {
        deliver(&engine, SECOND);
        second += 1;
        assert!(second < 10_000, "a checkpoint is tried again after some more log");
    }
    // What the committer does after the next commit it does after it has taken in the checkpoint.
    deliver(&engine, SECOND);
    second += 1;
    assert_eq!((messages(&engine, FIRST), messages(&engine, SECOND)), (60, second));
    engine.close().expect("closes");
    drop(engine);
    let engine = open(&disk);
    assert_eq!((messages(&engine, FIRST), messages(&engine, SECOND)), (60, second));
    engine.close().expect("closes");
}

#[test]
fn what_no_thread_could_be_started_for_is_in_the_next_checkpoint() {
    a_checkpoint_fails_and_a_later_one_is_whole(&NO_THREADS);
}

#[test]
fn a_panic_in_a_checkpoint_neither_loses_its_accounts_nor_holds_up_a_stop() {
    a_checkpoint_fails_and_a_later_one_is_whole(&PANICS);
}
