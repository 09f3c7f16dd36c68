//! What DNS blocklists say of the host that brings a message (RFC 5782). Asks none: the sum is a fact.
use super::{Case, Counters, Letter, Refusal, Verdict, Wanted, dmarc, lists};

/// What was found out about the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Listed<'a> {
    /// The sum of all lists.
    pub score: i32,
    /// From which sum on mail is refused; `None`: never.
    pub reject_from: Option<i32>,
    /// From which sum on mail goes to Junk; `None`: never.
    pub junk_from: Option<i32>,
    /// Its address and the lists, for the reply.
    pub told: &'a str,
}

/// Unless the recipient or its tenant allows the sender.
pub(super) fn at_recipient(case: &Case<'_>, _: &Counters, wanted: &Wanted<'_>, _: u32) -> Option<Refusal> {
    let listed = case.listed.as_ref()?;
    if listed.reject_from.is_none_or(|from| listed.score < from) || lists::allows(case, wanted) {
        return None;
    }
    let text = format!("your host is on blocklists: {}", listed.told);
    Some(Refusal { stage: "dnsbl", code: 550, status: "5.7.1", text })
}

/// The copies of those who have not allowed the sender.
pub(super) fn at_message(case: &Case<'_>, _: &Letter<'_>, _: &Wanted<'_>, verdict: &mut Verdict) {
    let is_suspicious = |listed: &Listed<'_>| listed.junk_from.is_some_and(|from| listed.score >= from);
    if case.listed.as_ref().is_some_and(is_suspicious) {
        dmarc::to_junk(verdict);
    }
}
