//! The plan: what is due, one job for a destination, bounds on connections, rests, an operator's urging.
use crate::limits;
use crate::outbound::plan::{Bounds, Plan};
use crate::outbound::route::Destination;
use posthouse_engine::base::{Guid, Locator, QueueId};
use posthouse_engine::queue::{
    DeliverBy, Fate, NewQueueItem, Progress, QueueItem, QueueRecipient, QueueState, Terms, TlsDemand,
};
use std::sync::Arc;

fn item(id: u64, addresses: &[&str]) -> QueueItem {
    let recipient = |address: &&str| QueueRecipient { address: (*address).into(), notify: 0, orcpt: String::new() };
    let recipients: Vec<_> = addresses.iter().map(recipient).collect();
    QueueItem {
        id: QueueId(id),
        progress: vec![Progress { next_try: 100, ..Progress::default() }; recipients.len()],
        item: Arc::new(NewQueueItem { recipients, ..NewQueueItem::default() }),
        guid: Guid::default(),
        locator: Locator::default(),
        size_bytes: 1,
        state: QueueState::Active,
        created: 100,
        next_try: 100,
    }
}

fn to(address: &str) -> Destination {
    Destination::Domain(address.rsplit_once('@').map_or(address, |(_, domain)| domain).into(), TlsDemand::Usual)
}

fn plan(sessions_max: usize) -> Plan {
    Plan::new(Bounds { sessions_max, sessions_per_destination_max: 3, lifetime: 9000, rest_first: 60, rest_max: 300 })
}

#[test]
fn an_item_is_one_job_for_each_destination_and_never_two() {
    let mut plan = plan(10);
    let item = item(1, &["a@x.test", "b@y.test", "c@x.test"]);
    assert_eq!(plan.consider(&item, 100, to).len(), 2);
    assert!(plan.consider(&item, 100, to).is_empty(), "it is under way");
    let mut begun = plan.begin_sessions();
    begun.sort_by_key(ToString::to_string);
    assert_eq!(begun, [to("@x.test"), to("@y.test")]);
    let job = plan.next(&to("@x.test")).expect("a job");
    assert_eq!(job.recipients, [0, 2]);
    assert_eq!(plan.next(&to("@x.test")), None);
    plan.done(&job);
    assert_eq!(plan.consider(&item, 100, to), [to("@x.test")], "what is over is looked at again");
    assert_eq!(plan.counts(), (2, 2));
}

/// The item was read before another connection noted what came of its recipient.
#[test]
fn a_job_from_a_state_that_is_over_is_nobodys() {
    let mut plan = plan(10);
    let before = item(1, &["a@x.test", "b@x.test"]);
    plan.consider(&before, 100, to);
    let job = plan.next(&to("@x.test")).expect("a job");
    assert!(job.is_current(&before, 100, 300));
    for (fate, next_try) in [(Fate::Relayed, 100), (Fate::Waiting, 400)] {
        let mut now = before.clone();
        (now.progress[1].fate, now.progress[1].next_try) = (fate, next_try);
        assert!(!job.is_current(&now, 100, 300), "{fate:?}");
        plan.done(&job);
        plan.consider(&now, 100, to);
        let again = plan.next(&to("@x.test")).expect("who still waits");
        assert_eq!(again.recipients, [0]);
        plan.done(&again);
    }
}

#[test]
fn items_on_hold_and_recipients_whose_time_has_not_come_wait() {
    let mut plan = plan(10);
    let mut later = item(1, &["a@x.test", "b@x.test"]);
    later.progress[1].next_try = 400;
    plan.consider(&later, 100, to);
    assert_eq!(plan.next(&to("@x.test")).map(|job| job.recipients), Some(vec![0]));
    assert_eq!((plan.pop_due(399), plan.next_due()), (None, Some(400)));
    assert_eq!((plan.pop_due(400), plan.pop_due(400)), (Some(QueueId(1)), None));
    let mut held = item(2, &["a@x.test"]);
    held.state = QueueState::Hold;
    assert!(plan.consider(&held, 100, to).is_empty());
}

#[test]
fn the_earliest_look_counts_and_each_comes_once() {
    let mut plan = plan(10);
    for at in [300, 200, 250, 200] {
        plan.look_at(QueueId(1), at);
    }
    assert_eq!((plan.pop_due(199), plan.pop_due(200), plan.pop_due(1000)), (None, Some(QueueId(1)), None));
}

#[test]
fn what_is_forgotten_is_not_looked_at_until_somebody_asks_again() {
    let mut plan = plan(10);
    (0..5000).for_each(|id| plan.look_at(QueueId(id), 300));
    (0..5000).filter(|id| id % 100 != 0).for_each(|id| plan.forget(QueueId(id)));
    plan.look_at(QueueId(7), 200);
    let due: Vec<u64> = std::iter::from_fn(|| plan.pop_due(300)).map(|id| id.0).collect();
    assert_eq!(due[..3], [7, 0, 100]);
    assert_eq!((due.len(), plan.next_due()), (51, None));
}

#[test]
fn connections_are_bounded_for_each_destination_and_in_all() {
    let mut plan = plan(5);
    for id in 0..10 {
        plan.consider(&item(id, &["a@x.test"]), 100, to);
        plan.consider(&item(100 + id, &["a@y.test"]), 100, to);
    }
    let begun = plan.begin_sessions();
    assert_eq!(begun.len(), 4, "the fifth is for a destination that has none");
    let to_x = begun.iter().filter(|one| **one == to("@x.test")).count();
    assert!((1..=3).contains(&to_x), "{begun:?}");
    plan.consider(&item(200, &["a@z.test"]), 100, to);
    assert_eq!(plan.begin_sessions(), [to("@z.test")]);
    assert!(plan.begin_sessions().is_empty());
    let job = plan.next(&to("@z.test")).expect("a job");
    plan.done(&job);
    plan.ended(&to("@z.test"), 100);
    assert!(plan.begin_sessions().is_empty(), "that place is for another one that has none");
    plan.ended(&to("@x.test"), 100);
    assert_eq!(plan.begin_sessions().len(), 1, "a place has become free");
}

#[test]
fn a_destination_that_cannot_be_reached_rests_longer_and_longer_and_an_operator_may_urge() {
    let mut plan = plan(10);
    let x = to("@x.test");
    for (now, rest) in [(100, 60), (200, 120), (400, 240), (700, 300)] {
        let mut tried = item(now as u64, &["a@x.test"]);
        tried.progress[0].next_try = now;
        assert_eq!(plan.consider(&tried, now, to).len(), 1, "at {now}");
        assert_eq!(plan.begin_sessions(), std::slice::from_ref(&x));
        assert!(plan.failed(&x, now), "it is the only session");
        let jobs = plan.drain(&x);
        jobs.iter().for_each(|job| plan.done(job));
        plan.ended(&x, now);
        let fresh = item(10_000 + now as u64, &["b@x.test"]);
        assert!(plan.consider(&fresh, now, to).is_empty(), "it rests");
        assert_eq!((plan.pop_due(now + rest - 1), plan.pop_due(now + rest)), (None, Some(fresh.id)));
    }
    let mut urged = item(7, &["c@x.test"]);
    urged.progress[0].attempts = 1;
    assert_eq!(plan.consider(&urged, 701, to), std::slice::from_ref(&x));
    plan.opened(&x);
    assert_eq!(plan.consider(&item(8, &["d@x.test"]), 701, to), [x], "and it is open to all again");
}

/// What was set while the clock was ahead counts for nothing once it is right again, but for what a sender has asked to be held.
#[test]
fn a_clock_that_was_ahead_keeps_nothing_waiting_for_as_long_as_it_was_wrong() {
    let (mut plan, x) = (plan(10), to("@x.test"));
    let mut tried = item(1, &["a@x.test"]);
    assert_eq!(plan.consider(&tried, 86_400, to).len(), 1);
    assert_eq!(plan.begin_sessions(), std::slice::from_ref(&x));
    assert!(plan.failed(&x, 86_400), "it is the only session");
    let jobs = plan.drain(&x);
    jobs.iter().for_each(|job| plan.done(job));
    plan.ended(&x, 86_400);
    assert!(plan.consider(&item(2, &["b@x.test"]), 86_400, to).is_empty(), "it rests");
    assert_eq!(plan.consider(&item(2, &["b@x.test"]), 100, to), std::slice::from_ref(&x));
    tried.progress[0].next_try = 86_700;
    assert_eq!(plan.consider(&tried, 100, to), [x]);
    assert!(jobs[0].is_current(&tried, 100, 300));
    let mut held = item(3, &["c@y.test"]);
    held.progress[0].next_try = 86_700;
    Arc::make_mut(&mut held.item).terms.hold_until = 86_700;
    assert!(plan.consider(&held, 100, to).is_empty());
    // It was tried by the wrong clock: what its sender has asked for still holds, and no longer than that.
    let mut held = item(4, &["d@z.test"]);
    held.progress[0].next_try = 86_700;
    Arc::make_mut(&mut held.item).terms.hold_until = 50_000;
    assert!(plan.consider(&held, 100, to).is_empty());
    let due: Vec<QueueId> = std::iter::from_fn(|| plan.pop_due(50_000)).collect();
    assert!(due.contains(&QueueId(4)), "{due:?}");
    assert_eq!(plan.consider(&held, 50_000, to).len(), 1);
}

#[test]
fn many_recipients_are_several_transactions() {
    let mut plan = plan(10);
    let addresses: Vec<String> = (0..120).map(|n| format!("r{n}@x.test")).collect();
    let addresses: Vec<&str> = addresses.iter().map(String::as_str).collect();
    plan.consider(&item(1, &addresses), 100, to);
    let sizes: Vec<usize> = std::iter::from_fn(|| plan.next(&to("@x.test"))).map(|job| job.recipients.len()).collect();
    assert_eq!(sizes, [limits::OUTBOUND_RECIPIENTS_MAX, limits::OUTBOUND_RECIPIENTS_MAX, 20]);
}

#[test]
fn what_is_due_beyond_the_bound_stays_in_the_queue() {
    let mut plan = plan(10);
    let more = limits::OUTBOUND_JOBS_MAX as u64 + 5;
    (0..more).for_each(|id| plan.look_at(QueueId(id), 100));
    while let Some(id) = plan.pop_due(100) {
        plan.consider(&item(id.0, &[&format!("a@x{}.test", id.0 / 500)]), 100, to);
    }
    assert_eq!(plan.counts().0, limits::OUTBOUND_JOBS_MAX);
    assert_eq!(plan.next_due(), None, "nothing to wait for but the end of a job");
    let job = plan.next(&to("@x1.test")).expect("a job");
    plan.done(&job);
    assert!(plan.pop_due(100).is_some());
}

/// RFC 6710 section 5.1: the higher priority first, within one the first that came; what is given back keeps its place.
#[test]
fn the_higher_priority_goes_first() {
    let (mut plan, x) = (plan(10), to("@x.test"));
    for (id, priority) in [(1, 0), (2, -3), (3, 4), (4, 0), (5, 4), (6, 9)] {
        let mut item = item(id, &["a@x.test"]);
        Arc::make_mut(&mut item.item).terms.priority = priority;
        plan.consider(&item, 100, to);
    }
    let first = plan.next(&x).expect("a job");
    assert_eq!(first.id, QueueId(6));
    plan.give_back(&x, first);
    assert_eq!(plan.begin_sessions().len(), 3, "as many as there are jobs for");
    let mut order: Vec<u64> = (0..3).filter_map(|_| plan.next(&x)).map(|job| job.id.0).collect();
    order.extend(plan.drain(&x).iter().map(|job| job.id.0));
    assert_eq!(order, [6, 3, 5, 1, 4, 2]);
}

/// Who keeps mail of a high priority coming keeps nobody waiting for ever, whatever waits behind the busy destination.
#[test]
fn every_priority_has_its_turn_however_much_comes_of_a_higher_one() {
    let (mut plan, x) = (plan(10), to("@x.test"));
    let prepared = |id: u64| {
        let mut item = item(id, &["a@x.test"]);
        Arc::make_mut(&mut item.item).terms.priority = if id < 1_000_000 { 4 } else { -((id / 1_000_000) as i8 - 1) };
        item
    };
    let flood = 5 * limits::OUTBOUND_READY_MAX as u64;
    (0..flood).for_each(|id| drop(plan.consider(&prepared(id), 100, to)));
    let lower: Vec<u64> = (0..300).flat_map(|at| [1_000_000 + at, 4_000_000 + at]).collect();
    lower.iter().for_each(|id| drop(plan.consider(&prepared(*id), 100, to)));
    let (mut sent, mut taken) = (Vec::new(), 0);
    while sent.len() < lower.len() && taken < 10 * lower.len() {
        let job = plan.next(&x).expect("there is always one");
        plan.done(&job);
        taken += 1;
        sent.extend(Some(job.id.0).filter(|id| *id >= 1_000_000));
        plan.consider(&prepared(flood + taken as u64), 100, to);
        while let Some(id) = plan.pop_due(100) {
            plan.consider(&prepared(id.0), 100, to);
        }
    }
    assert_eq!(taken, (limits::OUTBOUND_PRIORITY_RUN as usize + 1) * lower.len(), "one after every few");
    assert_eq!(sent, lower, "in turn, and each in its order");
}

/// Behind a busy destination too: of what waits there the higher priority comes up first, within one the oldest.
#[test]
fn what_is_behind_comes_up_by_its_priority() {
    let (mut plan, x, most) = (plan(10), to("@x.test"), limits::OUTBOUND_READY_MAX as u64);
    let prepared = |id: u64| {
        let mut item = item(id, &["a@x.test"]);
        Arc::make_mut(&mut item.item).terms.priority = if (most..2 * most).contains(&id) { -5 } else { 0 };
        item
    };
    (0..2 * most + 10).for_each(|id| drop(plan.consider(&prepared(id), 100, to)));
    let mut sent = Vec::new();
    while let Some(job) = plan.next(&x) {
        sent.push(job.id.0);
        plan.done(&job);
        while let Some(id) = plan.pop_due(100) {
            plan.consider(&prepared(id.0), 100, to);
        }
    }
    let (low, usual): (Vec<u64>, Vec<u64>) = sent.iter().copied().partition(|id| (most..2 * most).contains(id));
    assert!(usual.into_iter().eq((0..most).chain(2 * most..2 * most + 10)) && low.into_iter().eq(most..2 * most));
    // All of the higher has gone before the lower has had more than its turns.
    let last = sent.iter().position(|id| *id == 2 * most + 9).expect("it was sent") as u64;
    assert!(last < (most + 10) * 5 / 4 + 2, "{last}");
}

#[test]
fn what_is_behind_a_full_destination_keeps_nobody_else_waiting_and_comes_in_its_order() {
    let (mut plan, x) = (plan(10), to("@x.test"));
    let all = 3 * limits::OUTBOUND_READY_MAX as u64;
    (0..all).for_each(|id| plan.look_at(QueueId(id), 100));
    let take_up = |plan: &mut Plan| {
        while let Some(id) = plan.pop_due(100) {
            plan.consider(&item(id.0, &["a@x.test"]), 100, to);
        }
    };
    take_up(&mut plan);
    assert_eq!(plan.counts().0, limits::OUTBOUND_READY_MAX);
    assert_eq!(plan.consider(&item(all, &["b@x.test", "c@y.test"]), 100, to), [to("@y.test")]);
    let mut sent = Vec::new();
    while let Some(job) = plan.next(&x) {
        sent.push(job.id.0);
        plan.done(&job);
        take_up(&mut plan);
        assert!(plan.counts().0 <= limits::OUTBOUND_READY_MAX + 2);
    }
    assert_eq!(sent, (0..=all).collect::<Vec<_>>());
}

#[test]
fn what_is_behind_rests_with_its_destination_and_is_not_forgotten_when_those_before_it_go() {
    let (mut plan, x) = (plan(10), to("@x.test"));
    let all = 2 * limits::OUTBOUND_READY_MAX as u64;
    (0..all).for_each(|id| drop(plan.consider(&item(id, &["a@x.test"]), 100, to)));
    plan.begin_sessions();
    assert!(!plan.failed(&x, 100), "there are others");
    (0..2).for_each(|_| plan.ended(&x, 100));
    assert!(plan.failed(&x, 100));
    plan.drain(&x).iter().for_each(|job| plan.done(job));
    assert_eq!((plan.pop_due(159), plan.next_due()), (None, Some(160)));
    let again = std::iter::from_fn(|| plan.pop_due(160)).count();
    assert_eq!(again, limits::OUTBOUND_READY_MAX);

    let (mut plan, all) = (self::plan(10), 3 * limits::OUTBOUND_READY_MAX as u64);
    (0..all).for_each(|id| drop(plan.consider(&item(id, &["a@x.test"]), 100, to)));
    let begun = plan.begin_sessions();
    for _ in 0..limits::OUTBOUND_READY_MAX / 2 {
        let job = plan.next(&x).expect("a job");
        plan.done(&job);
        assert!(plan.pop_due(100).is_some(), "one comes up, and is not taken up, as if it had been put on hold");
    }
    while let Some(job) = plan.next(&x) {
        plan.done(&job);
    }
    begun.iter().for_each(|_| plan.ended(&x, 100));
    assert_eq!(std::iter::from_fn(|| plan.pop_due(100)).count(), limits::OUTBOUND_READY_MAX * 3 / 2);
    let old = item(all, &["a@x.test"]);
    (0..all).for_each(|id| drop(plan.consider(&item(id, &["a@x.test"]), 100, to)));
    plan.consider(&old, 9100, to);
    assert_eq!(plan.counts().0, limits::OUTBOUND_READY_MAX + 1, "a last attempt waits for nobody");
}

#[test]
fn the_last_connections_are_for_destinations_that_have_none_and_ourselves_need_none() {
    let mut plan = plan(10);
    let feed = |plan: &mut Plan, domain: &str, from: u64| {
        (from..from + 5).for_each(|id| drop(plan.consider(&item(id, &[&format!("a@{domain}")]), 100, to)));
    };
    for (at, domain) in ["x.test", "y.test", "z.test"].iter().enumerate() {
        feed(&mut plan, domain, 10 * at as u64);
    }
    assert_eq!(plan.begin_sessions().len(), 8, "of nine that are wanted");
    feed(&mut plan, "v.test", 100);
    assert_eq!(plan.begin_sessions(), [to("@v.test")]);
    feed(&mut plan, "w.test", 200);
    assert_eq!(plan.begin_sessions(), [to("@w.test")]);
    assert!(!plan.is_crowded(), "each has one");
    feed(&mut plan, "u.test", 300);
    assert!(plan.begin_sessions().is_empty() && plan.is_crowded());
    plan.consider(&item(400, &["ann@ours.test"]), 100, |_| Destination::Local);
    assert_eq!(plan.begin_sessions(), [Destination::Local]);
    assert_eq!(plan.counts().1, 10);
    assert!(plan.next(&Destination::Local).is_some());
    plan.ended(&Destination::Local, 100);
    plan.ended(&to("@x.test"), 100);
    assert_eq!(plan.begin_sessions(), [to("@u.test")]);
}

#[test]
fn what_goes_first_leaves_room_for_others_too_and_what_waits_behind_keeps_its_own_time() {
    let (mut plan, most) = (plan(10), limits::OUTBOUND_READY_MAX as u64);
    let terms = |plan: &mut Plan, id, created, change: fn(&mut Terms)| {
        let mut item = item(id, &["a@x.test"]);
        item.created = created;
        change(&mut Arc::make_mut(&mut item.item).terms);
        plan.consider(&item, 100, to);
        plan.counts().0
    };
    for id in 0..most {
        terms(&mut plan, id, 100, |_| {});
    }
    // Held for longer than it may live: its life begins with its release.
    assert_eq!(terms(&mut plan, most, 100 - 9001, |terms| terms.hold_until = 100), limits::OUTBOUND_READY_MAX);
    assert_eq!(plan.next_due(), Some(9100), "when it ends");
    let by = |terms: &mut Terms| terms.deliver_by = Some(DeliverBy { at: 160, returns: true, trace: false });
    assert_eq!(terms(&mut plan, most + 1, 100, by), limits::OUTBOUND_READY_MAX);
    assert_eq!(plan.next_due(), Some(160), "it is to go back then");
    for id in 2 * most..7 * most {
        terms(&mut plan, id, 100, |terms| terms.priority = 1);
    }
    assert_eq!(plan.counts().0, limits::OUTBOUND_READY_MAX * limits::OUTBOUND_READY_FAVOURED_PARTS);
}
