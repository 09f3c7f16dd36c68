//! One request's changes on the committer's thread: each event is folded into the newest state at once and written with the group.
//! A request checks everything before its first event: after that it can only succeed.
use super::parts::TailParts;
use super::promises::Promises;
use crate::base::limits::EVENT_FRAME_BYTES;
use crate::base::{AccountId, Error, Locator, MailboxId, QueueId, Result, ShardId};
use crate::delivery::{Dictionaries, Dictionary, Staged};
use crate::format::{Event, FrameKind};
use crate::index::{Account, Accounts, Mailbox};
use crate::log::Writer;
use crate::queue::Queue;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

/// What a group has changed so far.
#[derive(Default)]
pub(crate) struct Touched {
    pub(crate) accounts: HashMap<AccountId, BTreeSet<MailboxId>>,
    /// Queue items that came, changed or went.
    pub(crate) queue: Vec<QueueId>,
    /// Whether notes of whom messages have reached came or went.
    pub(crate) reached: bool,
    /// Dictionaries that were written with the group.
    pub(crate) dictionaries: Vec<u16>,
    /// Bytes of its events.
    pub(crate) event_bytes: u64,
}

impl Touched {
    /// Whether the queue is another than before.
    pub(crate) fn has_queue(&self) -> bool {
        self.reached || !self.queue.is_empty()
    }

    /// Bytes by which the queue and the dictionaries in a checkpoint grow at most: a number, a segment and an offset for each dictionary,
    /// and of the queue no more than what its events say, with counters that they do not.
    pub(crate) fn state_bytes(&self) -> u64 {
        let queue = if self.has_queue() { 2 * self.event_bytes + 64 * self.queue.len() as u64 } else { 0 };
        queue + 16 * self.dictionaries.len() as u64
    }
}

/// The state as one request sees it: committed groups and the requests before it in its own group.
pub(crate) struct Txn<'a> {
    pub(super) accounts: &'a mut Accounts,
    pub(super) queue: &'a mut Queue,
    pub(super) writer: &'a mut Writer,
    pub(super) dictionaries: &'a Dictionaries,
    pub(super) promises: &'a Promises,
    pub(super) parts: &'a mut TailParts,
    pub(super) touched: &'a mut Touched,
    /// Seconds since 1970 UTC.
    pub(crate) now: i64,
    pub(super) shard: ShardId,
    pub(super) queued: u64,
    /// Events that are not written with the group yet.
    pub(super) events: Vec<u8>,
    /// Whether there was an event.
    pub(super) changed: bool,
    /// Why what the request did must be forgotten.
    pub(super) failed: Option<Error>,
}

impl Txn<'_> {
    /// The account; it must have been used.
    pub(crate) fn account(&mut self, id: AccountId) -> Result<&Arc<Account>> {
        let found = self.accounts.get(id)?.filter(|account| !account.is_purged());
        found.ok_or_else(|| Error::NotFound(format!("account {id}")))
    }

    /// The account, opened with its default mailboxes if this is its first use.
    pub(crate) fn opened(&mut self, id: AccountId) -> Result<&Arc<Account>> {
        if self.accounts.get(id)?.is_none() {
            let uid_validity = u32::try_from(self.now).unwrap_or(u32::MAX / 2).max(1);
            self.emit(&Event::AccountOpened { account: id, uid_validity })?;
        }
        self.account(id)
    }

    /// The mailbox of an account that was used.
    pub(crate) fn mailbox(&mut self, id: AccountId, mailbox: MailboxId) -> Result<&Arc<Mailbox>> {
        self.account(id)?.mailbox(mailbox).ok_or_else(|| Error::NotFound("the mailbox".into()))
    }

    /// The queue with the changes so far.
    pub(crate) fn queue(&self) -> &Queue {
        self.queue
    }

    /// A queue id that was never used: where in the log this request's events will stand, and the shard. Each `Queued` event takes
    /// more than one byte of log, so counting bytes on keeps the ids of one request apart from those of the next.
    pub(crate) fn next_queue_id(&mut self) -> QueueId {
        let lsn = self.writer.end().0 + self.writer.group_bytes() as u64 + self.queued;
        self.queued += 1;
        QueueId(lsn << 16 | u64::from(self.shard.0))
    }

    /// Writes the message's frame with the group, and before it its dictionary if the shard's log does not have that yet.
    pub(crate) fn put_message(&mut self, staged: &Staged) -> Result<Locator> {
        let dictionary = match &staged.dictionary {
            None => 0,
            Some(dictionary) => self.dictionary_id(dictionary)?,
        };
        let segment = self.writer.segment()?;
        let mut offsets = Vec::with_capacity(staged.parts.len());
        for part in &staged.parts {
            offsets.push(match self.parts.find(segment, &part.hash) {
                Some(offset) => offset,
                None => {
                    let at = self.writer.push(FrameKind::Part, part.flags, 0, &[&part.payload])?;
                    self.parts.add(at, part.hash);
                    at.offset
                }
            });
        }
        let recipe = staged.recipe(&offsets);
        self.writer.push(FrameKind::Message, staged.flags, dictionary, &[&staged.front, &recipe, &staged.body])
    }

    /// A group is durable as a whole, so a dictionary in front of a message is durable before anybody can be told of the message.
    fn dictionary_id(&mut self, dictionary: &Arc<Dictionary>) -> Result<u16> {
        if let Some(id) = self.dictionaries.id_of(dictionary.name()) {
            return Ok(id);
        }
        let next = self.dictionaries.next_id();
        let id = next.ok_or_else(|| Error::Limit("a shard has at most 65535 dictionaries".into()))?;
        let (payload, flags) = dictionary.encode();
        let at = self.writer.push(FrameKind::Dictionary, flags, id, &[&payload])?;
        self.dictionaries.add(id, at, dictionary.clone());
        self.touched.dictionaries.push(id);
        Ok(id)
    }

    /// Folds an event in and writes it with the group.
    pub(crate) fn emit(&mut self, event: &Event) -> Result<()> {
        self.touch(event);
        let folded = self.accounts.apply(event).and_then(|()| self.queue.apply(event));
        if let Err(why) = &folded {
            // A half of it may be folded in: the group must be forgotten as a whole.
            self.failed = Some(why.clone());
        }
        folded?;
        event.encode(&mut self.events);
        self.changed = true;
        if self.events.len() >= EVENT_FRAME_BYTES {
            self.write_events()?;
        }
        Ok(())
    }

    /// Forgets the request's events, if there were any, and answers it with `why`: for one that fails halfway and must leave nothing.
    pub(crate) fn spoil(&mut self, why: &Error) {
        if self.changed && self.failed.is_none() {
            self.failed = Some(why.clone());
        }
    }

    /// Large requests take several frames: none of a group is believed after a crash unless all are.
    fn write_events(&mut self) -> Result<()> {
        let written = self.writer.push(FrameKind::Events, 0, 0, &[&self.events]);
        self.touched.event_bytes += self.events.len() as u64;
        self.events.clear();
        written.map(drop).inspect_err(|why| self.failed = Some(why.clone()))
    }

    /// The same for an event that changes mailboxes it does not name: who watches them is woken.
    pub(crate) fn emit_for(&mut self, event: &Event, account: AccountId, mailboxes: Vec<MailboxId>) -> Result<()> {
        self.emit(event)?;
        self.touched.accounts.entry(account).or_default().extend(mailboxes);
        Ok(())
    }

    fn touch(&mut self, event: &Event) {
        let mut place = |account: AccountId, mailbox: Option<MailboxId>| {
            let mailboxes = self.touched.accounts.entry(account).or_default();
            mailboxes.extend(mailbox);
        };
        match event {
            Event::AccountOpened { account, .. }
            | Event::Subscribed { account, .. }
            | Event::MetadataSet { account, .. }
            | Event::AccountPurged { account } => place(*account, None),
            Event::MailboxMade { account, mailbox, .. }
            | Event::MailboxRenamed { account, mailbox, .. }
            | Event::MailboxRemoved { account, mailbox }
            | Event::KeywordMade { account, mailbox, .. }
            | Event::FlagsChanged { account, mailbox, .. }
            | Event::SeenChanged { account, mailbox, .. }
            | Event::Expunged { account, mailbox, .. }
            | Event::RecentClaimed { account, mailbox, .. }
            | Event::Skipped { account, mailbox, .. } => place(*account, Some(*mailbox)),
            Event::Delivered { to, .. } => to.iter().for_each(|copy| place(copy.account, Some(copy.mailbox))),
            Event::Queued { id, .. }
            | Event::QueueChanged { id, .. }
            | Event::QueueRemoved { id }
            | Event::QueueTried { id, .. }
            | Event::QueueWarned { id, .. } => self.touched.queue.push(*id),
            Event::Reached { .. } | Event::ReachedForgotten { .. } => self.touched.reached = true,
            // Written by repair, which has the store for itself.
            Event::Mending(_) => {}
        }
    }

    /// Adds the request's last events to the group. An error: what it did must be forgotten.
    pub(super) fn finish(mut self) -> Result<()> {
        if self.failed.is_none() && !self.events.is_empty() {
            self.write_events()?;
        }
        self.failed.map_or(Ok(()), Err)
    }
}
