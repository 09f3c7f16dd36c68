//! The queue: the outcome of an attempt with the mail about it, and what an operator does to items.
use super::deliver;
use crate::base::{Error, QueueId, Result};
use crate::engine::txn::Txn;
use crate::engine::{QueueAction, Settle, Settled};
use crate::format::{Event, Tried};
use crate::queue::{Fate, QueueItem, QueueState};

/// One transaction: notices, results, and the removal of an item that nobody waits for.
pub(in crate::engine) fn settle(txn: &mut Txn<'_>, settle: &Settle) -> Result<Settled> {
    let id = settle.id;
    let Some(item) = txn.queue().get(id) else {
        return Err(Error::NotFound(format!("queue item {id}")));
    };
    let waits = |at: u32| item.progress.get(at as usize).is_some_and(|progress| progress.fate == Fate::Waiting);
    let mut tried: Vec<Tried> = settle.tried.iter().filter(|one| waits(one.recipient)).cloned().collect();
    tried.sort_by_key(|one| one.recipient);
    tried.dedup_by_key(|one| one.recipient);
    let warned: Vec<u32> = settle.warned.iter().copied().filter(|at| waits(*at)).collect();
    let removed = is_done(&item, &tried);
    let (mut lost, mut reports) = (Vec::new(), Vec::new());
    for notice in &settle.notices {
        let planned = deliver::plan(txn, &notice.staged, &notice.targets, &notice.queue)?;
        lost.extend(planned.answers.into_iter().filter_map(Result::err));
        reports.extend(planned.queue_ids);
    }
    // Before the results: only who still waits can be warned.
    if !warned.is_empty() {
        txn.emit(&Event::QueueWarned { id, recipients: warned })?;
    }
    if !tried.is_empty() {
        txn.emit(&Event::QueueTried { id, tried })?;
    }
    if removed {
        txn.emit(&Event::QueueRemoved { id })?;
    }
    Ok(Settled { removed, lost, reports })
}

/// Whether nobody waits after these results.
pub(super) fn is_done(item: &QueueItem, tried: &[Tried]) -> bool {
    let is_final = |at: usize| tried.iter().any(|one| one.recipient as usize == at && one.fate != Fate::Waiting.code());
    item.waiting().all(|(at, _, _)| is_final(at))
}

/// Does it to each item that is there and where it means something; the ids of those.
pub(in crate::engine) fn act(txn: &mut Txn<'_>, ids: &[QueueId], action: QueueAction) -> Result<Vec<QueueId>> {
    let mut done = Vec::new();
    for id in ids {
        let Some(item) = txn.queue().get(*id) else { continue };
        let (held, next_try) = (item.state == QueueState::Hold, item.next_try);
        // What its sender has asked to be held goes at its time, whoever flushes the queue (RFC 4865).
        let due = txn.now.max(item.item.terms.hold_until);
        let waits = due > txn.now;
        let changed = |state: QueueState, next_try| Event::QueueChanged { id: *id, state: state.code(), next_try };
        let event = match action {
            QueueAction::Hold if !held => changed(QueueState::Hold, next_try),
            QueueAction::Release if held && waits => changed(QueueState::Deferred, due),
            QueueAction::Release if held => changed(QueueState::Active, txn.now),
            QueueAction::Retry if !held && !waits => changed(QueueState::Active, txn.now),
            QueueAction::Remove => Event::QueueRemoved { id: *id },
            _ => continue,
        };
        txn.emit(&event)?;
        done.push(*id);
    }
    Ok(done)
}
