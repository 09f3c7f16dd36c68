//! The queue's way through the store: an attempt's results with the report about it are one commit, what is done stays done whatever
//! crashes, an operator's actions, the feed of changes.
use crate::help::{address, message, open, people};
use posthouse_engine::base::{AccountId, Bound, Error, Flags, MailboxId, QueueId};
use posthouse_engine::delivery::{Delivery, Place, Target};
use posthouse_engine::directory::Quota;
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::format::Tried;
use posthouse_engine::queue::{Fate, NewQueueItem, QueueItem, QueueRecipient, QueueState};
use posthouse_engine::{Engine, HandOver, QueueAction, QueueChanges, Settle};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

fn queue(engine: &Engine, account: Option<AccountId>, recipients: usize) -> Option<Arc<QueueItem>> {
    let recipient = |at| QueueRecipient { address: format!("r{at}@x.test"), notify: 0, orcpt: String::new() };
    let recipients = (0..recipients).map(recipient).collect();
    let item = NewQueueItem { account, sender: "m0@example.test".into(), recipients, ..NewQueueItem::default() };
    let before: Vec<QueueId> = engine.queue().iter().map(|item| item.id).collect();
    let staged = engine.stage(Vec::new(), message(7, 300)).wait().ok()?;
    engine.deliver(Delivery { staged, targets: Vec::new(), queue: vec![item] }).wait().queued.ok()?;
    engine.queue().into_iter().find(|item| !before.contains(&item.id))
}

fn result(recipient: u32, fate: Fate) -> Tried {
    Tried { recipient, fate: fate.code(), next_try: 1_700_000_300, reply: format!("reply to {recipient}") }
}

fn report(engine: &Engine, to: AccountId) -> Option<Delivery> {
    let staged = engine.stage(b"Return-Path: <>\r\n".to_vec(), message(8, 200)).wait().ok()?;
    let target = Target { account: to, place: Place::Inbox, flags: Flags::NONE, bound: None };
    Some(Delivery { staged, targets: vec![target], queue: Vec::new() })
}

fn inbox_len(engine: &Engine, account: AccountId) -> usize {
    engine.mailbox(account, MailboxId::INBOX).map_or(0, |view| view.entries.len())
}

#[test]
fn results_are_final_and_the_last_one_takes_the_item_away() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let engine = open(&disk, 3).expect("opens");
    let account = people(&engine, 2, Quota::Default)[0];
    let item = queue(&engine, Some(account), 3).expect("queued");
    assert!(engine.holds(item.id, account), "it is kept with its sender");
    let tried = vec![result(0, Fate::Relayed), result(1, Fate::Waiting)];
    let settle = Settle { id: item.id, tried, warned: vec![1, 2], notices: Vec::new() };
    assert!(!engine.queue_settle(settle).wait().expect("noted").removed);
    engine.close().expect("closes");
    drop(engine);
    let engine = open(&disk, 3).expect("opens");
    let item = engine.queue_item(item.id).expect("it is there");
    assert_eq!((item.state, item.waiting().count()), (QueueState::Deferred, 2));
    assert_eq!((&*item.progress[0].reply, item.progress[1].attempts, item.progress[2].warned), ("reply to 0", 1, true));
    // What comes too late, and twice, is passed over.
    let tried =
        vec![result(0, Fate::Failed), result(1, Fate::Failed), result(1, Fate::Waiting), result(2, Fate::Relayed)];
    let notices = report(&engine, account).into_iter().collect();
    let settled =
        engine.queue_settle(Settle { id: item.id, tried, warned: Vec::new(), notices }).wait().expect("noted");
    assert!(settled.removed && settled.lost.is_empty());
    assert!(engine.queue_item(item.id).is_none() && inbox_len(&engine, account) == 1);
    let gone = Settle { id: item.id, tried: Vec::new(), warned: Vec::new(), notices: Vec::new() };
    assert!(engine.queue_settle(gone).wait().is_err());
}

#[test]
fn a_report_for_another_shard_is_refused_whole() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let engine = open(&disk, 3).expect("opens");
    let all = people(&engine, 2, Quota::Default);
    let item = queue(&engine, Some(all[0]), 1).expect("queued");
    let notices = report(&engine, all[1]).into_iter().collect();
    let settle = Settle { id: item.id, tried: vec![result(0, Fate::Failed)], warned: Vec::new(), notices };
    assert!(engine.queue_settle(settle).wait().is_err());
    assert_eq!((engine.queue().len(), inbox_len(&engine, all[1])), (1, 0));
}

#[test]
fn an_operator_acts_where_it_means_something_and_the_feed_tells() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let engine = open(&disk, 2).expect("opens");
    let all = people(&engine, 2, Quota::Default);
    let ids: Vec<QueueId> = all.iter().map(|who| queue(&engine, Some(*who), 1).expect("queued").id).collect();
    let watch = engine.watch_queue();
    let told = || watch.poll_changes(&mut Context::from_waker(Waker::noop()));
    let act = |ids: &[QueueId], action| -> usize {
        engine.queue_act(ids, action).into_iter().map(|ticket| ticket.wait().expect("done").len()).sum()
    };
    assert_eq!(act(&ids, QueueAction::Release), 0);
    assert!(told().is_pending(), "nothing has changed");
    assert_eq!((act(&ids[..1], QueueAction::Hold), act(&ids, QueueAction::Retry)), (1, 1));
    let Poll::Ready(QueueChanges::Items(changed)) = told() else { panic!("two items have changed") };
    assert_eq!(changed, ids);
    assert_eq!(act(&ids, QueueAction::Release), 1);
    assert_eq!(act(&[QueueId(u64::MAX), ids[1]], QueueAction::Remove), 1);
    let counts: u64 = engine.status().shards.iter().map(|shard| shard.queue.total()).sum();
    assert_eq!(counts, 1);
    assert_eq!(engine.queue_page(QueueId(0), 9, |item| item.id == ids[0]).len(), 1);
    assert!(engine.queue_page(*ids.iter().max().expect("two"), 9, |_| true).is_empty());
}

/// The work whose every disk operation is a place to crash: queue, defer, then relay and bounce in one settle.
fn work(engine: &Engine, done: &mut Vec<&'static str>) -> Option<()> {
    let account = people_or_none(engine)?;
    done.push("people");
    let item = queue(engine, Some(account), 2)?;
    done.push("queued");
    let settle =
        |tried, notices| engine.queue_settle(Settle { id: item.id, tried, warned: Vec::new(), notices }).wait().ok();
    settle(vec![result(0, Fate::Relayed), result(1, Fate::Waiting)], Vec::new())?;
    done.push("relayed");
    done.push("bouncing");
    settle(vec![result(1, Fate::Failed)], vec![report(engine, account)?])?;
    done.push("bounced");
    engine.close().ok()
}

fn people_or_none(engine: &Engine) -> Option<AccountId> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| people(engine, 1, Quota::Default)[0])).ok()
}

#[test]
fn a_crash_at_every_operation_forgets_no_result_and_parts_no_report_from_its_result() {
    let quiet = SimDisk::new(0);
    let disk: Arc<dyn Disk> = Arc::new(quiet.clone());
    work(&open(&disk, 1).expect("opens"), &mut Vec::new()).expect("a quiet disk");
    let operations = quiet.ops();
    for at in 0..operations {
        let sim = SimDisk::new(at);
        sim.crash_at(at);
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        let mut done = Vec::new();
        if let Ok(engine) = open(&disk, 1) {
            work(&engine, &mut done);
        }
        let case = format!("crash at operation {at} of {operations} after {done:?}");
        let after: Arc<dyn Disk> = Arc::new(sim.crash());
        let engine = open(&after, 1).unwrap_or_else(|why| panic!("{case}: {why}"));
        if !done.contains(&"people") {
            continue;
        }
        let account = engine.directory(|all| all.account_at(&address("m0@example.test")).map(|found| found.id));
        let reports = inbox_len(&engine, account.expect("a member"));
        let all = engine.queue();
        match all.as_slice() {
            [item] => {
                assert!(!done.contains(&"bounced"), "{case}: what was done is back");
                assert_eq!(reports, 0, "{case}: a report of what was not noted");
                let relayed = item.progress[0].fate == Fate::Relayed;
                assert!(relayed || !done.contains(&"relayed"), "{case}: it would be sent twice");
            }
            [] => {
                assert!(!done.contains(&"queued") || done.contains(&"bouncing"), "{case}: the message is lost");
                assert_eq!(reports, usize::from(done.contains(&"bouncing")), "{case}: off the queue without a report");
            }
            more => panic!("{case}: {} items", more.len()),
        }
    }
}

fn hand_over(engine: &Engine, item: &QueueItem, account: AccountId, bound: Option<Bound>) -> Result<bool, Error> {
    let staged = engine.stage(Vec::new(), message(9, 200)).wait()?;
    let target = Target { account, place: Place::Inbox, flags: Flags::NONE, bound };
    let delivery = Delivery { staged, targets: vec![target], queue: Vec::new() };
    let asked = HandOver { id: item.id, recipient: 0, reply: "delivered".into(), delivery };
    engine.queue_hand_over(asked).wait().map(|done| done.is_some())
}

#[test]
fn a_recipient_here_is_done_in_the_commit_that_delivers_or_nothing_is() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let engine = open(&disk, 3).expect("opens");
    let all = people(&engine, 2, Quota::Default);
    let item = queue(&engine, Some(all[0]), 2).expect("queued");
    let tight = Some(Bound { bytes_max: 10, messages_max: 1 });
    assert!(matches!(hand_over(&engine, &item, all[0], tight), Ok(false)), "there is no room");
    assert!(matches!(hand_over(&engine, &item, all[1], None), Err(Error::Invalid(_))), "another shard");
    assert_eq!((inbox_len(&engine, all[0]), engine.queue_item(item.id).expect("it waits").waiting().count()), (0, 2));
    assert!(matches!(hand_over(&engine, &item, all[0], None), Ok(true)));
    assert!(matches!(hand_over(&engine, &item, all[0], None), Err(Error::NotFound(_))), "it has it");
    assert_eq!((inbox_len(&engine, all[0]), engine.queue_item(item.id).expect("it waits").waiting().count()), (1, 1));
}

#[test]
fn a_crash_at_every_operation_delivers_a_recipient_here_once() {
    let run = |engine: &Engine| -> Option<()> {
        let account = people_or_none(engine)?;
        let item = queue(engine, Some(account), 1)?;
        hand_over(engine, &item, account, None).ok()?;
        engine.close().ok()
    };
    let quiet = SimDisk::new(0);
    let disk: Arc<dyn Disk> = Arc::new(quiet.clone());
    run(&open(&disk, 1).expect("opens")).expect("a quiet disk");
    let mut seen = [0; 2];
    for at in 0..quiet.ops() {
        let sim = SimDisk::new(at);
        sim.crash_at(at);
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        if let Ok(engine) = open(&disk, 1) {
            run(&engine);
        }
        let after: Arc<dyn Disk> = Arc::new(sim.crash());
        let engine = open(&after, 1).unwrap_or_else(|why| panic!("crash at operation {at}: {why}"));
        let Some(account) = engine.account_named("m0@example.test") else { continue };
        match (engine.queue().len(), inbox_len(&engine, account)) {
            (1, 0) => seen[0] += 1,
            (0, 1) => seen[1] += 1,
            (0, 0) => {}
            both => panic!("crash at operation {at}: {both:?} items and copies"),
        }
    }
    assert!(seen[0] > 0 && seen[1] > 0, "{seen:?}");
}
