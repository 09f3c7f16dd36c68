//! What a sender is told who wants to hear of success (RFC 3461 NOTIFY=SUCCESS), of recipients whose mailboxes are here. Told after the commit; of
//! other hosts, and of what waits for its mailbox, the queue tells.
use super::bounce::{self, Told};
use super::circles::is_group;
use super::deliver::Committed;
use super::fate::Fate;
use super::reply::Reply;
use super::state::{Rcpt, Session, Transaction};
use crate::dsn::Kind;
use posthouse_engine::mailflow::{Copy, Verdict};

impl Session {
    /// One report for each kind of success.
    pub(super) async fn report_success(
        &self,
        (transaction, verdicts): (&Transaction, &[Verdict]),
        header: &[u8],
        (fates, committed): (&[Fate], &Committed),
        id: &str,
    ) {
        let asked = transaction.recipients.iter().any(|rcpt| Kind::Delivered.is_wanted(rcpt.notify));
        if !asked || transaction.sender.is_empty() {
            return;
        }
        for kind in [Kind::Delivered, Kind::Relayed, Kind::Expanded] {
            let all = transaction.recipients.iter().zip(fates).zip(verdicts);
            let told = all.filter_map(|((rcpt, fate), verdict)| {
                let (_, reply) = self
                    .success((transaction, rcpt), fate, (verdict, committed))
                    .filter(|(became, _)| *became == kind)?;
                Some(Told { address: rcpt.given.clone(), orcpt: rcpt.orcpt.clone(), reply })
            });
            let told: Vec<Told> = told.collect();
            if !told.is_empty() {
                bounce::send(&self.shared, (transaction, self.account()), (kind, &told), header.to_vec(), id).await;
            }
        }
    }

    /// What the sender hears of a recipient, and the words; `None`: nothing, or not from here.
    fn success(
        &self,
        (transaction, rcpt): (&Transaction, &Rcpt),
        fate: &Fate,
        (verdict, committed): (&Verdict, &Committed),
    ) -> Option<(Kind, Reply)> {
        // Who does not want it, or suspects it, confirms nothing.
        let is_wanted = |copy: &Copy| !matches!(copy, Copy::Junk | Copy::Nowhere | Copy::Discarded);
        let anybody = !verdict.external.is_empty() || verdict.copies.iter().any(is_wanted);
        if rcpt.ended || !fate.is_taken() || !anybody || !Kind::Delivered.is_wanted(rcpt.notify) {
            return None;
        }
        if is_group(rcpt) || self.shared.engine.directory(|known| known.group(&rcpt.address).is_some()) {
            let text = match transaction.terms.hold_until != 0 {
                true => "2.1.5 Waits for the time that was asked for, and then goes to everybody behind the address",
                false => "2.1.5 Sent to everybody behind the address",
            };
            return Some((Kind::Expanded, Reply::new(250, text)));
        }
        let (recipient, copy) = rcpt.local.first().zip(verdict.copies.first())?;
        let is_there = matches!(committed.copy_of(recipient.account), Some(Ok(_)));
        match copy {
            Copy::Inbox | Copy::Transfer | Copy::Filed if is_there => {
                Some((Kind::Delivered, Reply::new(250, "2.1.5 Delivered into the mailbox")))
            }
            // Under another reverse-path, so that nothing of it comes back to the sender.
            Copy::Forwarded => Some((Kind::Relayed, Reply::new(250, "2.1.5 Sent on, as the recipient wishes"))),
            // What waits is not there yet.
            _ => None,
        }
    }
}
