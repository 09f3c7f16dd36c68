//! What a content filter (rspamd) has advised. Whoever is on an allowlist of the recipient skips it. Asks none: the advice is a fact.
use super::{Case, Copy, Letter, Refusal, Verdict, Wanted, dmarc};

/// See above; with the words for the reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Advice<'a> {
    /// None was asked, or nothing speaks against the message.
    #[default]
    None,
    /// It is suspicious.
    Junk,
    /// It is to be put aside, whoever has allowed the sender.
    Quarantine,
    /// It is to come again later.
    Later(&'a str),
    /// It is not wanted.
    Refuse(&'a str),
}

/// The copies of those who have not allowed the sender; with nobody who has, the message is refused.
pub(super) fn at_message(_: &Case<'_>, letter: &Letter<'_>, _: &Wanted<'_>, verdict: &mut Verdict) {
    let (code, status, text) = match letter.advice {
        Advice::None => return,
        Advice::Junk => return dmarc::to_junk(verdict, "filter"),
        Advice::Quarantine => {
            verdict.suspect("filter");
            let shown = verdict.copies.iter_mut().filter(|copy| matches!(copy, Copy::Inbox | Copy::Transfer));
            shown.for_each(|copy| *copy = Copy::Junk);
            return;
        }
        Advice::Later(text) => (451, "4.7.1", text),
        Advice::Refuse(text) => (550, "5.7.1", text),
    };
    if !verdict.allowed.contains(&true) {
        verdict.refusal.get_or_insert(Refusal { stage: "filter", code, status, text: text.to_owned() });
        return;
    }
    // One reply is for all of a group. Who has not allowed the sender goes without; what would only have to come again is not lost.
    if code == 451 {
        return dmarc::to_junk(verdict, "filter");
    }
    verdict.suspect("filter");
    for (copy, _) in verdict.copies.iter_mut().zip(&verdict.allowed).filter(|(_, allowed)| !**allowed) {
        *copy = Copy::Nowhere;
    }
}
