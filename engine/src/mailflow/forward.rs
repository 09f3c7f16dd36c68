//! Mail that goes on to another address, with or without a copy (F11). What is suspicious stays here, and so does what has been here before: two
//! mailboxes that forward to each other each keep one copy.
use super::{Case, Copy, Letter, Verdict, Wanted, outbound};
use crate::directory::{Account, Address, Rule, Scope};

/// A copy for somewhere else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Forward {
    /// The address of the account that sends it on.
    pub by: Address,
    /// Where it goes.
    pub to: Address,
    /// Its reverse-path; empty for `<>`. That of the account, with a tag: SPF of the first sender's domain knows nothing of this host, and what
    /// comes back because of a forward is told from other mail.
    pub sender: String,
}

/// The tag in the reverse-path of what is sent on, as it ends the local part.
pub(super) const TAGGED: &str = "+forwarded";

/// Each of the account's copies goes on as its rules say.
pub(super) fn at_message(case: &Case<'_>, letter: &Letter<'_>, wanted: &Wanted<'_>, verdict: &mut Verdict) {
    for (at, recipient) in wanted.local.iter().enumerate() {
        let rules = case.directory.rules(&Scope::Account(recipient.account));
        if !matches!(verdict.copies[at], Copy::Inbox | Copy::Filed)
            || !rules.iter().any(|rule| matches!(rule, Rule::Forward { .. }))
        {
            continue;
        }
        let Some(account) = case.directory.account(recipient.account) else { continue };
        for rule in rules {
            let Rule::Forward { keep, to } = rule else { continue };
            let Some(forward) = onward(case, letter, (account, wanted.address), to) else { continue };
            verdict.forwards.push(forward);
            if !keep {
                verdict.copies[at] = Copy::Forwarded;
            }
        }
    }
}

/// The copy of an account that goes on to an address, if it may.
pub(super) fn onward(
    case: &Case<'_>,
    letter: &Letter<'_>,
    (account, wanted): (&Account, &Address),
    to: &Address,
) -> Option<Forward> {
    let goes_round = letter.passed.contains(&account.address) || letter.passed.contains(to) || account.has_address(to);
    if goes_round || is_returned(case, account, wanted) || !may_leave(case, account, to) {
        return None;
    }
    let sender = case.sender.map_or_else(String::new, |_| reverse_path(account));
    Some(Forward { by: account.address.clone(), to: to.clone(), sender })
}

/// Whether it is a report about something that was sent on.
fn is_returned(case: &Case<'_>, account: &Account, address: &Address) -> bool {
    case.sender.is_none() && address.as_str() == reverse_path(account)
}

fn reverse_path(account: &Account) -> String {
    let (local, domain) = (account.address.local(), account.address.domain());
    let tagged = format!("{local}{TAGGED}@{domain}");
    // Quotes around the local part, or one that is too long, leave no room for a tag.
    Address::parse(&tagged).map_or_else(|_| account.address.to_string(), |address| address.to_string())
}

/// Who may not send outside its organisation has nothing sent there either (F5).
pub(super) fn may_leave(case: &Case<'_>, account: &Account, to: &Address) -> bool {
    let may = |rule: &Rule| if let Rule::Outbound(may) = rule { Some(*may) } else { None };
    outbound::stays(case, account, to) || outbound::nearest(case, account, may) != Some(false)
}
