//! COPY in several transactions: all or nothing through refusals, through a login in its midst and through a power failure at each operation.
use crate::help::{block_on, deliver, ids, open, open_told, people};
use posthouse_engine::base::{AccountId, Error, Load, MailboxId, Uid, UidSet};
use posthouse_engine::directory::Quota;
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::{At, Copied, Engine};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Waker};

const INBOX: MailboxId = MailboxId::INBOX;
const TARGET: MailboxId = MailboxId(2);
const MESSAGES: u32 = 8;

fn filled(engine: &Engine, quota: Quota) -> AccountId {
    let account = people(engine, 1, quota)[0];
    for number in 0..MESSAGES {
        deliver(engine, &[account], number, 300).targets[0].as_ref().expect("delivered");
    }
    account
}

fn parts() -> Vec<UidSet> {
    UidSet::range(Uid(1), Uid(MESSAGES)).pieces(2)
}

async fn copied(engine: &Engine, account: AccountId) -> Result<Copied, Error> {
    engine.copy_in_parts(At::own(account, INBOX), parts(), At::own(account, TARGET)).await
}

fn there(engine: &Engine, account: AccountId) -> usize {
    engine.mailbox(account, TARGET).map_or(0, |view| view.entries.len())
}

fn noted(engine: &Engine, account: AccountId) -> usize {
    engine.account(account).map_or(0, |view| view.metadata.iter().count())
}

/// Goes on until two of the copies are there, and no further: it is polled once, and the disk lets no part be there by then.
fn begun(
    sim: &SimDisk,
    engine: &Engine,
    account: AccountId,
    copy: &mut Pin<&mut impl Future<Output = Result<Copied, Error>>>,
) {
    let mut context = Context::from_waker(Waker::noop());
    sim.set_held(true);
    let polled = copy.as_mut().poll(&mut context);
    // Before anything can fail: the store is not dropped while its disk stands still.
    sim.set_held(false);
    assert!(polled.is_pending());
    while there(engine, account) < 2 {
        std::thread::yield_now();
    }
    assert_eq!((there(engine, account), noted(engine, account)), (2, 1));
}

#[test]
fn all_parts_come_to_one_copy() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let engine = open(&disk, 1).expect("opens");
    let account = filled(&engine, Quota::Default);
    let made = block_on(copied(&engine, account)).expect("copied");
    let all = UidSet::range(Uid(1), Uid(MESSAGES));
    assert_eq!((made.from, made.to), (all.clone(), all));
    assert_eq!((there(&engine, account), noted(&engine, account)), (8, 0));
    // Nobody holds the copies any more.
    let moved = engine.move_entries(account, TARGET, UidSet::range(Uid(1), Uid(9)), INBOX).wait().expect("moved");
    assert_eq!(moved.from.len(), 8);
}

#[test]
fn a_part_that_is_refused_takes_the_others_with_it() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(2));
    let engine = open(&disk, 1).expect("opens");
    let account = filled(&engine, Quota::Bytes(4000));
    let before = engine.account(account).expect("open").load();
    assert!(4000 - before.bytes > 2 * before.bytes / u64::from(MESSAGES), "two fit in");
    let refused = block_on(copied(&engine, account));
    assert!(matches!(refused, Err(Error::OverQuota { quota_bytes_max: 4000, .. })), "{refused:?}");
    assert_eq!((there(&engine, account), noted(&engine, account)), (0, 0));
    assert_eq!(engine.account(account).expect("open").load(), before);
    let target = engine.mailbox(account, TARGET).expect("there");
    assert!(target.uid_next > Uid(1), "something was begun, and its uids are not given again");
    let more = Load { bytes: before.bytes, messages: 1 };
    assert!(matches!(engine.check_room(account, more), Err(Error::OverQuota { .. })));
    assert!(engine.check_room(account, Load { bytes: 1, messages: 1 }).is_ok());
}

#[test]
fn a_login_in_the_midst_takes_nothing_back_and_nobody_moves_the_copies() {
    let sim = SimDisk::new(3);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let engine = open(&disk, 1).expect("opens");
    let account = filled(&engine, Quota::Default);
    let mut copy = pin!(copied(&engine, account));
    begun(&sim, &engine, account, &mut copy);
    block_on(engine.finish_moves(account)).expect("nothing is to be ended");
    let moved = engine.move_entries(account, TARGET, UidSet::range(Uid(1), Uid(1)), INBOX).wait();
    assert!(matches!(moved, Err(Error::Busy)), "{moved:?}");
    assert_eq!(there(&engine, account), 2);
    // Who removes them may.
    engine.remove(account, TARGET, UidSet::range(Uid(1), Uid(1))).wait().expect("removed");
    block_on(copy).expect("copied");
    assert_eq!((there(&engine, account), noted(&engine, account)), (7, 0));
}

#[test]
fn what_nobody_goes_on_with_is_taken_back_at_the_next_login() {
    let sim = SimDisk::new(4);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let engine = open(&disk, 1).expect("opens");
    let account = filled(&engine, Quota::Default);
    {
        let mut copy = pin!(copied(&engine, account));
        begun(&sim, &engine, account, &mut copy);
    }
    block_on(engine.finish_moves(account)).expect("taken back");
    assert_eq!((there(&engine, account), noted(&engine, account)), (0, 0));
}

#[test]
fn a_crash_leaves_all_copies_or_none() {
    let quiet = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |info| {
        if !info.to_string().contains("a good change") && !info.to_string().contains("delivered") {
            quiet(info);
        }
    }));
    let run = |disk: &Arc<dyn Disk>| {
        let engine = open(disk, 1).ok()?;
        let filled = || filled(&engine, Quota::Default);
        let account = std::panic::catch_unwind(std::panic::AssertUnwindSafe(filled)).ok()?;
        Some(block_on(copied(&engine, account)).is_ok())
    };
    let sim = SimDisk::new(0);
    assert_eq!(run(&(Arc::new(sim.clone()) as Arc<dyn Disk>)), Some(true), "a quiet disk");
    let (mut taken_back, mut whole) = (0, 0);
    for at in 0..sim.ops() {
        let sim = SimDisk::new(at);
        sim.crash_at(at);
        let done = run(&(Arc::new(sim.clone()) as Arc<dyn Disk>));
        let after: Arc<dyn Disk> = Arc::new(sim.crash());
        let (engine, told) = open_told(&after, 1).unwrap_or_else(|why| panic!("crash at {at}: {why}"));
        taken_back += told.iter().filter(|line| line.contains("has been taken back")).count();
        let Some(done) = done else { continue };
        let account = ids(&engine, 1)[0];
        // What stood in a checkpoint is found at the login.
        let _ = block_on(engine.finish_moves(account));
        let found = there(&engine, account);
        whole += usize::from(found > 0);
        assert!(found == 0 || found == MESSAGES as usize, "crash at {at}: {found} copies");
        assert!(!done || found > 0, "crash at {at}: what was answered is gone");
        assert_eq!(noted(&engine, account), 0, "crash at {at}");
    }
    assert!(taken_back > 0 && whole > 0, "{taken_back} taken back, {whole} whole");
}
