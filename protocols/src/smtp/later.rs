//! A message that some got and others could not have for a moment: it is read back from one who has it and queued there for the others, who
//! get it when their shard takes mail again. Without this they would be reported as failed though nothing is wrong with them.
use super::circles::is_group;
use super::deliver::Committed;
use super::role::Role;
use super::state::{Rcpt, Session, Transaction};
use crate::dsn::without_success;
use crate::placing;
use posthouse_engine::Bytes;
use posthouse_engine::base::{AccountId, Error, QueueId, Result};
use posthouse_engine::delivery::Delivered;
use posthouse_engine::directory::Recipient;
use posthouse_engine::mailflow::Verdict;
use posthouse_engine::queue::{Arrival, NewQueueItem, Placed, QueueRecipient};

/// What is to be queued, and for whom: an account, or the copies for other hosts.
type Late = Vec<(Option<AccountId>, NewQueueItem)>;

impl Session {
    /// Queues what may still be had later. What cannot be queued stays failed, and its sender hears of it.
    pub(super) async fn queue_for_later(
        &self,
        transaction: &Transaction,
        (verdicts, arrival): (&[Verdict], &Arrival),
        queue: Vec<NewQueueItem>,
        committed: &mut Committed,
    ) {
        let late = self.late(transaction, (verdicts, arrival), queue, committed);
        if late.is_empty() || !committed.is_anywhere() {
            // With nobody who has it the client still has it, and hears so.
            return;
        }
        let done = match self.read_back(committed).await {
            Ok((beside, bytes)) => self.queue_beside(beside, bytes, &late).await,
            Err(error) => Err(error),
        };
        match done {
            Err(error) => tracing::error!(id = transaction.id, %error, "copies could not be queued for later"),
            Ok(ids) => {
                tracing::warn!(id = transaction.id, copies = ids.len(), "some recipients get the message later");
                let externals = late.iter().zip(&ids).filter(|((account, _), _)| account.is_none());
                let externals: Vec<QueueId> = externals.map(|(_, id)| *id).collect();
                if !externals.is_empty() {
                    committed.set_queued(externals);
                }
                let accounts = late.iter().zip(ids).filter_map(|((account, _), id)| Some(((*account)?, id)));
                committed.later.extend(accounts);
            }
        }
    }

    /// Copies that failed for want of what may come again.
    fn late(
        &self,
        transaction: &Transaction,
        (verdicts, arrival): (&[Verdict], &Arrival),
        queue: Vec<NewQueueItem>,
        committed: &Committed,
    ) -> Late {
        let mut late = Late::new();
        let passed = transaction.recipients.iter().zip(verdicts).filter(|(_, verdict)| verdict.refusal.is_none());
        for (rcpt, recipient, placed) in passed.flat_map(|(rcpt, verdict)| copies(rcpt, verdict)) {
            let fits = recipient.bound.is_none_or(|bound| committed.size_bytes <= bound.bytes_max);
            // By LMTP each recipient hears of itself.
            let waits = is_group(rcpt) || (fits && self.role != Role::Lmtp);
            let is_late = |error: &Error| error.is_transient() || (waits && is_full(error));
            let failed = |copy: &Result<Delivered>| matches!(copy, Err(error) if is_late(error));
            let count = placed.len();
            let all = placed.into_iter().zip(committed.copies_of(recipient.account));
            let placed: Vec<Placed> = all.filter(|(_, copy)| failed(copy)).map(|(placed, _)| placed).collect();
            // Who has one of several copies would get no other one of the same origin.
            let origin = committed.origin.filter(|_| placed.len() == count);
            let is_new = !late.iter().any(|(account, _)| *account == Some(recipient.account));
            if !placed.is_empty() && is_new {
                let address = recipient.address.to_string();
                let notify = if is_group(rcpt) { without_success(rcpt.notify) } else { rcpt.notify };
                let recipients = vec![QueueRecipient { address, notify, orcpt: rcpt.orcpt.clone() }];
                // What the rules have said of it stands: they are not asked again. What was found out about the sender says who may be told of it.
                let arrival = Some(Box::new(Arrival { placed, ..arrival.clone() }));
                let item = NewQueueItem { recipients, arrival, origin, ..self.new_item(transaction) };
                late.push((Some(recipient.account), item));
            }
        }
        if matches!(&committed.queued, Some(Err(error)) if error.is_transient()) {
            late.extend(queue.into_iter().map(|item| (None, item)));
        }
        late
    }

    async fn queue_beside(&self, beside: AccountId, message: Bytes, late: &Late) -> Result<Vec<QueueId>> {
        let engine = &self.shared.engine;
        let staged = engine.stage(Vec::new(), message.to_vec()).await?;
        let items = late.iter().map(|(_, item)| item.clone()).collect();
        engine.queue_beside(beside, staged, items).await
    }

    /// The message as it is stored, and an account in whose shard it is.
    async fn read_back(&self, committed: &Committed) -> Result<(AccountId, Bytes)> {
        let engine = &self.shared.engine;
        if let Some((account, copy)) = committed.first_copy() {
            let view = engine.mailbox(account, copy.mailbox)?;
            let at = view.entries.position(copy.uid)?;
            let at = at.ok_or_else(|| Error::NotFound("the entry that was just made".into()))?;
            let message = engine.message(account, &view.entries.get(at)?).await?;
            return Ok((account, message));
        }
        let queue = committed.queue_ids.iter().chain(&committed.forward_ids).next().copied();
        let queue = queue.ok_or_else(|| Error::NotFound("a copy of the message".into()))?;
        let message = engine.queue_message(queue).await?;
        // Any account of the shard will do, whether it is there or not: shards count from 0, and accounts are spread over them by number.
        Ok((AccountId(u64::from(queue.0 as u16)), message))
    }
}

/// A full mailbox may have room later (4.2.2), unless the message could never fit. That one member of a group has none is no reason to tell the
/// sender, who may be forged and knows the group only.
fn is_full(error: &Error) -> bool {
    matches!(error, Error::OverQuota { .. } | Error::TooManyMessages { .. })
}

/// Whose copies go where.
fn copies<'a>(rcpt: &'a Rcpt, verdict: &'a Verdict) -> impl Iterator<Item = (&'a Rcpt, &'a Recipient, Vec<Placed>)> {
    let all = rcpt.local.iter().zip(verdict.copies.iter().zip(&verdict.filed));
    all.map(move |(recipient, (copy, filed))| (rcpt, recipient, placing::placed(*copy, filed)))
}
