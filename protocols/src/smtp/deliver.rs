//! From a message that has come whole to its replies: who gets it, what the store says, and one verdict for each recipient. A positive one
//! is given only after the sync that covers it.
use super::bounce;
use super::message::Taken;
use super::reply::Reply;
use super::role::Role;
use super::state::{Answer, Rcpt, Session, Transaction};
use super::{header, trace};
use crate::limits;
use posthouse_engine::base::{AccountId, Error, Flags};
use posthouse_engine::delivery::{Delivery, Outcome, Place, Target};
use posthouse_engine::directory::Address;
use posthouse_engine::queue::{NewQueueItem, QueueRecipient};
use std::collections::HashMap;

/// Which target of a delivery is which account's.
type Places = HashMap<AccountId, usize>;

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
        let id = format!("{:X}", self.shared.next_id());
        let fields = trace::fields(self, transaction, &header, &id, self.shared.clock.now());
        let bounced_header = bounce::header_of(&taken.message, header.size_bytes);
        let (targets, places) = targets(&transaction.recipients);
        let queue: Vec<NewQueueItem> = self.queue_item(transaction).into_iter().collect();
        let size_bytes = fields.len() + taken.message.len();
        let engine = &self.shared.engine;
        let staged = match engine.stage(fields, taken.message).await {
            Ok(staged) => staged,
            Err(error) => return refuse_all(Reply::refused(&error)),
        };
        let queued = !queue.is_empty();
        let outcome = engine.deliver(Delivery { staged, targets, queue }).await;
        drop(taken.share);
        let fates: Vec<Fate> = transaction.recipients.iter().map(|rcpt| fate(rcpt, &outcome, &places)).collect();
        self.log(transaction, &id, size_bytes, &fates, queued);
        self.report(transaction, bounced_header, &fates, &id).await;
        fates.into_iter().map(|fate| fate.verdict(self.role, &id)).collect()
    }

    /// What goes on to other hosts.
    fn queue_item(&self, transaction: &Transaction) -> Option<NewQueueItem> {
        let recipient = |rcpt: &Rcpt, address: &Address| QueueRecipient {
            address: onward(rcpt, address),
            notify: rcpt.notify,
            orcpt: rcpt.orcpt.clone(),
        };
        let all = transaction.recipients.iter();
        let mut recipients: Vec<QueueRecipient> =
            all.flat_map(|rcpt| rcpt.external.iter().map(|address| recipient(rcpt, address))).collect();
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
    fn log(&self, transaction: &Transaction, id: &str, size_bytes: usize, fates: &[Fate], queued: bool) {
        let delivered = fates.iter().filter(|fate| fate.is_taken()).count();
        let refused = fates.len() - delivered;
        let peer = self.stream.peer();
        let (from, protocol) = (transaction.sender.escape_debug(), self.role.name());
        let all = transaction.recipients.iter();
        let shown: Vec<&str> = all.take(limits::SMTP_LOGGED_RECIPIENTS_MAX).map(|rcpt| rcpt.given.as_str()).collect();
        let to = shown.join(",");
        let to = to.escape_debug();
        tracing::info!(id, %peer, protocol, %from, %to, size_bytes, delivered, refused, queued, "message taken");
    }

    /// Tells the sender by mail of copies that failed though the client hears a 250 (RFC 5321 section 6.1).
    async fn report(&self, transaction: &Transaction, header: Vec<u8>, fates: &[Fate], id: &str) {
        let by_reply = self.role == Role::Lmtp || fates.iter().all(|fate| !fate.is_taken());
        let mut failed = Vec::new();
        for (rcpt, fate) in transaction.recipients.iter().zip(fates) {
            if fate.is_taken() {
                failed.extend(fate.failed.iter().map(|(address, error)| (address.to_string(), Reply::refused(error))));
            } else if !by_reply && let Some((_, error)) = fate.failed.first() {
                failed.push((rcpt.given.clone(), Reply::refused(error)));
            }
        }
        // NOTIFY=NEVER of RFC 3461 and the null sender of RFC 5321 section 4.5.5 are both obeyed there.
        if !failed.is_empty() {
            bounce::send(&self.shared, &transaction.sender, &failed, header, id).await;
        }
    }
}

/// The address for another host: only that host knows whether letter case means something in its local part (RFC 5321 section 2.4).
fn onward(rcpt: &Rcpt, address: &Address) -> String {
    match rcpt.given.rsplit_once('@') {
        Some((local, _)) if Address::parse(&rcpt.given).is_ok_and(|given| given == *address) => {
            format!("{local}@{}", address.domain())
        }
        _ => address.to_string(),
    }
}

/// Each account once, whatever addresses led to it.
fn targets(recipients: &[Rcpt]) -> (Vec<Target>, Places) {
    let mut targets = Vec::with_capacity(recipients.len());
    let mut places = Places::with_capacity(recipients.len());
    for recipient in recipients.iter().flat_map(|rcpt| &rcpt.local) {
        places.entry(recipient.account).or_insert_with(|| {
            let quota_bytes_max = recipient.quota_bytes_max;
            targets.push(Target {
                account: recipient.account,
                place: Place::Inbox,
                flags: Flags::NONE,
                quota_bytes_max,
            });
            targets.len() - 1
        });
    }
    (targets, places)
}

/// What became of one recipient.
struct Fate {
    taken: usize,
    failed: Vec<(Address, Error)>,
}

impl Fate {
    fn is_taken(&self) -> bool {
        self.taken > 0
    }

    fn verdict(self, role: Role, id: &str) -> Result<Reply, Reply> {
        match self.failed.into_iter().next() {
            Some((_, error)) if self.taken == 0 => Err(Reply::refused(&error)),
            _ if role == Role::Lmtp => Ok(Reply::new(250, format!("2.1.5 Delivered as {id}"))),
            _ => Ok(Reply::new(250, format!("2.0.0 Taken as {id}"))),
        }
    }
}

fn fate(rcpt: &Rcpt, outcome: &Outcome, places: &Places) -> Fate {
    let mut fate = Fate { taken: 0, failed: Vec::new() };
    for recipient in &rcpt.local {
        match places.get(&recipient.account).and_then(|at| outcome.targets.get(*at)) {
            Some(Ok(_)) => fate.taken += 1,
            Some(Err(error)) => fate.failed.push((recipient.address.clone(), error.clone())),
            None => fate.failed.push((recipient.address.clone(), Error::Closed)),
        }
    }
    for address in &rcpt.external {
        match &outcome.queued {
            Ok(()) => fate.taken += 1,
            Err(error) => fate.failed.push((address.clone(), error.clone())),
        }
    }
    fate
}

/// One reply for all (RFC 5321 section 4.2.5): positive when anybody got the message; the sender hears of the others by mail. When nobody
/// did, one who may get it later is reason enough to try again.
fn one_reply(verdicts: Vec<Result<Reply, Reply>>) -> Reply {
    let mut refusals = Vec::new();
    for verdict in verdicts {
        match verdict {
            Ok(reply) => return reply,
            Err(reply) => refusals.push(reply),
        }
    }
    let at = refusals.iter().position(Reply::is_transient).unwrap_or(0);
    if refusals.is_empty() { Reply::new(503, "5.5.1 No recipient") } else { refusals.swap_remove(at) }
}
