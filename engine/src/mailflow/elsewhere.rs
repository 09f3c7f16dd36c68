//! Who on other hosts gets what comes to an address of ours: a group's members elsewhere. Nothing that is suspicious goes there, as with forwards: it
//! would be this host that sends it. Groups in groups are here and get it, with what is known of it.
use super::{Advice, Case, Letter, Verdict, Wanted, lists};

pub(super) fn at_message(case: &Case<'_>, letter: &Letter<'_>, wanted: &Wanted<'_>, verdict: &mut Verdict) {
    let is_ours = |domain: &str| case.directory.domain(domain).is_some();
    let aside = letter.advice == Advice::Quarantine;
    // Where a member writes to somebody elsewhere, nobody passes anything on.
    let is_allowed = letter.facts.believes_path() && lists::allows(case, wanted);
    // A refusal would be told to whoever was forged.
    let is_suspicious = verdict.suspect.is_some() || !letter.facts.believes_from();
    let passes_on = is_suspicious && is_ours(wanted.address.domain()) && !is_allowed;
    if wanted.external.is_empty() || !(aside || passes_on) {
        return;
    }
    verdict.external.retain(|address| is_ours(address.domain()));
    if wanted.local.is_empty() && verdict.external.is_empty() {
        let text = "the message is suspicious and would be sent on to other hosts".to_owned();
        verdict.refuse("elsewhere", "5.7.1", text);
    }
}
