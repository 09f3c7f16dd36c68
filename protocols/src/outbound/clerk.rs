//! Watches the queue and the clock, and begins sessions for what is due. Sends nothing itself.
use super::office::Office;
use super::session;
use crate::limits;
use crate::runtime::{Either, select, stopping, timeout, yield_now};
use posthouse_engine::QueueChanges;
use posthouse_engine::base::QueueId;
use posthouse_engine::queue::{Queue, QueueState};
use std::sync::Arc;
use std::time::Duration;

/// How often is forgotten what nobody needs any more.
const SWEEP_SECONDS: i64 = 60;

/// Looks at the whole queue, then at what changes in it, until the server stops.
pub(super) async fn run(office: Arc<Office>) {
    let watch = office.engine.watch_queue();
    look_at_all(&office).await;
    let (jobs, _) = office.plan().counts();
    tracing::debug!(jobs, "the queue is being sent");
    let stop = stopping();
    let mut swept = office.now();
    while !stop.is_set() {
        let now = office.now();
        if (now - swept).abs() >= SWEEP_SECONDS {
            let is_set_back = now < swept;
            swept = now;
            office.sweep();
            if is_set_back {
                look_at_all(&office).await;
            }
        }
        take_up_due(&office).await;
        begin_sessions(&office);
        let told = select(watch.changes(), select(office.bell.notified(), stop.wait()));
        match timeout(until_next(&office), told).await {
            Some(Either::Left(QueueChanges::Items(ids))) => ids.into_iter().for_each(|id| look_at(&office, id)),
            Some(Either::Left(QueueChanges::Many)) => look_at_all(&office).await,
            Some(Either::Right(_)) | None => {}
        }
    }
}

fn look_at(office: &Office, id: QueueId) {
    match office.engine.queue_item(id) {
        Some(item) if item.state != QueueState::Hold => office.plan().look_at(id, item.next_try),
        _ => office.plan().forget(id),
    }
}

/// At the start, and when the clock was set back. Other tasks of the reactor come between.
async fn look_at_all(office: &Office) {
    let queues = office.engine.queues();
    office.plan().expect(queues.iter().map(Queue::len).sum());
    for queue in queues {
        let mut items = queue.times();
        loop {
            let some: Vec<_> = items.by_ref().take(limits::OUTBOUND_BATCH).collect();
            if some.is_empty() {
                break;
            }
            look_at_some(office, some.into_iter().filter(|(_, state, _)| *state != QueueState::Hold));
            yield_now().await;
        }
    }
}

fn look_at_some(office: &Office, some: impl Iterator<Item = (QueueId, QueueState, i64)>) {
    let (mut plan, now) = (office.plan(), office.now());
    // What is further off than any wait is held by its sender, or the clock has been set back since: who considers it sees which.
    let is_far = |next_try: i64| next_try > now.saturating_add(office.settings.wait_max());
    some.for_each(|(id, _, next_try)| plan.look_at(id, if is_far(next_try) { now } else { next_try }));
}

/// Makes jobs of what is due, as far as there is room; other tasks of the reactor come between.
async fn take_up_due(office: &Arc<Office>) {
    loop {
        for _ in 0..limits::OUTBOUND_BATCH {
            let due = office.plan().pop_due(office.now());
            match due {
                Some(id) => office.consider(id),
                None => return,
            }
        }
        begin_sessions(office);
        yield_now().await;
    }
}

fn begin_sessions(office: &Arc<Office>) {
    let begun = office.plan().begin_sessions();
    for destination in begun {
        let office_there = office.clone();
        (office.spawn)(Box::new(move || Box::pin(session::run(office_there, destination))));
    }
}

/// How long nothing can become due by the clock alone; at most a minute, since clocks are set.
fn until_next(office: &Office) -> Duration {
    let next = office.plan().next_due();
    let wait = next.map_or(60, |next| next.saturating_sub(office.now()).clamp(0, 60));
    // The clock counts whole seconds, and what is due in none is taken up before we wait.
    Duration::from_millis((wait as u64 * 1000).max(100))
}
