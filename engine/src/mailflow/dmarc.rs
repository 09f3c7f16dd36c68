//! What the domain of From asks to be done with mail that neither SPF nor DKIM proves to be its own (RFC 7489 section 6.6.2). Checks no sender.
use super::{Case, Copy, Dmarc, Letter, Policy, Verdict, Wanted};

fn asks_for(letter: &Letter<'_>, policy: Policy) -> bool {
    letter.obeys_dmarc && letter.facts.dmarc == Dmarc::Fail(policy)
}

/// Refusal comes before the lists: an entry in an allowlist is no proof of who writes.
pub(super) fn reject(_: &Case<'_>, letter: &Letter<'_>, _: &Wanted<'_>, verdict: &mut Verdict) {
    if asks_for(letter, Policy::Reject) {
        let domain = letter.from.first().map_or("From", |from| from.domain());
        verdict.refuse("dmarc", "5.7.1", format!("DMARC: {domain} asks to refuse mail that it has not signed or sent"));
    }
}

/// Suspicious mail goes to Junk.
pub(super) fn quarantine(_: &Case<'_>, letter: &Letter<'_>, _: &Wanted<'_>, verdict: &mut Verdict) {
    if asks_for(letter, Policy::Quarantine) {
        to_junk(verdict, "dmarc");
    }
}

/// The copies of those who have not allowed the sender; `stage` suspects the message.
pub(super) fn to_junk(verdict: &mut Verdict, stage: &'static str) {
    verdict.suspect(stage);
    for (copy, allowed) in verdict.copies.iter_mut().zip(&verdict.allowed) {
        if !allowed && matches!(copy, Copy::Inbox | Copy::Transfer) {
            *copy = Copy::Junk;
        }
    }
}
