//! Answers for members who are away (F11), to people who wrote to them and to nobody else (RFC 3834 section 2, RFC 5230 section 4.6). Who was
//! answered before is not known here: the store remembers it.
use super::{Case, Copy, Dmarc, Letter, Outcome, Verdict, Wanted, forward};
use crate::base::AccountId;
use crate::directory::{Address, Away, Rule, Scope};

/// Local parts that no person reads (RFC 3834 section 2 and common sense).
const MACHINES: [&str; 8] =
    ["mailer-daemon", "postmaster", "listserv", "majordomo", "noreply", "no-reply", "donotreply", "do-not-reply"];
const MACHINES_BEGIN: [&str; 1] = ["owner-"];
const MACHINES_END: [&str; 5] = ["-request", "-owner", "-bounces", "-bounce", "-noreply"];

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answering {
    /// For whom.
    pub account: AccountId,
    /// What is said, and how often.
    pub away: Away,
    /// What makes it another answer than one before.
    pub handle: String,
    /// Whom it is from, when that is not the account's own address.
    pub from: Option<Address>,
    /// The text is a MIME entity with its header.
    pub mime: bool,
}

/// Who of the recipients answers.
pub(super) fn at_message(case: &Case<'_>, letter: &Letter<'_>, wanted: &Wanted<'_>, verdict: &mut Verdict) {
    for (recipient, copy) in wanted.local.iter().zip(&verdict.copies) {
        let Some(away) = rule(case, recipient.account) else { continue };
        let answers = verdict.answers.iter().any(|known| known.account == recipient.account);
        if *copy != Copy::Junk && *copy != Copy::Nowhere && !answers && may_answer(case, letter, recipient.account, &[])
        {
            let handle = format!("{}\n{}", away.subject, away.text);
            let (account, away) = (recipient.account, away.clone());
            verdict.answers.push(Answering { account, away, handle, from: None, mime: false });
        }
    }
}

fn rule<'a>(case: &Case<'a>, account: AccountId) -> Option<&'a Away> {
    let rules = case.directory.rules(&Scope::Account(account));
    rules
        .iter()
        .find_map(|rule| if let Rule::Away(away) = rule { Some(&**away) } else { None })
        .filter(|away| away.holds(case.now))
}

/// Whether a person wrote to the account by name, one of its own or one of `more`.
pub(super) fn may_answer(case: &Case<'_>, letter: &Letter<'_>, account: AccountId, more: &[Address]) -> bool {
    let Some(sender) = case.sender.filter(|sender| !letter.automatic && !is_machine(sender)) else { return false };
    if matches!(letter.facts.dmarc, Dmarc::Fail(_)) || letter.facts.spf == Outcome::Fail {
        // Somebody else's address: the answer would go to one who has written nothing.
        return false;
    }
    let Some(account) = case.directory.account(account).filter(|account| !account.has_address(sender)) else {
        return false;
    };
    if !forward::may_leave(case, account, sender) {
        // Who may write to nobody outside answers nobody there (F5).
        return false;
    }
    // To or Cc names it: it is no blind copy, and not mail of a list or a group.
    let is_own = |address: &Address| {
        more.contains(address)
            || account.has_address(address)
            || address.without_tag().is_some_and(|plain| account.has_address(&plain))
    };
    letter.to.iter().any(is_own)
}

fn is_machine(sender: &Address) -> bool {
    let local = sender.local().to_lowercase();
    MACHINES.contains(&local.as_str())
        || MACHINES_BEGIN.iter().any(|begin| local.starts_with(begin))
        // What somebody sends on is no letter of its own.
        || local.ends_with(forward::TAGGED)
        || MACHINES_END.iter().any(|end| local.ends_with(end))
}
