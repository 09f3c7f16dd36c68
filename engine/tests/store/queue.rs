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
use posthouse_engine::{Engine, HandOver, HandedOver, QueueAction, QueueChanges, Settle};
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

fn target(account: AccountId, bound: Option<Bound>) -> Target {
    Target { account, place: Place::Inbox, flags: Flags::NONE, bound }
}

/// Waits for what has no thread of its own.
fn wait<T>(asked: impl Future<Output = T>) -> T {
    struct Unpark(std::thread::Thread);
    impl std::task::Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }
    let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
    let mut asked = std::pin::pin!(asked);
    loop {
        match asked.as_mut().poll(&mut Context::from_waker(&waker)) {
            Poll::Ready(done) => return done,
            Poll::Pending => std::thread::park(),
        }
    }
}

/// Hands a recipient's message over to accounts; who cannot take it gets it later under an address of its own.
fn hand_over(
    engine: &Engine,
    item: &QueueItem,
    recipient: u32,
    targets: Vec<Target>,
) -> Result<Option<HandedOver>, Error> {
    let staged = engine.stage(Vec::new(), message(9, 200)).wait()?;
    let delivery = Delivery { staged, targets, queue: Vec::new() };
    let origin = Some(item.origin());
    let later = Box::new(move |account: AccountId| {
        let recipient = QueueRecipient { address: format!("m{account}@late.test"), notify: 0, orcpt: String::new() };
        NewQueueItem { recipients: vec![recipient], origin, ..NewQueueItem::default() }
    });
    let reply = "delivered".into();
    wait(engine.queue_hand_over(HandOver {
        id: item.id,
        recipient,
        reply,
        delivery,
        dealt: Vec::new(),
        later,
        notice: None,
    }))
}

fn copies(engine: &Engine, all: &[AccountId]) -> Vec<usize> {
    all.iter().map(|account| inbox_len(engine, *account)).collect()
}

#[test]
fn a_recipient_is_done_with_its_copies_or_nothing_is() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let engine = open(&disk, 3).expect("opens");
    let all = people(&engine, 3, Quota::Default);
    let item = queue(&engine, Some(all[0]), 2).expect("queued");
    let tight = Some(Bound { bytes_max: 10, messages_max: 1 });
    let waiting = || engine.queue_item(item.id).map_or(0, |item| item.waiting().count());
    for account in [all[0], all[1]] {
        let full = hand_over(&engine, &item, 0, vec![target(account, tight)]);
        assert!(matches!(full, Err(Error::OverQuota { .. })), "there is no room: {full:?}");
    }
    assert_eq!((copies(&engine, &all), waiting()), (vec![0, 0, 0], 2));
    // One is full, in another shard: the others have it, and it waits for that one alone.
    let targets = vec![target(all[0], None), target(all[1], tight), target(all[2], None)];
    let done = hand_over(&engine, &item, 0, targets).expect("done").expect("it waited");
    let had: Vec<bool> = done.copies.iter().map(Result::is_ok).collect();
    assert_eq!((had, done.later.len(), waiting()), (vec![true, false, true], 1, 1));
    assert_eq!((copies(&engine, &all), engine.queue().len()), (vec![1, 0, 1], 2));
    assert!(hand_over(&engine, &item, 0, vec![target(all[0], None)]).expect("nothing").is_none(), "it is done");
    // By another recipient whoever has it gets no second one, and who is to get it later may get it now, and not again then.
    let everybody = || all.iter().map(|account| target(*account, None)).collect::<Vec<_>>();
    let done = hand_over(&engine, &item, 1, everybody()).expect("done").expect("it waited");
    assert!(matches!(&done.copies[..], [Ok(None), Ok(Some(_)), Ok(None)]), "{done:?}");
    let late = engine.queue()[0].clone();
    let done = hand_over(&engine, &late, 0, vec![target(all[1], None)]).expect("done").expect("it waited");
    assert!(matches!(&done.copies[..], [Ok(None)]) && engine.queue().is_empty());
    assert_eq!(copies(&engine, &all), [1, 1, 1]);
    engine.close().expect("closes");
    drop(engine);
    let engine = open(&disk, 3).expect("opens");
    assert!(engine.queues().iter().all(|queue| queue.noted_accounts() == 0), "what is done is forgotten");
}

/// Copies that a client brought, and one that waits for a group behind a group.
#[test]
fn what_a_client_has_brought_to_an_account_does_not_come_by_the_queue_too() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let engine = open(&disk, 2).expect("opens");
    let all = people(&engine, 3, Quota::Default);
    let staged = engine.stage(Vec::new(), message(7, 300)).wait().expect("staged");
    let (origin, recipient) =
        (staged.guid(), QueueRecipient { address: "g@x.test".into(), notify: 0, orcpt: String::new() });
    let item = NewQueueItem { recipients: vec![recipient], origin: Some(origin), ..NewQueueItem::default() };
    let targets = vec![target(all[0], None), target(all[1], None)];
    let delivery = Delivery { staged, targets, queue: vec![item] };
    engine.deliver_once(delivery, origin, vec![all[2]]).0.wait().queued.expect("queued");
    engine.close().expect("closes");
    drop(engine);
    let engine = open(&disk, 2).expect("opens");
    let item = engine.queue()[0].clone();
    assert!(all.iter().all(|account| engine.reached_by(&item, *account).is_some()), "one wants no copy");
    let everybody = all[..2].iter().map(|account| target(*account, None)).collect();
    hand_over(&engine, &item, 0, everybody).expect("done").expect("it waited");
    assert_eq!((copies(&engine, &all), engine.queue().len()), (vec![1, 1, 0], 0));
}

/// One of two could not have it when it came, and is in the group whose copy waits in the queue: that may be done with before the one's own is queued.
#[test]
fn what_is_queued_later_does_not_come_to_whom_the_queue_has_reached_meanwhile() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let engine = open(&disk, 2).expect("opens");
    let all = people(&engine, 2, Quota::Default);
    let staged = || engine.stage(Vec::new(), message(7, 300)).wait().expect("staged");
    let first = staged();
    let origin = first.guid();
    let item = |address: &str| {
        let recipient = QueueRecipient { address: address.into(), notify: 0, orcpt: String::new() };
        NewQueueItem { recipients: vec![recipient], origin: Some(origin), ..NewQueueItem::default() }
    };
    let tight = Some(Bound { bytes_max: 10, messages_max: 1 });
    let targets = vec![target(all[0], None), target(all[1], tight)];
    let delivery = Delivery { staged: first, targets, queue: vec![item("g@x.test")] };
    let (asked, more) = engine.deliver_once(delivery, origin, Vec::new());
    asked.wait().queued.expect("queued");
    let everybody = || all.iter().map(|account| target(*account, None)).collect::<Vec<_>>();
    let hand_over_next = || {
        let item = engine.queue()[0].clone();
        hand_over(&engine, &item, 0, everybody()).expect("done").expect("it waited");
    };
    hand_over_next();
    assert_eq!((copies(&engine, &all), engine.queue().len()), (vec![1, 1], 0));
    engine.queue_beside(all[0], staged(), vec![item("m1@example.test")]).wait().expect("queued");
    drop(more);
    hand_over_next();
    assert_eq!((copies(&engine, &all), engine.queue().len()), (vec![1, 1], 0));
    engine.close().expect("closes");
    drop(engine);
    let engine = open(&disk, 2).expect("opens");
    assert!(engine.queues().iter().all(|queue| queue.noted_accounts() == 0), "what is done is forgotten");
}

/// In the item's own shard and in others: where the power fails between their commits the queue begins again.
#[test]
fn a_crash_at_every_operation_delivers_to_each_account_once() {
    let hand = |engine: &Engine, all: &[AccountId]| -> Option<()> {
        let item = engine.queue().first()?.clone();
        hand_over(engine, &item, 0, all.iter().map(|account| target(*account, None)).collect()).ok().map(drop)
    };
    let run = |engine: &Engine| -> Option<()> {
        people_or_none(engine)?;
        let all = crate::help::ids(engine, 1);
        queue(engine, Some(all[0]), 1)?;
        hand(engine, &more(engine)?)?;
        engine.close().ok()
    };
    let quiet = SimDisk::new(0);
    let disk: Arc<dyn Disk> = Arc::new(quiet.clone());
    run(&open(&disk, 3).expect("opens")).expect("a quiet disk");
    // Nothing yet, some of them, all.
    let mut seen = [0; 3];
    for at in 0..quiet.ops() {
        let sim = SimDisk::new(at);
        sim.crash_at(at);
        let disk: Arc<dyn Disk> = Arc::new(sim.clone());
        if let Ok(engine) = open(&disk, 3) {
            run(&engine);
        }
        let after: Arc<dyn Disk> = Arc::new(sim.crash());
        let engine = open(&after, 3).unwrap_or_else(|why| panic!("crash at operation {at}: {why}"));
        let Some(all) = more(&engine) else { continue };
        if engine.queue().is_empty() && copies(&engine, &all).iter().sum::<usize>() == 0 {
            continue;
        }
        let there = copies(&engine, &all);
        assert!(there.iter().all(|copies| *copies <= 1), "crash at operation {at}: {there:?}");
        let is_queued = !engine.queue().is_empty();
        seen[if !is_queued { 2 } else { usize::from(there.contains(&1)) }] += 1;
        assert!(is_queued || there == [1, 1, 1], "crash at operation {at}: {there:?} and nothing is queued");
        let _ = hand(&engine, &all);
        assert_eq!((copies(&engine, &all), engine.queue().len()), (vec![1, 1, 1], 0), "crash at operation {at}");
    }
    assert!(seen.iter().all(|seen| *seen > 0), "{seen:?}");
}

/// The member that there is, and two who need no record: accounts of the other shards.
fn more(engine: &Engine) -> Option<Vec<AccountId>> {
    let first = engine.account_named("m0@example.test")?;
    Some((0..3).map(|more| AccountId(first.0 + more)).collect())
}
