//! The queue of one shard as a fold over events.
use super::items::Items;
use super::{Fate, NewQueueItem, Progress, QueueItem, QueueState};
use crate::base::bytes::Reader;
use crate::base::{Error, Guid, Locator, QueueId, Result};
use crate::format::{Event, Tried};
use std::sync::Arc;

/// The messages of a shard that wait for other hosts, by id. Cloning copies pointers.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    pub(super) items: Items,
    counts: Counts,
}

/// How many items stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// To be tried.
    pub active: u64,
    /// Tried, and to be tried again.
    pub deferred: u64,
    /// Held back.
    pub hold: u64,
}

impl Counts {
    fn of(&mut self, state: QueueState) -> &mut u64 {
        match state {
            QueueState::Active => &mut self.active,
            QueueState::Deferred => &mut self.deferred,
            QueueState::Hold => &mut self.hold,
        }
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.active + self.deferred + self.hold
    }
}

impl PartialEq for Queue {
    fn eq(&self, other: &Queue) -> bool {
        self.counts == other.counts && self.iter().eq(other.iter())
    }
}

fn corrupt(what: impl Into<String>) -> Error {
    Error::corrupt("queue event", 0, what)
}

impl Queue {
    /// The item with that id.
    pub fn get(&self, id: QueueId) -> Option<Arc<QueueItem>> {
        self.items.get(id)
    }

    /// All items by id.
    pub fn iter(&self) -> impl Iterator<Item = Arc<QueueItem>> {
        self.items.iter()
    }

    /// The items above `id`, by id.
    pub fn after(&self, id: QueueId) -> impl Iterator<Item = Arc<QueueItem>> {
        self.items.after(id)
    }

    /// How many items stand where.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.counts.total() as usize
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.counts.total() == 0
    }

    /// Folds one event in; events of other rooms change nothing. Fails only when the event contradicts the state.
    pub fn apply(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::Queued { id, guid, locator, size_bytes, created, item } => {
                self.queued(*id, *guid, (*locator, *size_bytes), *created, item)
            }
            Event::QueueChanged { id, state, next_try } => {
                let state = QueueState::from_code(*state).ok_or_else(|| corrupt(format!("queue state {state}")))?;
                self.change(*id, |item| {
                    (item.state, item.next_try) = (state, *next_try);
                    let waiting = item.progress.iter_mut().filter(|progress| progress.fate == Fate::Waiting);
                    waiting.for_each(|progress| progress.next_try = *next_try);
                    Ok(())
                })
            }
            Event::QueueRemoved { id } => match self.items.remove(*id) {
                Some(item) => {
                    *self.counts.of(item.state) -= 1;
                    Ok(())
                }
                None => Err(corrupt(format!("queue id {id} is not there"))),
            },
            Event::QueueTried { id, tried } => self.change(*id, |item| item.tried(tried)),
            Event::QueueWarned { id, recipients } => self.change(*id, |item| {
                recipients.iter().try_for_each(|at| item.waiting_mut(*at).map(|progress| progress.warned = true))
            }),
            _ => Ok(()),
        }
    }

    fn queued(&mut self, id: QueueId, guid: Guid, at: (Locator, u32), created: i64, item: &[u8]) -> Result<()> {
        let item = NewQueueItem::decode(&mut Reader::new(item)).map_err(|why| corrupt(why.to_string()))?;
        // What is held waits for its time as if it had been tried (RFC 4865 section 4.2).
        let next_try = created.max(item.terms.hold_until);
        let state = if next_try > created { QueueState::Deferred } else { QueueState::Active };
        let begun = Progress { next_try, ..Progress::default() };
        let progress = vec![begun; item.recipients.len()];
        let (locator, size_bytes) = at;
        let item = Arc::new(item);
        self.add(QueueItem { id, item, progress, guid, locator, size_bytes, state, created, next_try })
    }

    /// Adds an item as it is; false when its id is taken.
    pub(crate) fn put(&mut self, item: QueueItem) -> bool {
        self.add(item).is_ok()
    }

    pub(super) fn add(&mut self, item: QueueItem) -> Result<()> {
        let (id, state) = (item.id, item.state);
        if !self.items.insert(item) {
            return Err(corrupt(format!("queue id {id} is used already")));
        }
        *self.counts.of(state) += 1;
        Ok(())
    }

    fn change(&mut self, id: QueueId, change: impl FnOnce(&mut QueueItem) -> Result<()>) -> Result<()> {
        let item = self.items.get_mut(id).ok_or_else(|| corrupt(format!("queue id {id} is not there")))?;
        let before = item.state;
        change(item)?;
        let now = item.state;
        *self.counts.of(before) -= 1;
        *self.counts.of(now) += 1;
        Ok(())
    }
}

impl QueueItem {
    fn waiting_mut(&mut self, at: u32) -> Result<&mut Progress> {
        let id = self.id;
        let found = self.progress.get_mut(at as usize).filter(|progress| progress.fate == Fate::Waiting);
        found.ok_or_else(|| corrupt(format!("recipient {at} of queue id {id} does not wait")))
    }

    fn tried(&mut self, tried: &[Tried]) -> Result<()> {
        for one in tried {
            let fate = Fate::from_code(one.fate).ok_or_else(|| corrupt(format!("recipient's fate {}", one.fate)))?;
            let progress = self.waiting_mut(one.recipient)?;
            progress.attempts = progress.attempts.saturating_add(1);
            (progress.fate, progress.next_try, progress.reply) = (fate, one.next_try, one.reply.as_str().into());
            if fate == Fate::Waiting && self.state != QueueState::Hold {
                self.state = QueueState::Deferred;
            }
        }
        let earliest = self.waiting().map(|(_, _, progress)| progress.next_try).min();
        self.next_try = earliest.unwrap_or(self.next_try);
        Ok(())
    }
}
