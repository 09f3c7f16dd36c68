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

impl Listed<'_> {
    fn is_refused(&self) -> bool {
        self.reject_from.is_some_and(|from| self.score >= from)
    }

    fn text(&self) -> String {
        format!("your host is on blocklists: {}", self.told)
    }
}

/// Unless the recipient or its tenant allows the sender.
pub(super) fn at_recipient(case: &Case<'_>, _: &Counters, wanted: &Wanted<'_>, _: u32) -> Option<Refusal> {
    let listed = case.listed.as_ref()?;
    if !listed.is_refused() || lists::allows(case, wanted) {
        return None;
    }
    Some(Refusal { stage: "dnsbl", code: 550, status: "5.7.1", text: listed.text() })
}

/// The copies of those who have not allowed the sender. What an allowlist has let pass by a reverse-path that turns out to be forged is refused.
pub(super) fn at_message(case: &Case<'_>, letter: &Letter<'_>, _: &Wanted<'_>, verdict: &mut Verdict) {
    if let Some(listed) = case.listed.as_ref().filter(|listed| listed.is_refused() && !letter.facts.believes_path()) {
        return verdict.refuse("dnsbl", "5.7.1", listed.text());
    }
    let is_suspicious = |listed: &Listed<'_>| listed.junk_from.is_some_and(|from| listed.score >= from);
    if case.listed.as_ref().is_some_and(is_suspicious) {
        dmarc::to_junk(verdict, "dnsbl");
    }
}
