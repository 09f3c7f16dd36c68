//! The queue as callers see and change it: items by id, pages, the outcome of an attempt, what an operator does. Sends nothing.
use super::ops::{away, deliver, queue};
use super::shard::Shard;
use super::txn::Txn;
use super::{Answer, Bytes, Engine, QueueAction, QueueWatch, Settle, Settled, Ticket};
use crate::base::{AccountId, Error, QueueId, Result};
use crate::delivery::Staged;
use crate::queue::{NewQueueItem, Queue, QueueItem};
use std::collections::BTreeMap;
use std::sync::Arc;

fn missing(id: QueueId) -> Error {
    Error::NotFound(format!("queue item {id}"))
}

impl Engine {
    /// The shard that an id names, if there is one.
    pub(super) fn queue_shard(&self, id: QueueId) -> Option<&Shard> {
        self.shards.get(usize::from(id.0 as u16))
    }

    /// All queue items by id. For a store with a large queue `queues` and `queue_page` are cheaper.
    pub fn queue(&self) -> Vec<Arc<QueueItem>> {
        let mut items: Vec<_> = self.queues().iter().flat_map(Queue::iter).collect();
        items.sort_unstable_by_key(|item| item.id);
        items
    }

    /// The queue of each shard as of its last commit. Copies no items.
    pub fn queues(&self) -> Vec<Queue> {
        self.shards.iter().map(|shard| shard.shared.published.queue()).collect()
    }

    /// The first `count_max` items above `after` that `wanted` takes, by id.
    pub fn queue_page(
        &self,
        after: QueueId,
        count_max: usize,
        wanted: impl Fn(&QueueItem) -> bool,
    ) -> Vec<Arc<QueueItem>> {
        let queues = self.queues();
        let fitting = |queue| Queue::after(queue, after).filter(|item| wanted(item)).peekable();
        let mut rests: Vec<_> = queues.iter().map(fitting).collect();
        let mut items = Vec::with_capacity(count_max.min(1024));
        // Of each shard no more is unpacked than the page holds.
        while items.len() < count_max {
            let next = rests.iter_mut().filter_map(|rest| rest.peek().map(|item| item.id)).min();
            let Some(next) = next else { break };
            items.extend(rests.iter_mut().find_map(|rest| rest.next_if(|item| item.id == next)));
        }
        items
    }

    /// One item as of the last commit.
    pub fn queue_item(&self, id: QueueId) -> Option<Arc<QueueItem>> {
        self.queue_shard(id)?.shared.published.queue_item(id)
    }

    /// The message of a queue item.
    pub fn queue_message(&self, id: QueueId) -> Ticket<Result<Bytes>> {
        let (Some(shard), Some(item)) = (self.queue_shard(id), self.queue_item(id)) else {
            return Ticket::ready(Err(missing(id)));
        };
        self.message_at((shard, 0), item.locator, item.size_bytes)
    }

    /// The queue's changes from now on, for the one who sends its messages.
    pub fn watch_queue(&self) -> QueueWatch {
        self.queue_feed.watch()
    }

    /// Whether a queue item and an account are in one shard, so that one transaction can change both.
    pub fn holds(&self, id: QueueId, account: AccountId) -> bool {
        account.0 % self.shards.len() as u64 == u64::from(id.0 as u16)
    }

    /// Notes what came of an attempt; an item that nobody waits for any more goes in the same commit.
    ///
    /// # Errors
    /// `NotFound` when the item was removed meanwhile; `Invalid` for a notice to an account of another shard.
    pub fn queue_settle(&self, settle: Settle) -> Ticket<Result<Settled>> {
        let Some(shard) = self.queue_shard(settle.id) else {
            return Ticket::ready(Err(missing(settle.id)));
        };
        let targets = settle.notices.iter().flat_map(|notice| &notice.targets);
        if targets.into_iter().any(|target| !self.holds(settle.id, target.account)) {
            return Ticket::ready(Err(Error::Invalid("a notice to an account of another shard".into())));
        }
        shard.committer.submit(move |txn| queue::settle(txn, &settle))
    }

    /// Queues an answer for somebody who is away and remembers its receiver, in one transaction. `None`: that sender was answered before.
    pub fn answer_once(&self, answer: Answer) -> Ticket<Result<Option<QueueId>>> {
        self.committer_of(answer.account).submit(move |txn| away::plan(txn, &answer))
    }

    /// Queues a message in the shard of an account, whoever submits it: numbers in their order.
    pub fn queue_beside(
        &self,
        account: AccountId,
        staged: Staged,
        items: Vec<NewQueueItem>,
    ) -> Ticket<Result<Vec<QueueId>>> {
        let plan = move |txn: &mut Txn<'_>| deliver::plan(txn, &staged, &[], &items).map(|planned| planned.queue_ids);
        self.committer_of(account).submit(plan)
    }

    /// Does something to items, a transaction for each shard concerned: a ticket each, with the ids of those that it changed.
    pub fn queue_act(&self, ids: &[QueueId], action: QueueAction) -> Vec<Ticket<Result<Vec<QueueId>>>> {
        let mut by_shard: BTreeMap<u16, Vec<QueueId>> = BTreeMap::new();
        ids.iter().for_each(|id| by_shard.entry(id.0 as u16).or_default().push(*id));
        let known = by_shard.into_iter().filter_map(|(number, ids)| Some((self.shards.get(usize::from(number))?, ids)));
        known.map(|(shard, ids)| shard.committer.submit(move |txn| queue::act(txn, &ids, action))).collect()
    }

    /// Takes an item off the queue.
    pub fn queue_remove(&self, id: QueueId) -> Ticket<Result<()>> {
        let Some(shard) = self.queue_shard(id) else {
            return Ticket::ready(Err(missing(id)));
        };
        shard.committer.submit(move |txn| match queue::act(txn, &[id], QueueAction::Remove)?.is_empty() {
            true => Err(missing(id)),
            false => Ok(()),
        })
    }
}
