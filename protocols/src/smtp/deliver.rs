//! From a message that has come whole to its replies: who gets it, what the policies and the store say, and one verdict for each recipient. A
//! positive one is given only after the sync that covers it.
use super::bounce::{self, Failed};
use super::fate::{Fate, Places, fate, one_reply};
use super::letter;
use super::message::Taken;
use super::prepare::Prepared;
use super::reply::Reply;
use super::role::Role;
use super::state::{Answer, Rcpt, Session, Transaction};
use super::{header, policy};
use crate::dsn::Kind;
use crate::limits;
use posthouse_engine::Expected;
use posthouse_engine::base::Flags;
use posthouse_engine::delivery::{Delivery, Target};
use posthouse_engine::directory::Address;
use posthouse_engine::mailflow::{Facts, Verdict};
use posthouse_engine::queue::{NewQueueItem, QueueRecipient};

impl Session {
    /// Ends the transaction with its message: one reply, or one for each recipient by LMTP (RFC 2033 section 4.2).
    pub(super) async fn finish(&mut self, taken: Taken) -> Answer {
        let Some(transaction) = self.transaction.take() else {
            return Answer::new(503, "5.5.1 MAIL first");
        };
        let verdicts = self.deliver(&transaction, taken).await;
        if verdicts.iter().any(Result::is_ok) {
            self.errors = 0;
        }
        if self.role == Role::Lmtp {
            for verdict in &verdicts {
                let reply = verdict.as_ref().unwrap_or_else(|reply| reply);
                self.say(reply);
            }
            return Answer::Written;
        }
        one_reply(verdicts).into()
    }

    /// Refuses the message of the transaction under way with one reply, or with one for each recipient by LMTP.
    pub(super) fn refuse(&mut self, reply: Reply) -> Answer {
        let count = self.transaction.take().map_or(1, |transaction| transaction.recipients.len());
        if self.role != Role::Lmtp {
            return reply.into();
        }
        for _ in 0..count {
            self.say(&reply);
        }
        Answer::Written
    }

    /// One verdict for each recipient: the positive reply or the refusal.
    async fn deliver(&self, transaction: &Transaction, taken: Taken) -> Vec<Result<Reply, Reply>> {
        let refuse_all = |reply: Reply| transaction.recipients.iter().map(|_| Err(reply.clone())).collect();
        let header = header::read(&taken.message);
        if header.hops > limits::SMTP_HOPS_MAX {
            return refuse_all(Reply::new(554, "5.4.6 Too many hops: the message goes in circles"));
        }
        let says = letter::read(&taken.message, header.size_bytes);
        let id = format!("{:X}", self.shared.next_id());
        let bounced_header = bounce::header_of(&taken.message, header.size_bytes);
        let Taken { message, room, expected } = taken;
        let Prepared { fields, message, facts } = match self.prepare(transaction, &says, message, &header, &id).await {
            Ok(prepared) => prepared,
            Err(refusal) => return refuse_all(refusal),
        };
        if let Err(refusal) = self.check_author(&says, facts) {
            self.log_refusal(transaction, &id, "author", &refusal);
            return refuse_all(refusal);
        }
        let verdicts = self.judge_message(transaction, &says, facts);
        let outcome = match self.commit(transaction, &verdicts, fields, (message, expected)).await {
            Ok(outcome) => outcome,
            Err(refusal) => return refuse_all(refusal),
        };
        drop(room);
        let Committed { places, outcome, size_bytes, queued } = outcome;
        let all = transaction.recipients.iter().zip(&verdicts);
        let fates: Vec<Fate> = all.map(|(rcpt, verdict)| fate(rcpt, verdict, outcome.as_ref(), &places)).collect();
        let outside = transaction.recipients.iter().zip(&fates).filter(|(rcpt, fate)| rcpt.outside && fate.is_taken());
        self.charge(transaction, outside.count() as u32);
        self.log(transaction, &id, (size_bytes, queued), &fates, (&verdicts, facts));
        self.report(transaction, bounced_header, &fates, &id).await;
        fates.into_iter().map(|fate| fate.verdict(self.role, &id)).collect()
    }

    /// Into the store and the queue, for those whom no policy has refused it.
    async fn commit(
        &self,
        transaction: &Transaction,
        verdicts: &[Verdict],
        fields: Vec<u8>,
        (message, expected): (Vec<u8>, Expected),
    ) -> Result<Committed, Reply> {
        let (targets, places) = targets(&transaction.recipients, verdicts);
        let queue: Vec<NewQueueItem> = self.queue_item(transaction, verdicts).into_iter().collect();
        let size_bytes = fields.len() + message.len();
        let queued = !queue.is_empty();
        if targets.is_empty() && !queued {
            return Ok(Committed { places, outcome: None, size_bytes, queued });
        }
        let engine = &self.shared.engine;
        let staged = engine.stage(fields, message).await.map_err(|error| Reply::refused(&error))?;
        let asked = engine.deliver(Delivery { staged, targets, queue });
        drop(expected);
        let outcome = Some(asked.await);
        Ok(Committed { places, outcome, size_bytes, queued })
    }

    /// What goes on to other hosts.
    fn queue_item(&self, transaction: &Transaction, verdicts: &[Verdict]) -> Option<NewQueueItem> {
        let recipient = |rcpt: &Rcpt, address: &Address| QueueRecipient {
            address: onward(rcpt, address),
            notify: rcpt.notify,
            orcpt: rcpt.orcpt.clone(),
        };
        let passed = transaction.recipients.iter().zip(verdicts).filter(|(_, verdict)| verdict.refusal.is_none());
        let mut recipients: Vec<QueueRecipient> =
            passed.flat_map(|(rcpt, _)| rcpt.external.iter().map(|address| recipient(rcpt, address))).collect();
        recipients.sort_by(|a, b| a.address.cmp(&b.address));
        recipients.dedup_by(|a, b| a.address == b.address);
        (!recipients.is_empty()).then(|| NewQueueItem {
            account: self.account(),
            sender: transaction.sender.clone(),
            recipients,
            ret: transaction.ret,
            utf8: transaction.utf8,
            envelope_id: transaction.envelope_id.clone(),
        })
    }

    /// One line a message: who, to whom, how large, what became of it. The id is the one in Received.
    fn log(
        &self,
        transaction: &Transaction,
        id: &str,
        (size_bytes, queued): (usize, bool),
        fates: &[Fate],
        (verdicts, facts): (&[Verdict], Facts),
    ) {
        let delivered = fates.iter().filter(|fate| fate.is_taken()).count();
        let refused = fates.len() - delivered;
        let peer = self.stream.peer();
        let (from, protocol) = (transaction.sender.escape_debug(), self.role.name());
        let to = shown(transaction);
        let to = to.escape_debug();
        let policy = verdicts.iter().find_map(|verdict| verdict.refusal.as_ref()).map_or("", |refusal| refusal.stage);
        let Facts { spf, dkim, dmarc, .. } = facts;
        tracing::info!(
            id, %peer, protocol, %from, %to, size_bytes, delivered, refused, queued, policy, ?spf, ?dkim, ?dmarc, "message taken"
        );
    }

    pub(super) fn log_refusal(&self, transaction: &Transaction, id: &str, policy: &str, refusal: &Reply) {
        let (peer, protocol, to) = (self.stream.peer(), self.role.name(), shown(transaction));
        let (from, to, reply) = (transaction.sender.escape_debug(), to.escape_debug(), &refusal.text);
        tracing::info!(id, %peer, protocol, %from, %to, policy, %reply, "message refused");
    }

    /// Tells the sender by mail of copies that failed though the client hears a 250 (RFC 5321 section 6.1).
    async fn report(&self, transaction: &Transaction, header: Vec<u8>, fates: &[Fate], id: &str) {
        let by_reply = self.role == Role::Lmtp || fates.iter().all(|fate| !fate.is_taken());
        let mut failed = Vec::new();
        // RFC 3461 section 4.1: NOTIFY says who is to hear of it.
        let wanted = transaction.recipients.iter().zip(fates).filter(|(rcpt, _)| Kind::Failed.is_wanted(rcpt.notify));
        for (rcpt, fate) in wanted {
            let failure = |address: String, reply| Failed { address, orcpt: rcpt.orcpt.clone(), reply };
            if fate.is_taken() {
                let members = fate.failed.iter();
                failed.extend(members.map(|(address, error)| failure(address.to_string(), Reply::refused(error))));
            } else if !by_reply && let Some(reply) = fate.refusal() {
                // A policy refuses mail whose sender may be forged: a report would go to somebody who has sent nothing.
                if fate.refused.is_none() || self.role == Role::Submission {
                    failed.push(failure(rcpt.given.clone(), reply));
                }
            }
        }
        // The null sender (RFC 5321 section 4.5.5) hears nothing.
        if !failed.is_empty() {
            bounce::send(&self.shared, transaction, &failed, header, id).await;
        }
    }
}

/// What the store said, and what it was asked.
struct Committed {
    places: Places,
    /// `None`: it was not asked, for nobody is to get anything.
    outcome: Option<posthouse_engine::delivery::Outcome>,
    size_bytes: usize,
    queued: bool,
}

fn shown(transaction: &Transaction) -> String {
    let all = transaction.recipients.iter();
    let shown: Vec<&str> = all.take(limits::SMTP_LOGGED_RECIPIENTS_MAX).map(|rcpt| rcpt.given.as_str()).collect();
    shown.join(",")
}

/// The address for another host: only that host knows whether letter case means something in its local part (RFC 5321 section 2.4).
fn onward(rcpt: &Rcpt, address: &Address) -> String {
    match rcpt.given.rsplit_once('@') {
        Some((local, _)) if rcpt.address == *address => format!("{local}@{}", address.domain()),
        _ => address.to_string(),
    }
}

/// Each account once, whatever addresses led to it; the first place that one of them gives counts.
fn targets(recipients: &[Rcpt], verdicts: &[Verdict]) -> (Vec<Target>, Places) {
    let mut targets = Vec::with_capacity(recipients.len());
    let mut places = Places::with_capacity(recipients.len());
    let passed = recipients.iter().zip(verdicts).filter(|(_, verdict)| verdict.refusal.is_none());
    for (recipient, copy) in passed.flat_map(|(rcpt, verdict)| rcpt.local.iter().zip(&verdict.copies)) {
        let Some(place) = policy::place(*copy) else { continue };
        places.entry(recipient.account).or_insert_with(|| {
            let quota_bytes_max = recipient.quota_bytes_max;
            targets.push(Target { account: recipient.account, place, flags: Flags::NONE, quota_bytes_max });
            targets.len() - 1
        });
    }
    (targets, places)
}
