//! Mail that comes back to a group which has sent it on to other hosts: it ends here, and nobody gets it twice. Believes this store's own marks only.
use super::held;
use super::role::Role;
use super::state::{Rcpt, Session, Transaction};
use crate::{dsn, passed};
use posthouse_engine::directory::Address;
use posthouse_engine::mailflow::Verdict;
use posthouse_engine::queue::{NewQueueItem, QueueRecipient, Terms};
use posthouse_engine::trace::{MailRecord, Step};
use std::collections::BTreeMap;

/// Whether it stands for others than itself.
pub(super) fn is_group(rcpt: &Rcpt) -> bool {
    rcpt.local.len() > 1 || rcpt.external.iter().any(|address| *address != rcpt.address)
}

/// The address for another host: only that host knows whether letter case means something in its local part (RFC 5321 section 2.4).
fn onward(rcpt: &Rcpt, address: &Address) -> String {
    match rcpt.given.rsplit_once('@') {
        Some((local, _)) if rcpt.address == *address => format!("{local}@{}", address.domain()),
        _ => address.to_string(),
    }
}

impl Session {
    /// Takes the groups that have had the message out of the transaction's way: they are answered like others, for all behind them have it.
    pub(super) fn end_circles(&self, transaction: &mut Transaction, message: &[u8]) {
        if self.role == Role::Submission || !transaction.recipients.iter().any(is_group) {
            return;
        }
        let passed = passed::proven(&self.shared.engine, message);
        let mut ended = Vec::new();
        for rcpt in transaction.recipients.iter_mut().filter(|rcpt| is_group(rcpt) && passed.contains(&rcpt.address)) {
            rcpt.ended = true;
            rcpt.local.clear();
            rcpt.external.clear();
            ended.push(rcpt.address.to_string());
        }
        for address in ended {
            let id = transaction.id;
            tracing::warn!(id = %format_args!("{id:X}"), address, "a message goes in circles and ends here: the group has had it before");
            self.shared.engine.note_mail(&MailRecord {
                when_ms: self.shared.clock.now_ms(),
                step: Step::Dropped,
                id,
                recipient: address,
                policy: "circle".into(),
                ..MailRecord::default()
            });
        }
    }

    /// What goes on to other hosts, and what is held: each address once, in an item for each group that sends it there, so that no other is told of it.
    pub(super) fn queue_items(&self, transaction: &Transaction, verdicts: &[Verdict]) -> Vec<NewQueueItem> {
        let taken = transaction.recipients.iter().zip(verdicts).filter(|(_, verdict)| verdict.refusal.is_none());
        let each = taken.flat_map(|(rcpt, verdict)| {
            let external = verdict.external.iter().map(|address| (rcpt.address != *address, onward(rcpt, address)));
            // An alias is a person's other name and sends nothing on, though the queue knows the copy by the first.
            let is_group = self.shared.engine.directory(|known| known.group(&rcpt.address).is_some());
            let held = held::addresses(rcpt, verdict).into_iter().map(move |address| (is_group, address));
            let all: Vec<(bool, String)> = external.chain(held).collect();
            all.into_iter().map(move |(by_group, address)| (rcpt, by_group, address))
        });
        let mut all: Vec<(Option<&Address>, QueueRecipient)> = each
            .map(|(rcpt, by_group, address)| {
                // Of the group's success its sender is told here.
                let notify = if by_group || is_group(rcpt) { dsn::without_success(rcpt.notify) } else { rcpt.notify };
                let orcpt = rcpt.orcpt.clone();
                (by_group.then_some(&rcpt.address), QueueRecipient { address, notify, orcpt })
            })
            .collect();
        all.sort_by(|(by, a), (other, b)| (&a.address, by).cmp(&(&b.address, other)));
        all.dedup_by(|(_, a), (_, b)| a.address == b.address);
        let mut items: BTreeMap<Option<&Address>, Vec<QueueRecipient>> = BTreeMap::new();
        all.into_iter().for_each(|(by, recipient)| items.entry(by).or_default().push(recipient));
        let item = |(by, recipients): (Option<&Address>, Vec<QueueRecipient>)| {
            let utf8 = transaction.utf8 || by.is_some_and(|by| !by.as_str().is_ascii());
            let passed = by.map(ToString::to_string).into_iter().collect();
            let own = self.new_item(transaction);
            // The time that a sender sets ends at a group: it would hear of each member (RFC 2852 section 5, RFC 3461 section 5.2.7.3).
            let deliver_by = own.terms.deliver_by.filter(|_| by.is_none());
            let terms = Terms { deliver_by, ..own.terms };
            NewQueueItem { recipients, utf8, passed, terms, ..own }
        };
        items.into_iter().map(item).collect()
    }
}
