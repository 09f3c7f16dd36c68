//! What callers ask an open store to change. Each is one transaction; the answer comes after the sync that covers it.
use super::committer::For;
use super::hand_over::{MoreToCome, line_of};
use super::ops::deliver::Planned;
use super::ops::{append, copy, deliver, expunge, mailboxes, metadata, reached, store, uidls};
use super::ticket::given_up;
use super::txn::Txn;
use super::{Append, Appended, At, Copied, Engine, Expected, Store, Stored, Ticket};
use crate::base::{AccountId, Error, Flags, Guid, MailboxId, Result, Uid};
use crate::delivery::{self, Delivery, Origin, Outcome, Staged, Target};
use crate::directory;
use crate::index::{Account, SpecialUse, UidSet};
use crate::queue::By;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

/// Messages of more bytes are staged by a worker (docs/decisions/0001).
const INLINE_BYTES_MAX: usize = 256 << 10;

impl Engine {
    /// Plans and commits directory changes in one transaction; an answer for each.
    pub fn change_directory(&self, changes: Vec<directory::Change>) -> Ticket<Vec<Result<()>>> {
        self.control.change(changes)
    }

    /// The account's view, made with its default mailboxes (INBOX, Drafts, Sent, Junk, Trash) at its first use.
    pub fn open_account(&self, account: AccountId) -> Ticket<Result<Arc<Account>>> {
        match self.account(account) {
            Err(Error::NotFound(_)) => self.committer_of(account).submit(move |txn| txn.opened(account).cloned()),
            found => Ticket::ready(found),
        }
    }

    /// Takes the \Recent entries for the first session that sees them: those from the uid returned on (RFC 3501 section 2.3.2).
    pub fn claim_recent(&self, account: AccountId, mailbox: MailboxId) -> Ticket<Result<Uid>> {
        match self.mailbox(account, mailbox) {
            Ok(view) if view.recent_from == view.uid_next => Ticket::ready(Ok(view.uid_next)),
            _ => self.committer_of(account).submit(move |txn| expunge::claim_recent(txn, account, mailbox)),
        }
    }

    /// A message has begun to come in: commits under way may wait a moment for it, so that fewer syncs do for all. Drop what is given back when
    /// the delivery has been asked for.
    pub fn expect(&self) -> Expected {
        self.coming.expect()
    }

    /// Parses and compresses `trace` + `message` (CRLF line ends): inline when small, on a worker when large.
    pub fn stage(&self, trace: Vec<u8>, message: Vec<u8>) -> Ticket<Result<Staged>> {
        self.stage_from(0, trace, message)
    }

    /// The same for a client, which `whose` tells from others: they have the workers in turn.
    pub fn stage_from(&self, whose: u64, trace: Vec<u8>, message: Vec<u8>) -> Ticket<Result<Staged>> {
        self.stage_named(whose, trace, message, None)
    }

    pub(super) fn stage_named(
        &self,
        whose: u64,
        trace: Vec<u8>,
        message: Vec<u8>,
        guid: Option<Guid>,
    ) -> Ticket<Result<Staged>> {
        let (mut origin, learning) = (self.origin(), self.learning.clone());
        origin.guid = guid.unwrap_or(origin.guid);
        if message.len() <= INLINE_BYTES_MAX {
            let see = |summary: &[u8], message: &[u8]| learning.see(summary, message);
            return Ticket::ready(delivery::stage(origin, trace, &message, see));
        }
        let see = move |summary: &[u8], message: &[u8]| learning.see(summary, message);
        let (ticket, filler) = Ticket::pending(Err(given_up()));
        self.workers.run(whose, move || filler.fill(delivery::stage(origin, trace, &message, see)));
        ticket
    }

    /// Runs work of the processor that would hold up a reactor: a few milliseconds or more. `Io` if it panics.
    pub fn work<T: Send + 'static>(&self, job: impl FnOnce() -> T + Send + 'static) -> Ticket<Result<T>> {
        let (ticket, filler) = Ticket::pending(Err(given_up()));
        self.workers.run(0, move || filler.fill(Ok(job())));
        ticket
    }

    /// The same for one of many pieces of work that an account asks for at will: looking through messages, sorting. An account has one of them
    /// at a time, others' come in between, and all of them leave a thread to what is quick.
    pub fn work_for<T: Send + 'static>(
        &self,
        account: AccountId,
        job: impl FnOnce() -> T + Send + 'static,
    ) -> Ticket<Result<T>> {
        let (ticket, filler) = Ticket::pending(Err(given_up()));
        self.workers.run_for(account, move || filler.fill(Ok(job())));
        ticket
    }

    pub(super) fn origin(&self) -> Origin {
        Origin { guid: self.next_guid(), received: self.clock.now(), dictionary: self.learning.current() }
    }

    /// Parses and compresses, however long that takes.
    pub(super) fn stage_on_this_thread(&self, trace: Vec<u8>, message: &[u8]) -> Result<Staged> {
        delivery::stage(self.origin(), trace, message, |summary, message| self.learning.see(summary, message))
    }

    /// Trains a dictionary from the samples gathered so far, few or many; by itself it happens now and then. Waits; says whether fresh
    /// mail is compressed with a new one from now on.
    pub fn train_dictionary(&self) -> bool {
        self.learning.train_now()
    }

    /// Commits a message to its targets: one stored copy per shard.
    pub fn deliver(&self, delivery: Delivery) -> Ticket<Outcome> {
        self.deliver_with(0, delivery, None)
    }

    /// The same for a client, which `whose` tells from others: however many messages one has waiting, the next commit has something of everybody.
    pub fn deliver_from(&self, whose: u64, delivery: Delivery) -> Ticket<Outcome> {
        self.deliver_with(whose, delivery, None)
    }

    /// The same for a message some of whose copies wait in the queue for mailboxes here, with `origin` as theirs: its accounts, and those of `dealt`,
    /// which get no copy and want none, get none from there. It waits in one line with what is handed over of it from the queue: a shard has its part
    /// of this before it can be asked for a copy from there. Whoever may queue more with this origin, for those who could not have it now, keeps the second of
    /// what is given back until that is done.
    pub fn deliver_once(
        &self,
        delivery: Delivery,
        origin: Guid,
        dealt: Vec<AccountId>,
    ) -> (Ticket<Outcome>, MoreToCome) {
        // Before its first item is in the queue.
        let more = self.more_to_come(origin);
        (self.deliver_with(line_of(origin), delivery, Some(Arc::new((origin, dealt)))), more)
    }

    fn deliver_with(&self, whose: u64, delivery: Delivery, family: Family) -> Ticket<Outcome> {
        let targets = vec![Err(given_up()); delivery.targets.len()];
        let given_up = Outcome { targets, queued: Err(given_up()), queue_ids: Vec::new() };
        let (ticket, filler) = Ticket::pending(given_up);
        let mut by_shard: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, target) in delivery.targets.iter().enumerate() {
            by_shard.entry((target.account.0 % self.shards.len() as u64) as usize).or_default().push(at);
        }
        let home = by_shard.keys().next().copied().unwrap_or(self.home_of(&delivery));
        if !delivery.queue.is_empty() {
            by_shard.entry(home).or_default();
        }
        let pending = vec![Err(Error::Closed); delivery.targets.len()];
        let outcome = Outcome { targets: pending, queued: Ok(()), queue_ids: Vec::new() };
        let gather = Arc::new(Mutex::new((by_shard.len(), Some((outcome, filler)))));
        let delivery = Arc::new(delivery);
        if by_shard.is_empty() {
            finish(&gather, |_| {});
        }
        // The queue's part last: nobody takes it up before the other shards have their part in their order.
        let last = by_shard.remove(&home).map(|places| (home, places));
        for (shard, places) in by_shard.into_iter().chain(last) {
            let committer = self.shards[shard].committer.on_behalf(whose);
            deliver_to(&committer, places, shard == home, (&delivery, &family), &gather);
        }
        ticket
    }

    /// Where a message for other hosts only is kept: with its sender.
    fn home_of(&self, delivery: &Delivery) -> usize {
        let account = delivery.queue.first().and_then(|item| item.account).unwrap_or_default();
        (account.0 % self.shards.len() as u64) as usize
    }

    /// APPEND: all messages or none. `OverQuota` by the account's own quota.
    pub fn append(&self, account: AccountId, mailbox: MailboxId, messages: Vec<Append>) -> Ticket<Result<Appended>> {
        self.append_at(At::own(account, mailbox), messages)
    }

    /// The same, perhaps in another's mailbox: `OverQuota` by its owner's quota.
    pub fn append_at(&self, at: At, messages: Vec<Append>) -> Ticket<Result<Appended>> {
        self.make_room_for(at);
        let bound = self.bound(at.account);
        self.committer_of(at.account).submit(move |txn| append::plan(txn, at, &messages, bound))
    }

    /// REPLACE (RFC 8508): a message for an entry of the same account, in one transaction. `NotFound` when the entry or the mailbox is gone.
    pub fn replace(&self, entry: (MailboxId, Uid), to: At, message: Append) -> Ticket<Result<Appended>> {
        self.make_room_for(to);
        let bound = self.bound(to.account);
        let plan = move |txn: &mut Txn<'_>| append::replace(txn, entry, (to, &message), bound);
        self.committer_of(to.account).submit(plan)
    }

    /// STORE.
    pub fn store(&self, account: AccountId, mailbox: MailboxId, store: Store) -> Ticket<Result<Stored>> {
        self.store_at(At::own(account, mailbox), store)
    }

    /// The same, perhaps in another's mailbox: what the guest may not change stays as it is.
    pub fn store_at(&self, at: At, store: Store) -> Ticket<Result<Stored>> {
        self.make_room_for(at);
        self.committer_of(at.account).submit(move |txn| store::plan(txn, at, &store))
    }

    /// COPY within an account: moves no message bytes; all or none (`OverQuota`).
    pub fn copy(&self, account: AccountId, from: MailboxId, uids: UidSet, to: MailboxId) -> Ticket<Result<Copied>> {
        self.copy_at(At::own(account, from), uids, At::own(account, to), false)
    }

    /// Whether two accounts share the frames of their messages, so that `copy_at` can be asked for them.
    pub fn share_frames(&self, one: AccountId, other: AccountId) -> bool {
        one.0 % self.shards.len() as u64 == other.0 % self.shards.len() as u64
    }

    /// COPY or MOVE between mailboxes of accounts that share their frames, in one transaction. `OverQuota` by the target's owner's quota.
    pub fn copy_at(&self, from: At, uids: UidSet, to: At, moves: bool) -> Ticket<Result<Copied>> {
        if !self.share_frames(from.account, to.account) {
            return Ticket::ready(Err(Error::Invalid("the accounts lie in different shards".into())));
        }
        self.make_room_for(to);
        let request = copy::Request { from, uids, to, bound: self.bound(to.account), moves };
        self.committer_of(to.account).submit(move |txn| copy::plan(txn, &request))
    }

    /// MOVE within an account (RFC 6851): atomic, and no question of quota.
    pub fn move_entries(
        &self,
        account: AccountId,
        from: MailboxId,
        uids: UidSet,
        to: MailboxId,
    ) -> Ticket<Result<Copied>> {
        self.copy_at(At::own(account, from), uids, At::own(account, to), true)
    }

    /// Removes entries: those of `uids` with \Deleted, or all with \Deleted. Answers which.
    pub fn expunge(&self, account: AccountId, mailbox: MailboxId, uids: Option<UidSet>) -> Ticket<Result<UidSet>> {
        self.committer_of(account)
            .submit(move |txn| expunge::plan(txn, account, mailbox, uids.as_ref(), Flags::DELETED))
    }

    /// POP3's QUIT: removes entries whatever their flags.
    pub fn remove(&self, account: AccountId, mailbox: MailboxId, uids: UidSet) -> Ticket<Result<UidSet>> {
        self.committer_of(account).submit(move |txn| expunge::plan(txn, account, mailbox, Some(&uids), Flags::NONE))
    }

    /// CREATE; parents that do not exist are made too (RFC 3501 section 6.3.3).
    pub fn create_mailbox(
        &self,
        account: AccountId,
        name: &str,
        special_use: Option<SpecialUse>,
    ) -> Ticket<Result<MailboxId>> {
        let name = name.to_owned();
        self.committer_of(account).submit(move |txn| mailboxes::create(txn, account, &name, special_use))
    }

    /// DELETE with all its entries; children stay. INBOX cannot be deleted.
    pub fn delete_mailbox(&self, account: AccountId, name: &str) -> Ticket<Result<()>> {
        let name = name.to_owned();
        self.committer_of(account).submit(move |txn| {
            let mailbox = mailboxes::named(txn, account, &name)?;
            mailboxes::delete(txn, account, mailbox)
        })
    }

    /// The same for a mailbox that was looked up before, whatever it is called by now.
    pub fn delete_mailbox_at(&self, account: AccountId, mailbox: MailboxId) -> Ticket<Result<()>> {
        self.committer_of(account).submit(move |txn| mailboxes::delete(txn, account, mailbox))
    }

    /// RENAME with all children; INBOX's entries move to the new mailbox and INBOX stays (RFC 3501 section 6.3.5).
    pub fn rename_mailbox(&self, account: AccountId, from: &str, to: &str) -> Ticket<Result<()>> {
        let (from, to) = (from.to_owned(), to.to_owned());
        self.committer_of(account).submit(move |txn| {
            let mailbox = mailboxes::named(txn, account, &from)?;
            mailboxes::rename(txn, account, mailbox, &to)
        })
    }

    /// The same for a mailbox that was looked up before, whatever it is called by now.
    pub fn rename_mailbox_at(&self, account: AccountId, mailbox: MailboxId, to: &str) -> Ticket<Result<()>> {
        let to = to.to_owned();
        self.committer_of(account).submit(move |txn| mailboxes::rename(txn, account, mailbox, &to))
    }

    /// SUBSCRIBE and UNSUBSCRIBE.
    pub fn subscribe(&self, account: AccountId, name: &str, on: bool) -> Ticket<Result<()>> {
        let name = name.to_owned();
        self.committer_of(account).submit(move |txn| mailboxes::subscribe(txn, account, &name, on))
    }

    /// Notes unique-ids of POP3 that messages had on the server which they came from; answers how many are new.
    pub fn note_pop3_uidls(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        ids: Vec<(Uid, String)>,
    ) -> Ticket<Result<u64>> {
        self.committer_of(account).submit(move |txn| uidls::note(txn, account, mailbox, &ids))
    }

    /// SETMETADATA: sets annotations of a mailbox, or of the account itself, and takes away those without a value. All or none.
    pub fn set_metadata(
        &self,
        account: AccountId,
        mailbox: Option<MailboxId>,
        entries: Vec<(String, Option<Vec<u8>>)>,
    ) -> Ticket<Result<()>> {
        self.committer_of(account).submit(move |txn| metadata::set(txn, account, mailbox, &entries))
    }
}

/// Asks one shard for its part.
fn deliver_to(
    committer: &For<'_>,
    places: Vec<usize>,
    home: bool,
    (delivery, family): (&Arc<Delivery>, &Family),
    gather: &Arc<Gather>,
) {
    let (plan, family) = (delivery.clone(), family.clone());
    let chosen: Vec<Target> = places.iter().map(|at| delivery.targets[*at].clone()).collect();
    let gather = gather.clone();
    let then = move |answer: Result<Planned>| {
        finish(&gather, |outcome| match answer {
            Ok(Planned { answers, queue_ids }) => {
                places.iter().zip(answers).for_each(|(at, answer)| outcome.targets[*at] = answer);
                outcome.queue_ids.extend(queue_ids);
            }
            Err(why) => {
                places.iter().for_each(|at| outcome.targets[*at] = Err(why.clone()));
                if home {
                    outcome.queued = Err(why);
                }
            }
        });
    };
    committer.submit_then(
        move |txn| {
            let planned = deliver::plan(txn, &plan.staged, &chosen, if home { &plan.queue } else { &[] })?;
            if let Some((origin, dealt)) = family.as_deref() {
                let took = chosen.iter().zip(&planned.answers).filter(|(_, answer)| answer.is_ok());
                let took = took.map(|(target, _)| target.account);
                let mut accounts: Vec<AccountId> = took.chain(dealt.iter().copied().filter(|_| home)).collect();
                accounts.dedup();
                reached::note(txn, *origin, By::default(), accounts)?;
            }
            Ok(planned)
        },
        then,
    );
}

/// What the copies of a message in the queue are known by, and who is dealt with without a copy.
type Family = Option<Arc<(Guid, Vec<AccountId>)>>;

/// The shards that have not answered yet, and what is answered so far.
type Gather = Mutex<(usize, Option<(Outcome, super::ticket::Filler<Outcome>)>)>;

/// Puts one shard's answer in; the last one fills the ticket.
fn finish(gather: &Gather, put: impl FnOnce(&mut Outcome)) {
    let mut state = gather.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some((outcome, _)) = &mut state.1 {
        put(outcome);
    }
    state.0 = state.0.saturating_sub(1);
    let done = if state.0 == 0 { state.1.take() } else { None };
    drop(state);
    if let Some((outcome, filler)) = done {
        filler.fill(outcome);
    }
}
