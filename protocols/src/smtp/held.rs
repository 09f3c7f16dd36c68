//! A message that is to be held (RFC 4865): what was judged to go into mailboxes of ours waits in the queue with the rest, and comes from there
//! as all mail of the queue does. Judges nobody.
use super::state::{Rcpt, Session, Transaction};
use posthouse_engine::directory::{Address, Recipient};
use posthouse_engine::mailflow::{Copy, Verdict};

impl Session {
    /// Turns the copies that would be delivered now into held ones.
    pub(super) fn hold_back(&self, transaction: &Transaction, verdicts: &mut [Verdict]) {
        if transaction.terms.hold_until != 0 {
            verdicts.iter_mut().filter(|verdict| verdict.refusal.is_none()).for_each(hold);
        }
    }
}

fn hold(verdict: &mut Verdict) {
    for copy in &mut verdict.copies {
        // Who does not want it now is not asked again.
        if !matches!(copy, Copy::Nowhere | Copy::Discarded) {
            *copy = Copy::Held;
        }
    }
    verdict.filed.iter_mut().for_each(Vec::clear);
    // Both are looked at when it is released.
    verdict.forwards.clear();
    verdict.answers.clear();
}

/// The accounts of a recipient for which the queue holds the message, by their addresses. That of a tag, or one that nobody has but the catch-all,
/// stays as it is: scripts and the folder for transferred mail ask for it at the release.
pub(super) fn addresses(rcpt: &Rcpt, verdict: &Verdict) -> Vec<String> {
    let held = rcpt.local.iter().zip(&verdict.copies).filter(|(_, copy)| **copy == Copy::Held);
    let is_tagged = |own: &Address| rcpt.address.without_tag().as_ref() == Some(own);
    let keeps = |one: &Recipient| one.is_transfer || is_tagged(&one.address);
    held.map(|(one, _)| if keeps(one) { rcpt.address.to_string() } else { one.address.to_string() }).collect()
}
