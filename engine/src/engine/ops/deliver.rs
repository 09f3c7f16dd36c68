//! Delivery: one frame for all targets that take the message, entries with it, queue items with it. Quota is judged here, where nothing can come between.
use super::{next_modseq, save_date};
use crate::base::{AccountId, Error, Keywords, Load, MailboxId, ModSeq, QueueId, Result, Uid};
use crate::delivery::{Delivered, Place, Staged, Target};
use crate::engine::txn::Txn;
use crate::format::{DeliveredTo, Event};
use crate::index::check_mailbox_name;
use crate::queue::NewQueueItem;
use crate::quota;
use std::collections::HashMap;

/// What is promised to the targets judged before, while no event is out yet.
#[derive(Default)]
struct Promised {
    held: HashMap<AccountId, Load>,
    counters: HashMap<(AccountId, MailboxId), (Uid, ModSeq)>,
}

/// What a delivery comes to, if its group is committed.
pub(in crate::engine) struct Planned {
    /// One for each target, in their order.
    pub(in crate::engine) answers: Vec<Result<Delivered>>,
    /// One for each item for the queue.
    pub(in crate::engine) queue_ids: Vec<QueueId>,
}

/// Judges each target, then writes.
pub(in crate::engine) fn plan(
    txn: &mut Txn<'_>,
    staged: &Staged,
    targets: &[Target],
    queue: &[NewQueueItem],
) -> Result<Planned> {
    let (answers, to) = judge_all(txn, staged, targets.iter());
    let queue_ids = write(txn, staged, to, queue)?;
    Ok(Planned { answers, queue_ids })
}

/// What each target says, and the entries of those that take it.
pub(super) type Judged = (Vec<Result<Delivered>>, Vec<DeliveredTo>);

pub(super) fn judge_all<'a>(txn: &mut Txn<'_>, staged: &Staged, targets: impl Iterator<Item = &'a Target>) -> Judged {
    let mut promised = Promised::default();
    let (mut to, mut answers) = (Vec::new(), Vec::new());
    for target in targets {
        answers.push(judge(txn, staged, target, &mut promised).map(|copy| {
            let delivered = Delivered { mailbox: copy.mailbox, uid: copy.uid };
            to.push(copy);
            delivered
        }));
    }
    (answers, to)
}

/// The message's frame, if anybody is to have it, with the entries and the items; the items' numbers.
pub(super) fn write<'a>(
    txn: &mut Txn<'_>,
    staged: &Staged,
    to: Vec<DeliveredTo>,
    queue: impl IntoIterator<Item = &'a NewQueueItem>,
) -> Result<Vec<QueueId>> {
    let mut queue = queue.into_iter().peekable();
    if to.is_empty() && queue.peek().is_none() {
        return Ok(Vec::new());
    }
    let locator = txn.put_message(staged)?;
    let (guid, size_bytes) = (staged.guid, staged.size_bytes);
    if !to.is_empty() {
        let (internal_date, save_date) = (staged.received, save_date(txn.now));
        txn.emit(&Event::Delivered { guid, locator, size_bytes, internal_date, save_date, to })?;
    }
    let mut queue_ids = Vec::new();
    for item in queue {
        let mut bytes = Vec::new();
        item.encode(&mut bytes);
        let (id, created) = (txn.next_queue_id(), txn.now);
        queue_ids.push(id);
        txn.emit(&Event::Queued { id, guid, locator, size_bytes, created, item: bytes })?;
    }
    Ok(queue_ids)
}

fn judge(txn: &mut Txn<'_>, staged: &Staged, target: &Target, promised: &mut Promised) -> Result<DeliveredTo> {
    let account = txn.opened(target.account)?;
    let before = promised.held.get(&account.id).copied().unwrap_or_else(|| account.load());
    let held = quota::admit(before, Load { bytes: staged.size_bytes.into(), messages: 1 }, target.bound)?;
    let mailbox = place(txn, target)?;
    let view = txn.mailbox(target.account, mailbox)?;
    let (uid, modseq) = match promised.counters.get(&(target.account, mailbox)) {
        Some((uid, modseq)) => (Uid(uid.0 + 1), ModSeq(modseq.0 + 1)),
        None => (view.uid_next, next_modseq(view)),
    };
    if uid.0 == u32::MAX {
        return Err(Error::Limit(format!(
            "the uids of mailbox {} are used up; rename it and make a new one",
            view.name
        )));
    }
    promised.held.insert(target.account, held);
    promised.counters.insert((target.account, mailbox), (uid, modseq));
    let keywords = Keywords::default();
    Ok(DeliveredTo { account: target.account, mailbox, uid, modseq, flags: target.flags, keywords })
}

fn place(txn: &mut Txn<'_>, target: &Target) -> Result<MailboxId> {
    let account = txn.account(target.account)?;
    match &target.place {
        Place::Inbox => Ok(MailboxId::INBOX),
        Place::For(special_use) => Ok(account.mailbox_for(*special_use).map_or(MailboxId::INBOX, |found| found.id)),
        Place::Id(id) => match account.mailbox(*id) {
            Some(found) => Ok(found.id),
            None => Err(Error::NotFound("the mailbox".into())),
        },
        Place::Named(name) => {
            let name = check_mailbox_name(name)?;
            match account.mailbox_named(&name) {
                Some(found) => Ok(found.id),
                None => super::mailboxes::create(txn, target.account, &name, None),
            }
        }
    }
}
