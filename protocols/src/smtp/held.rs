//! A message that is to be held (RFC 4865): what was judged to go into mailboxes of ours waits in the queue with the rest, and comes from there
//! as all mail of the queue does. Judges nobody.
use super::reply::Reply;
use super::state::{Rcpt, Session, Transaction};
use crate::limits;
use posthouse_engine::base::{AccountId, Bound, Load};
use posthouse_engine::directory::{Address, Recipient};
use posthouse_engine::mailflow::{Copy, Verdict};
use posthouse_engine::queue::Queue;
use posthouse_engine::quota;

impl Session {
    /// Turns the copies that would be delivered now into held ones.
    pub(super) fn hold_back(&self, transaction: &Transaction, verdicts: &mut [Verdict]) {
        if transaction.terms.hold_until != 0 {
            verdicts.iter_mut().filter(|verdict| verdict.refusal.is_none()).for_each(hold);
        }
    }

    /// Refuses a message to be held beyond the room that its sender has: until its time it is in no mailbox, and inside a tenant counts against no
    /// rate (RFC 4865 section 6). What is held may be as much as the mailbox has room for.
    pub(super) async fn check_held(&self, transaction: &Transaction, size_bytes: u64) -> Result<(), Reply> {
        let Some(account) = self.account().filter(|_| transaction.terms.hold_until != 0) else {
            return Ok(());
        };
        let engine = &self.shared.engine;
        let (queues, now) = (engine.queues(), self.shared.clock.now());
        let held = engine.work_for(account, move || load(&queues, account, now)).await;
        let held = held.map_err(|error| Reply::refused(&error))?;
        let own = engine.directory(|known| known.account(account).and_then(|member| known.bound(member)));
        let stored = engine.account(account).map_or(Load::default(), |view| view.load());
        let (before, bound) = match own {
            Some(own) => (Load { bytes: held.bytes + stored.bytes, messages: held.messages + stored.messages }, own),
            None => (held, Bound { bytes_max: limits::SMTP_HELD_BYTES_MAX, messages_max: u64::MAX }),
        };
        let more = Load { bytes: size_bytes, messages: 1 };
        let refusal =
            |_| Reply::new(452, "4.2.2 Too much of yours waits to be sent later; try again when some has gone");
        quota::admit(before, more, Some(bound)).map(drop).map_err(refusal)
    }
}

/// What the queue holds of an account's until a time to come.
fn load(queues: &[Queue], account: AccountId, now: i64) -> Load {
    let all = queues.iter().flat_map(Queue::iter);
    let held = all.filter(|one| one.item.account == Some(account) && one.item.terms.hold_until > now);
    held.fold(Load::default(), |sum, one| Load {
        bytes: sum.bytes + u64::from(one.size_bytes),
        messages: sum.messages + 1,
    })
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

/// The accounts of a recipient for which the queue holds the message, by their addresses.
pub(super) fn addresses(rcpt: &Rcpt, verdict: &Verdict) -> Vec<String> {
    let held = rcpt.local.iter().zip(&verdict.copies).filter(|(_, copy)| **copy == Copy::Held);
    held.map(|(one, _)| address(rcpt, one).to_string()).collect()
}

/// By which address the queue holds an account's copy. That of a tag, or one that nobody has but the catch-all, stays as it is: scripts and the
/// folder for transferred mail ask for it at the release.
pub(super) fn address<'a>(rcpt: &'a Rcpt, one: &'a Recipient) -> &'a Address {
    let is_tagged = rcpt.address.without_tag().as_ref() == Some(&one.address);
    if one.is_transfer || is_tagged { &rcpt.address } else { &one.address }
}
