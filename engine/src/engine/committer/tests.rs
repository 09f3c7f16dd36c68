//! What goes wrong beside a commit takes nothing of it away: no thread for a checkpoint, a panic in one, a request that fails halfway.
use crate::base::limits::{FRAME_PAYLOAD_BYTES_MAX, GROUP_REQUESTS_MAX};
use crate::base::{AccountId, Error, Flags, MailboxId, Result, SimClock};
use crate::delivery::{Delivery, Place, Target};
use crate::disk::sim::SimDisk;
use crate::engine::ops::append::plan;
use crate::engine::txn::Txn;
use crate::engine::{Append, Appended, At, Engine, Options, Ticket};
use crate::format::Event;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
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
    let target = Target { account, place: Place::Inbox, flags: Flags::NONE, bound: None };
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

/// Asks for things while the committer waits, so that it takes all of them into one group.
fn as_one_group<T>(engine: &Engine, ask: impl FnOnce() -> T) -> T {
    let ((go, wait), (here, begun)) = (channel::<()>(), channel::<()>());
    let held = engine.shards[0].committer.submit(move |_| {
        let _ = here.send(());
        // Planned again, it does not wait again.
        let _ = wait.recv();
        Ok(())
    });
    begun.recv().expect("the committer has it");
    let asked = ask();
    drop(go);
    held.wait().expect("nothing to do");
    asked
}

fn append(engine: &Engine, account: AccountId, count: usize) -> Vec<Append> {
    let one = |at: usize| {
        let message = format!("Subject: {account}, {at}\r\n\r\nfew words\r\n").into_bytes();
        let staged = engine.stage(Vec::new(), message).wait().expect("staged");
        Append { staged, flags: Flags::NONE, keywords: Vec::new(), internal_date: None }
    };
    (0..count).map(one).collect()
}

/// APPEND without a quota: the directory does not know these accounts.
fn ask(engine: &Engine, account: AccountId, messages: Vec<Append>) -> Ticket<Result<Appended>> {
    let plan = move |txn: &mut Txn<'_>| plan(txn, At::own(account, MailboxId::INBOX), &messages, None);
    engine.shard(account).committer.submit(plan)
}

#[test]
fn who_asks_once_is_in_the_next_group_however_much_another_has_asked_for() {
    let engine = open(&SimDisk::new(6));
    let (planned, order) = channel();
    let asked = as_one_group(&engine, || {
        let ask = |whose: u64| {
            let planned = planned.clone();
            engine.shards[0].committer.on_behalf(whose).submit(move |_| {
                planned.send(whose).expect("the test listens");
                Ok(())
            })
        };
        let mut asked: Vec<_> = (0..2 * GROUP_REQUESTS_MAX).map(|_| ask(1)).collect();
        asked.push(ask(2));
        asked
    });
    asked.into_iter().for_each(|asked| asked.wait().expect("carried out"));
    drop(planned);
    let order: Vec<u64> = order.iter().collect();
    assert_eq!((order.len(), order.iter().position(|whose| *whose == 2)), (2 * GROUP_REQUESTS_MAX + 1, Some(1)));
}

#[test]
fn a_request_with_more_events_than_a_frame_holds_is_carried_out_and_the_others_of_its_group_too() {
    let disk = SimDisk::new(4);
    let engine = open(&disk);
    deliver(&engine, FIRST);
    let large = |txn: &mut Txn<'_>| {
        // More than EVENT_PAYLOAD_BYTES_MAX.
        (0..70_000)
            .try_for_each(|at| txn.emit(&Event::Subscribed { account: FIRST, on: at % 2 == 0, name: "x".repeat(1000) }))
    };
    let (before, large, after) = as_one_group(&engine, || {
        (
            ask(&engine, FIRST, append(&engine, FIRST, 1)),
            engine.shards[0].committer.submit(large),
            ask(&engine, SECOND, append(&engine, SECOND, 1)),
        )
    });
    before.wait().expect("appended");
    large.wait().expect("carried out");
    after.wait().expect("appended");
    engine.close().expect("closes");
    drop(engine);
    let engine = open(&disk);
    assert_eq!((messages(&engine, FIRST), messages(&engine, SECOND)), (2, 1));
}

#[test]
fn a_request_that_fails_halfway_takes_no_other_with_it() {
    let disk = SimDisk::new(5);
    let engine = open(&disk);
    deliver(&engine, FIRST);
    let contradicts = |txn: &mut Txn<'_>| {
        let opened = Event::AccountOpened { account: AccountId(3), uid_validity: 1 };
        txn.emit(&opened)?;
        txn.emit(&opened)
    };
    let mut too_large = append(&engine, FIRST, 2);
    too_large[1].staged.body = vec![0; FRAME_PAYLOAD_BYTES_MAX + 1];
    let groups = engine.status().shards[0].groups;
    let (before, bad, between, limit, after) = as_one_group(&engine, || {
        (
            ask(&engine, FIRST, append(&engine, FIRST, 1)),
            engine.shards[0].committer.submit(contradicts),
            ask(&engine, SECOND, append(&engine, SECOND, 1)),
            ask(&engine, FIRST, too_large),
            ask(&engine, SECOND, append(&engine, SECOND, 1)),
        )
    });
    for good in [before, between, after] {
        good.wait().expect("appended");
    }
    assert!(matches!(bad.wait(), Err(Error::Corrupt { .. })));
    assert!(matches!(limit.wait(), Err(Error::Limit(_))));
    assert!(engine.status().shards[0].groups > groups);
    let check = |engine: &Engine| {
        assert_eq!((messages(engine, FIRST), messages(engine, SECOND)), (2, 2), "all of a request or nothing");
        assert!(matches!(engine.account(AccountId(3)), Err(Error::NotFound(_))));
    };
    check(&engine);
    engine.close().expect("closes");
    drop(engine);
    check(&open(&disk));
}

#[test]
fn who_asks_after_the_close_hears_so() {
    let engine = open(&SimDisk::new(6));
    let late = append(&engine, FIRST, 1);
    engine.close().expect("closes");
    let answer = ask(&engine, FIRST, late).wait();
    assert!(matches!(answer, Err(Error::Closed)), "{answer:?}");
}
