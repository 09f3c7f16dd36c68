//! A message of the queue for accounts here, in whatever shards: first those of other shards, with notes, then the item's own with the note that its
//! recipient is done. Where that stops in between, the queue begins again, and nobody gets it twice.
use super::ops::reached;
use super::{Engine, HandOver, HandedOver};
use crate::base::limits::REACHED_LEFT_SECONDS;
use crate::base::{AccountId, Error, Guid, QueueId, Result};
use crate::delivery::{Delivered, Target};
use crate::queue::{By, Queue, QueueItem};
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Where the requests about one message wait, in their order: each finds what those before it have noted. Other messages have turns of their own.
pub(super) fn line_of(origin: Guid) -> u64 {
    u128::from_be_bytes(origin.0) as u64 ^ (u128::from_be_bytes(origin.0) >> 64) as u64
}

/// Messages of which more may come into the queue than is there, and how many wait for that. What is there may be done with before the rest has come: whom it
/// has reached has to be known then.
#[derive(Default)]
pub(super) struct Unfinished(Mutex<HashMap<Guid, usize>>);

impl Unfinished {
    fn lock(&self) -> MutexGuard<'_, HashMap<Guid, usize>> {
        // What is behind this lock is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn has(&self, origin: Guid) -> bool {
        self.lock().contains_key(&origin)
    }
}

/// While it lives nobody forgets whom a message has reached: more of it may come into the queue.
#[must_use = "what it stands for ends when it is dropped"]
pub struct MoreToCome {
    origin: Guid,
    all: Arc<Unfinished>,
}

impl Drop for MoreToCome {
    fn drop(&mut self) {
        let mut all = self.all.lock();
        match all.get_mut(&self.origin) {
            Some(waiting) if *waiting > 1 => *waiting -= 1,
            _ => drop(all.remove(&self.origin)),
        }
    }
}

impl Engine {
    /// Delivers to a recipient, and notes it. Whoever cannot have its copies now gets them by way of the queue. `None`: the item was removed meanwhile, or the
    /// recipient waits no longer.
    ///
    /// # Errors
    /// What the first account says when nobody can take it and nothing goes on: then nothing is done.
    pub async fn queue_hand_over(&self, asked: HandOver) -> Result<Option<HandedOver>> {
        let (Some(shard), Some(item)) = (self.queue_shard(asked.id), self.queue_item(asked.id)) else {
            return Ok(None);
        };
        let by = By { id: asked.id, recipient: asked.recipient };
        if !item.waiting().any(|(at, _, _)| at == by.recipient as usize) {
            return Ok(None);
        }
        let (origin, asked) = (item.origin(), Arc::new(asked));
        let elsewhere = self.hand_over_elsewhere(&asked, (origin, by)).await;
        // Asked in this order: what is finished between the two is in the queue.
        let is_awaited = self.unfinished.has(origin)
            || self.queues().iter().enumerate().any(|(at, queue)| {
                // What the item's own shard has, its transaction sees.
                at != usize::from(by.id.0 as u16) && queue.items_of(origin) > 0
            });
        let plan = move |txn: &mut super::txn::Txn<'_>| reached::hand_over(txn, &asked, &elsewhere, is_awaited);
        let Some((done, is_over)) = shard.committer.on_behalf(line_of(origin)).submit(plan).await? else {
            return Ok(None);
        };
        if is_over {
            self.forget_reached(&[origin]);
        }
        Ok(Some(done))
    }

    /// What comes of the targets in other shards than the item's; `None` for those in it.
    async fn hand_over_elsewhere(
        &self,
        asked: &Arc<HandOver>,
        note: (Guid, By),
    ) -> Vec<Option<Result<Option<Delivered>>>> {
        let mut by_shard: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        let mut done = vec![None; asked.delivery.targets.len()];
        for (at, target) in asked.delivery.targets.iter().enumerate() {
            if !self.holds(asked.id, target.account) {
                by_shard.entry((target.account.0 % self.shards.len() as u64) as usize).or_default().push(at);
            }
        }
        let mut tickets = Vec::with_capacity(by_shard.len());
        for (shard, places) in by_shard {
            let (asked, chosen) = (asked.clone(), places.clone());
            let ticket = self.shards[shard].committer.on_behalf(line_of(note.0)).submit(move |txn| {
                let targets: Vec<&Target> = chosen.iter().map(|at| &asked.delivery.targets[*at]).collect();
                reached::receive(txn, note, &asked.delivery.staged, &targets)
            });
            tickets.push((places, ticket));
        }
        for (places, ticket) in tickets {
            match ticket.await {
                Ok(copies) => places.iter().zip(copies).for_each(|(at, copy)| done[*at] = Some(copy)),
                Err(why) => places.iter().for_each(|at| done[*at] = Some(Err(why.clone()))),
            }
        }
        done
    }

    /// By which item's recipient a message has come to an account already, as far as that is still noted.
    pub fn reached_by(&self, item: &QueueItem, account: AccountId) -> Option<By> {
        let origin = item.origin();
        let own = self.shard(account).shared.published.queue().reached_by(origin, account);
        own.or_else(|| self.queue_shard(item.id)?.shared.published.queue().reached_by(origin, account))
    }

    /// More of a message may come into the queue than what is put in at once.
    pub(super) fn more_to_come(&self, origin: Guid) -> MoreToCome {
        *self.unfinished.lock().entry(origin).or_default() += 1;
        MoreToCome { origin, all: self.unfinished.clone() }
    }

    /// Forgets what a crash has left behind of whom messages have reached.
    pub fn sweep_reached(&self) {
        let now = self.clock.now();
        let unfinished: Vec<Guid> = self.unfinished.lock().keys().copied().collect();
        let queues = self.queues();
        let old = queues.iter().flat_map(Queue::noted).filter(|(_, when)| when + REACHED_LEFT_SECONDS < now);
        let is_awaited = |origin: &Guid| {
            let named = QueueItem::named_by(*origin).is_some_and(|id: QueueId| self.queue_item(id).is_some());
            named || unfinished.contains(origin) || queues.iter().any(|queue| queue.items_of(*origin) > 0)
        };
        let mut left: Vec<Guid> = old.map(|(origin, _)| origin).filter(|origin| !is_awaited(origin)).collect();
        left.sort_unstable();
        left.dedup();
        self.forget_reached(&left);
    }

    /// Nobody waits for it: what does not come to pass now, the sweep does.
    fn forget_reached(&self, origins: &[Guid]) {
        for shard in &self.shards {
            let queue = shard.shared.published.queue();
            let known: Vec<Guid> = origins.iter().copied().filter(|origin| queue.notes(*origin)).collect();
            if !known.is_empty() {
                shard.committer.on_behalf(line_of(known[0])).submit_then(
                    move |txn| reached::forget(txn, &known),
                    |done: Result<(), Error>| {
                        if let Err(why) = done {
                            tracing::debug!(%why, "notes of whom messages have reached stay a while");
                        }
                    },
                );
            }
        }
    }
}
