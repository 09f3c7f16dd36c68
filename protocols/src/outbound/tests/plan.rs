//! The plan: what is due, one job for a destination, bounds on connections, rests, an operator's urging.
use crate::limits;
use crate::outbound::plan::{Bounds, Plan};
use crate::outbound::route::Destination;
use posthouse_engine::base::{Guid, Locator, QueueId};
use posthouse_engine::queue::{NewQueueItem, Progress, QueueItem, QueueRecipient, QueueState, TlsDemand};

fn item(id: u64, addresses: &[&str]) -> QueueItem {
    let recipient = |address: &&str| QueueRecipient { address: (*address).into(), notify: 0, orcpt: String::new() };
    let recipients: Vec<_> = addresses.iter().map(recipient).collect();
    QueueItem {
        id: QueueId(id),
        progress: vec![Progress { next_try: 100, ..Progress::default() }; recipients.len()],
        item: NewQueueItem { recipients, ..NewQueueItem::default() },
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
    Plan::new(Bounds { sessions_max, sessions_per_destination_max: 3, rest_first: 60, rest_max: 300 })
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

#[test]
fn items_on_hold_and_recipients_whose_time_has_not_come_wait() {
    let mut plan = plan(10);
    let mut later = item(1, &["a@x.test", "b@x.test"]);
    later.progress[1].next_try = 500;
    plan.consider(&later, 100, to);
    assert_eq!(plan.next(&to("@x.test")).map(|job| job.recipients), Some(vec![0]));
    assert_eq!((plan.pop_due(499), plan.next_due()), (None, Some(500)));
    assert_eq!((plan.pop_due(500), plan.pop_due(500)), (Some(QueueId(1)), None));
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
fn connections_are_bounded_for_each_destination_and_in_all() {
    let mut plan = plan(4);
    for id in 0..10 {
        plan.consider(&item(id, &["a@x.test"]), 100, to);
        plan.consider(&item(100 + id, &["a@y.test"]), 100, to);
    }
    let begun = plan.begin_sessions();
    assert_eq!(begun.len(), 4);
    let to_x = begun.iter().filter(|one| **one == to("@x.test")).count();
    assert!((1..=3).contains(&to_x), "{begun:?}");
    assert!(plan.begin_sessions().is_empty());
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
        plan.consider(&item(id.0, &["a@x.test"]), 100, to);
    }
    assert_eq!(plan.counts().0, limits::OUTBOUND_JOBS_MAX);
    assert_eq!(plan.next_due(), None, "nothing to wait for but the end of a job");
    let job = plan.next(&to("@x.test")).expect("a job");
    plan.done(&job);
    assert!(plan.pop_due(100).is_some());
}
