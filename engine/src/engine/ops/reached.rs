//! Copies of what is in the queue for several: an account gets one, and what is in other shards than the item's is noted there until the item is done
//! (docs/format.md, "Reached accounts").
use super::{deliver, queue};
use crate::base::limits::REACHED_ACCOUNTS_MAX;
use crate::base::{AccountId, Error, Guid, QueueId, Result};
use crate::delivery::{Delivered, Staged, Target};
use crate::engine::txn::Txn;
use crate::engine::{Copies, HandOver, HandedOver};
use crate::format::{DeliveredTo, Event, Tried};
use crate::queue::{By, Fate, NewQueueItem, QueueItem};
use std::collections::HashMap;
use std::sync::Arc;

/// What each target says: all copies of an account are taken, or none is.
fn judge(txn: &mut Txn<'_>, origin: Guid, staged: &Staged, targets: &[&Target]) -> (Copies, Vec<DeliveredTo>) {
    let has_it = |target: &&Target| txn.queue().reached_by(origin, target.account).is_some();
    let had: Vec<bool> = targets.iter().map(has_it).collect();
    let wanted: Vec<&Target> = targets.iter().zip(&had).filter(|(_, had)| !**had).map(|(target, _)| *target).collect();
    let (answers, mut to) = deliver::judge_all(txn, staged, wanted.iter().copied());
    let mut refused: HashMap<AccountId, Error> = HashMap::new();
    for (target, answer) in wanted.iter().zip(&answers) {
        if let Err(why) = answer {
            refused.entry(target.account).or_insert_with(|| why.clone());
        }
    }
    to.retain(|copy| !refused.contains_key(&copy.account));
    let mut answers = answers.into_iter();
    let one = |(target, had): (&&Target, bool)| match (had, refused.get(&target.account)) {
        (true, _) => Ok(None),
        (false, Some(why)) => answers.next().map_or(Ok(None), |_| Err(why.clone())),
        (false, None) => answers.next().transpose(),
    };
    (targets.iter().zip(had).map(one).collect(), to)
}

fn accounts(to: &[DeliveredTo]) -> Vec<AccountId> {
    let mut accounts: Vec<AccountId> = to.iter().map(|copy| copy.account).collect();
    accounts.sort_unstable();
    accounts.dedup();
    accounts
}

/// Notes whom a message has reached, within bounds.
pub(in crate::engine) fn note(txn: &mut Txn<'_>, origin: Guid, by: By, accounts: Vec<AccountId>) -> Result<()> {
    if accounts.is_empty() {
        return Ok(());
    }
    while txn.queue().noted_accounts() + accounts.len() > REACHED_ACCOUNTS_MAX {
        let Some(oldest) = txn.queue().noted_first() else { break };
        tracing::warn!(%oldest, "too many notes of whom messages have reached: the oldest are forgotten");
        txn.emit(&Event::ReachedForgotten { origins: vec![oldest] })?;
    }
    txn.emit(&Event::Reached { origin, id: by.id, recipient: by.recipient, when: txn.now, accounts })
}

/// One transaction: copies in another shard than the item's, with the note of who has them.
pub(in crate::engine) fn receive(
    txn: &mut Txn<'_>,
    (origin, by): (Guid, By),
    staged: &Staged,
    targets: &[&Target],
) -> Result<Copies> {
    let (copies, to) = judge(txn, origin, staged, targets);
    let taken = accounts(&to);
    deliver::write(txn, staged, to, [])?;
    note(txn, origin, by, taken)?;
    Ok(copies)
}

/// One transaction: the copies in the item's shard, what goes on, what is to be had later, and that the recipient is done. `elsewhere` has what came of
/// the targets in other shards; `is_awaited`: another shard has an item of the same origin. Says besides whether the message is done with. `None`: the item is
/// gone or the recipient waits no longer.
///
/// # Errors
/// The first refusal, when nobody can take it and nothing goes on: then nothing is done.
pub(in crate::engine) fn hand_over(
    txn: &mut Txn<'_>,
    asked: &HandOver,
    elsewhere: &[Option<Result<Option<Delivered>>>],
    is_awaited: bool,
) -> Result<Option<(HandedOver, bool)>> {
    let HandOver { id, recipient, reply, delivery, dealt, later, notice } = asked;
    let waits = |item: &Arc<QueueItem>| item.waiting().any(|(at, _, _)| at == *recipient as usize);
    let Some(item) = txn.queue().get(*id).filter(waits) else { return Ok(None) };
    let (origin, staged) = (item.origin(), &delivery.staged);
    let here: Vec<&Target> =
        delivery.targets.iter().zip(elsewhere).filter(|(_, done)| done.is_none()).map(|(target, _)| target).collect();
    let (copies, to) = judge(txn, origin, staged, &here);
    let mut copies = copies.into_iter();
    let whole = elsewhere.iter().map(|done| done.clone().or_else(|| copies.next()).unwrap_or(Err(Error::Closed)));
    let copies: Copies = whole.collect();
    let (waiting, onward) = not_now(delivery.targets.iter().zip(&copies), later);
    let is_nowhere = delivery.queue.is_empty() && !copies.iter().any(Result::is_ok);
    if let Some(why) = copies.iter().find_map(|copy| copy.as_ref().err()).filter(|_| is_nowhere) {
        return Err(why.clone());
    }
    let mut taken = accounts(&to);
    taken.extend(dealt);
    let mut ids = deliver::write(txn, staged, to, delivery.queue.iter().chain(&onward))?;
    let late = ids.split_off(delivery.queue.len().min(ids.len()));
    let notice = notice.as_ref().filter(|_| copies.iter().all(Result::is_ok));
    let reports =
        notice.map(|notice| deliver::plan(txn, &notice.staged, &notice.targets, &notice.queue)).transpose()?;
    let reports = reports.map_or_else(Vec::new, |planned| planned.queue_ids);
    let tried = Tried { recipient: *recipient, fate: Fate::Relayed.code(), next_try: txn.now, reply: reply.clone() };
    let removed = queue::is_done(&item, std::slice::from_ref(&tried));
    txn.emit(&Event::QueueTried { id: *id, tried: vec![tried] })?;
    if removed {
        txn.emit(&Event::QueueRemoved { id: *id })?;
    }
    let is_over = is_over(txn, *id, origin) && !is_awaited;
    match is_over {
        true if txn.queue().notes(origin) => txn.emit(&Event::ReachedForgotten { origins: vec![origin] })?,
        true => {}
        false => note(txn, origin, By { id: *id, recipient: *recipient }, taken)?,
    }
    let later = waiting.into_iter().zip(late).collect();
    Ok(Some((HandedOver { copies, queue_ids: ids, later, reports }, is_over)))
}

/// Who cannot take it now, each once, with what is queued for it.
fn not_now<'a>(
    copies: impl Iterator<Item = (&'a Target, &'a Result<Option<Delivered>>)>,
    later: &dyn Fn(AccountId) -> NewQueueItem,
) -> (Vec<AccountId>, Vec<NewQueueItem>) {
    let mut waiting: Vec<AccountId> =
        copies.filter(|(_, copy)| copy.is_err()).map(|(target, _)| target.account).collect();
    waiting.dedup();
    let items = waiting.iter().map(|account| later(*account)).collect();
    (waiting, items)
}

/// Whether this shard's queue holds nothing more of a message, `id` included.
fn is_over(txn: &Txn<'_>, id: QueueId, origin: Guid) -> bool {
    let queue = txn.queue();
    queue.items_of(origin) == 0 && queue.get(id).is_none_or(|item| item.origin() != origin)
}

/// Forgets whom messages have reached.
pub(in crate::engine) fn forget(txn: &mut Txn<'_>, origins: &[Guid]) -> Result<()> {
    let known: Vec<Guid> = origins.iter().copied().filter(|origin| txn.queue().notes(*origin)).collect();
    if known.is_empty() {
        return Ok(());
    }
    txn.emit(&Event::ReachedForgotten { origins: known })
}
