//! What became of each recipient, and the reply that follows from it. Delivers nothing.
use super::deliver::Committed;
use super::policy;
use super::reply::Reply;
use super::role::Role;
use super::state::{Rcpt, Transaction};
use crate::dsn::Kind;
use posthouse_engine::base::{AccountId, Error};
use posthouse_engine::directory::Address;
use posthouse_engine::mailflow::{Copy, Facts, Verdict};
use std::collections::HashMap;

/// Which targets of a delivery are which account's.
pub(super) type Places = HashMap<AccountId, Vec<usize>>;

/// What became of one recipient.
pub(super) struct Fate {
    taken: usize,
    pub(super) failed: Vec<(Address, Error)>,
    /// A policy has refused it.
    pub(super) refused: Option<Reply>,
    /// The client hears that it was taken, and the sender by mail why it was refused.
    pub(super) refused_by_mail: bool,
}

impl Fate {
    pub(super) fn is_taken(&self) -> bool {
        self.taken > 0
    }

    /// Why nobody got it.
    pub(super) fn refusal(&self) -> Option<Reply> {
        self.refused.clone().or_else(|| self.failed.first().map(|(_, error)| Reply::refused(error)))
    }

    /// Whether the reply alone would tell that nobody got it.
    fn is_refused(&self) -> bool {
        self.taken == 0 && !self.refused_by_mail && self.refusal().is_some()
    }

    pub(super) fn verdict(self, role: Role, id: &str) -> Result<Reply, Reply> {
        match self.refusal().filter(|_| self.is_refused()) {
            Some(refusal) => Err(refusal),
            None => Ok(taken(role, id)),
        }
    }
}

pub(super) fn taken(role: Role, id: &str) -> Reply {
    let text = if role == Role::Lmtp { format!("2.1.5 Delivered as {id}") } else { format!("2.0.0 Taken as {id}") };
    Reply::new(250, text)
}

/// What became of each recipient.
pub(super) fn fates(transaction: &Transaction, verdicts: &[Verdict], committed: &Committed, facts: Facts) -> Vec<Fate> {
    let all = transaction.recipients.iter().zip(verdicts);
    let one = |(rcpt, verdict)| {
        let mut fate = fate(rcpt, verdict, committed);
        fate.refused_by_mail = tells_by_mail(transaction, rcpt, verdict, facts);
        fate
    };
    all.map(one).collect()
}

/// Whether a script has refused it in words that no reply to this client can carry: then it is taken, and the sender reads them in a report (RFC 5429
/// section 2.1). Who cannot be told by mail hears a refusal without them.
fn tells_by_mail(transaction: &Transaction, rcpt: &Rcpt, verdict: &Verdict, facts: Facts) -> bool {
    let is_unreadable = verdict.refusal.as_ref().is_some_and(|refusal| !refusal.text.is_ascii()) && !transaction.utf8;
    let may_hear = !transaction.sender.is_empty() && Kind::Failed.is_wanted(rcpt.notify);
    verdict.refused_by_mail && is_unreadable && may_hear && verdict.asks_for_report(facts)
}

fn fate(rcpt: &Rcpt, verdict: &Verdict, committed: &Committed) -> Fate {
    let refused = verdict.refusal.as_ref().map(policy::reply);
    let mut fate = Fate { taken: 0, failed: Vec::new(), refused, refused_by_mail: false };
    if fate.refused.is_some() {
        return fate;
    }
    for (recipient, copy) in rcpt.local.iter().zip(&verdict.copies) {
        if let (Copy::Forwarded | Copy::Held, Some(Err(error))) = (copy, &committed.queued) {
            // It is nowhere else.
            fate.failed.push((recipient.address.clone(), error.clone()));
            continue;
        }
        match committed.copy_of(recipient.account) {
            // Who has blocked the sender, or has its mail sent on, is content without a copy.
            _ if copy.is_none() => fate.taken += 1,
            // It waits in the queue for the mailbox.
            _ if committed.later.contains_key(&recipient.account) => fate.taken += 1,
            Some(Ok(_)) => fate.taken += 1,
            Some(Err(error)) => fate.failed.push((recipient.address.clone(), error.clone())),
            None => fate.failed.push((recipient.address.clone(), Error::Closed)),
        }
    }
    for address in &verdict.external {
        match &committed.queued {
            Some(Ok(())) => fate.taken += 1,
            Some(Err(error)) => fate.failed.push((address.clone(), error.clone())),
            None => fate.failed.push((address.clone(), Error::Closed)),
        }
    }
    if !verdict.forwards.is_empty() && matches!(committed.queued, Some(Ok(()))) {
        // It has gone on: whoever sent it again would send it on again. What failed besides is told by mail.
        fate.taken += 1;
    }
    if !fate.failed.is_empty() && !committed.is_anywhere() {
        // The client still has it, and who is content without a copy loses nothing when it comes again.
        fate.taken = 0;
    }
    fate
}

/// Whether each recipient hears of itself from the client: the replies are many, or one that is for all.
pub(super) fn are_told_by_reply(role: Role, fates: &[Fate]) -> bool {
    role == Role::Lmtp || fates.iter().all(Fate::is_refused)
}

/// Why one reply refuses a message for all: nobody has it, and somebody wants it, though others are content without a copy.
pub(super) fn refused_for_all(role: Role, fates: &[Fate], committed: &Committed) -> Option<Reply> {
    if are_told_by_reply(role, fates) || committed.is_anywhere() {
        return None;
    }
    let failed = fates.iter().flat_map(|fate| &fate.failed);
    let failed: Vec<_> = failed.map(|(_, error)| Err(Reply::refused(error))).collect();
    (!failed.is_empty()).then(|| one_reply(failed))
}

/// One reply for all (RFC 5321 section 4.2.5): positive when anybody got the message; the sender hears of the others by mail. When nobody
/// did, one who may get it later is reason enough to try again.
pub(super) fn one_reply(verdicts: Vec<Result<Reply, Reply>>) -> Reply {
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
