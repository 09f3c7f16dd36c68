//! The events that make a queue item what it should be, how far each recipient has come included: who has had a copy gets no second one. Pure.
use crate::format::{Event, Tried};
use crate::queue::{Fate, Queue, QueueItem, QueueState};
use std::sync::Arc;

/// Attempts that are told again; what was tried more often says this number. Only the pause before the next attempt hangs on it.
const ATTEMPTS_MAX: u32 = 1000;

/// What makes `wanted` of what is `there`; nothing if it is that already.
pub(super) fn events(there: Option<&Arc<QueueItem>>, wanted: &QueueItem) -> Vec<Event> {
    if there.is_some_and(|there| **there == *wanted) {
        return Vec::new();
    }
    let changed = changed(wanted, wanted.state, wanted.next_try);
    if there.is_some_and(|there| is_made(Some(there), std::slice::from_ref(&changed), wanted)) {
        return vec![changed];
    }
    // Events only lead forward: an item that is elsewhere begins anew.
    let mut out: Vec<Event> = there.map(|there| Event::QueueRemoved { id: there.id }).into_iter().collect();
    out.push(queued(wanted));
    if is_made(there, &out, wanted) {
        return out;
    }
    out.extend(progress(wanted));
    if !is_made(there, &out, wanted) {
        // An active item's recipients all wait for the same time.
        out.push(changed);
    }
    out
}

fn changed(item: &QueueItem, state: QueueState, next_try: i64) -> Event {
    Event::QueueChanged { id: item.id, state: state.code(), next_try }
}

fn queued(item: &QueueItem) -> Event {
    let mut bytes = Vec::new();
    item.item.encode(&mut bytes);
    Event::Queued {
        id: item.id,
        guid: item.guid,
        locator: item.locator,
        size_bytes: item.size_bytes,
        created: item.created,
        item: bytes,
    }
}

/// State first, which attempts do not change when it is held or deferred; then who was warned, then one event for each round of attempts.
fn progress(item: &QueueItem) -> Vec<Event> {
    let untried = item.progress.iter().find(|one| one.fate == Fate::Waiting && one.attempts == 0);
    let mut out = vec![changed(item, item.state, untried.map_or(item.next_try, |one| one.next_try))];
    let all = || (0u32..).zip(&item.progress);
    let recipients: Vec<u32> = all().filter(|(_, one)| one.warned).map(|(at, _)| at).collect();
    if !recipients.is_empty() {
        out.push(Event::QueueWarned { id: item.id, recipients });
    }
    let rounds = |fate: Fate, attempts: u32| match fate {
        Fate::Waiting => attempts.min(ATTEMPTS_MAX),
        Fate::Relayed | Fate::Failed => attempts.clamp(1, ATTEMPTS_MAX),
    };
    for round in 1..=all().map(|(_, one)| rounds(one.fate, one.attempts)).max().unwrap_or(0) {
        let tried = all().filter(|(_, one)| rounds(one.fate, one.attempts) >= round).map(|(recipient, one)| {
            let last = rounds(one.fate, one.attempts) == round;
            let fate = if last { one.fate } else { Fate::Waiting };
            let reply = if last { one.reply.to_string() } else { String::new() };
            Tried { recipient, fate: fate.code(), next_try: one.next_try, reply }
        });
        out.push(Event::QueueTried { id: item.id, tried: tried.collect() });
    }
    out
}

/// Whether these events, after what is there, give the item that is wanted.
fn is_made(there: Option<&Arc<QueueItem>>, events: &[Event], wanted: &QueueItem) -> bool {
    let mut queue = Queue::default();
    let known = there.is_none_or(|there| queue.put(QueueItem::clone(there)));
    known
        && events.iter().all(|event| queue.apply(event).is_ok())
        && queue.get(wanted.id).is_some_and(|item| *item == *wanted)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{Guid, Locator, QueueId};
    use crate::queue::{NewQueueItem, QueueRecipient};
    use proptest::prelude::*;

    const ID: QueueId = QueueId(9);

    fn start() -> Queue {
        let recipient = |at| QueueRecipient { address: format!("r{at}@x.test"), notify: 0, orcpt: String::new() };
        let item = NewQueueItem { recipients: (0..3).map(recipient).collect(), ..NewQueueItem::default() };
        let mut bytes = Vec::new();
        item.encode(&mut bytes);
        let (guid, locator) = (Guid([1; 16]), Locator::default());
        let mut queue = Queue::default();
        let event = Event::Queued { id: ID, guid, locator, size_bytes: 9, created: 100, item: bytes };
        queue.apply(&event).expect("it fits");
        queue
    }

    /// What a server writes of an item: attempts, warnings, and what an operator does.
    fn event(kind: u8, recipient: u32, fate: u8, time: i64) -> Event {
        match kind {
            0 => Event::QueueWarned { id: ID, recipients: vec![recipient] },
            1 => Event::QueueChanged { id: ID, state: QueueState::Hold.code(), next_try: time },
            2 => Event::QueueChanged { id: ID, state: QueueState::Active.code(), next_try: time },
            _ => Event::QueueTried {
                id: ID,
                tried: vec![Tried { recipient, fate, next_try: time, reply: format!("{time}") }],
            },
        }
    }

    proptest! {
        #[test]
        fn every_item_comes_back_whole_from_nothing_and_from_where_it_was(
            steps in prop::collection::vec((0u8..6, 0u32..3, 0u8..3, 100i64..900), 0..20),
            lost in 0usize..20,
        ) {
            let (mut queue, mut there) = (start(), start());
            for (at, (kind, recipient, fate, time)) in steps.into_iter().enumerate() {
                let event = event(kind, recipient, fate, time);
                if queue.apply(&event).is_ok() && at < lost {
                    there.apply(&event).expect("it fits there too");
                }
            }
            let wanted = queue.get(ID).expect("it is there");
            for mut from in [Queue::default(), there] {
                let made = events(from.get(ID).as_ref(), &wanted);
                for event in &made {
                    from.apply(event).expect("it fits");
                }
                prop_assert_eq!(from.get(ID), Some(wanted.clone()), "by {:?}", made);
                prop_assert!(events(from.get(ID).as_ref(), &wanted).is_empty());
            }
        }
    }
}
