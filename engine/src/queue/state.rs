//! The queue of one shard as a fold over events.
use super::items::Items;
use super::reached::{By, Reached};
use super::skim::Seen;
use super::tree::Tree;
use super::{Fate, NewQueueItem, Progress, QueueItem, QueueState};
use crate::base::bytes::Reader;
use crate::base::{AccountId, Error, Guid, Locator, QueueId, Result};
use crate::format::{Event, Tried};
use std::sync::Arc;

/// The messages of a shard that wait for other hosts, by id. Cloning copies pointers.
#[derive(Clone, Debug, Default)]
pub struct Queue {
    pub(super) items: Items,
    counts: Counts,
    pub(super) reached: Reached,
    /// How many items each origin has.
    origins: Tree<Guid, u32>,
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
        self.counts == other.counts && self.reached == other.reached && self.iter().eq(other.iter())
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

    /// When each item is to be tried next, seconds since 1970 UTC, by id: cheaper than the items.
    pub fn times(&self) -> impl Iterator<Item = (QueueId, QueueState, i64)> {
        self.items.times()
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

    /// By which item a message has come to an account of this shard, or one that the item's shard has noted, if it has.
    pub fn reached_by(&self, origin: Guid, account: AccountId) -> Option<By> {
        self.reached.by(origin, account)
    }

    /// Whether it is noted here which accounts a message has reached.
    pub fn notes(&self, origin: Guid) -> bool {
        self.reached.knows(origin)
    }

    /// The messages of which that is noted, each with the time of its last note, seconds since 1970 UTC.
    pub fn noted(&self) -> impl Iterator<Item = (Guid, i64)> + '_ {
        self.reached.origins()
    }

    /// The one of them whose last note is the oldest.
    pub fn noted_first(&self) -> Option<Guid> {
        self.reached.oldest()
    }

    /// Accounts in all these notes.
    pub fn noted_accounts(&self) -> usize {
        self.reached.accounts()
    }

    /// How many items have that origin.
    pub fn items_of(&self, origin: Guid) -> usize {
        self.origins.get(&origin).map_or(0, |items| *items as usize)
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
                    self.leave(item.item.origin);
                    Ok(())
                }
                None => Err(corrupt(format!("queue id {id} is not there"))),
            },
            Event::QueueTried { id, tried } => self.change(*id, |item| item.tried(tried)),
            Event::QueueWarned { id, recipients } => self.change(*id, |item| {
                recipients.iter().try_for_each(|at| item.waiting_mut(*at).map(|progress| progress.warned = true))
            }),
            Event::Reached { origin, id, recipient, when, accounts } => {
                self.reached.add(*origin, By { id: *id, recipient: *recipient }, *when, accounts);
                Ok(())
            }
            Event::ReachedForgotten { origins } => {
                origins.iter().for_each(|origin| self.reached.forget(*origin));
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn leave(&mut self, origin: Option<Guid>) {
        let Some(origin) = origin else { return };
        match self.origins.get(&origin).copied() {
            Some(items @ 2..) => drop(self.origins.insert(origin, items - 1)),
            _ => drop(self.origins.remove(&origin)),
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

    /// Adds an item as it is; false when its id is taken, or 0.
    pub(crate) fn put(&mut self, item: QueueItem) -> bool {
        self.add(item).is_ok()
    }

    pub(super) fn add(&mut self, item: QueueItem) -> Result<()> {
        let seen = Seen::of(&item);
        // A checkpoint's notes of reached accounts begin with a zero where an item's number stands.
        if seen.id == QueueId(0) {
            return Err(corrupt("queue id 0 belongs to no item"));
        }
        if !self.items.insert(item) {
            return Err(corrupt(format!("queue id {} is used already", seen.id)));
        }
        self.count(seen.state);
        self.name(seen.origin);
        Ok(())
    }

    /// An item has come.
    pub(super) fn count(&mut self, state: QueueState) {
        *self.counts.of(state) += 1;
    }

    /// It has that origin.
    pub(super) fn name(&mut self, origin: Option<Guid>) {
        if let Some(origin) = origin {
            let items = self.items_of(origin) as u32;
            self.origins.insert(origin, items + 1);
        }
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
