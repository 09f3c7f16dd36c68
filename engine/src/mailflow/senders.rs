//! Who may send to a group (D3): anybody, unless the group has rules; then those that one of them names. Of mail from outside only the reverse-path
//! is known, so it passes for an address elsewhere and never for one of ours; when the message is there, only one that was not found to be forged.
use super::{Case, Counters, Letter, Refusal, Verdict, Wanted};
use crate::directory::{Account, Address, Group, Rule, Scope, Senders};

fn fits(case: &Case<'_>, stranger: Option<&Address>, group: &Group, senders: &Senders) -> bool {
    let member = case.member();
    let is_ours = |address: &Address| case.directory.domain(address.domain()).is_some();
    let stranger = stranger.filter(|sender| member.is_none() && !is_ours(sender));
    let lists = |address: &Address| group.members.binary_search(address).is_ok();
    let is_listed = |member: &Account| lists(&member.address) || member.aliases.iter().any(lists);
    match senders {
        Senders::Tenant => member.is_some_and(|member| member.tenant == group.tenant),
        Senders::Members => member.is_some_and(is_listed) || stranger.is_some_and(lists),
        Senders::Address(own) => member.is_some_and(|member| member.has_address(own)) || stranger == Some(own),
    }
}

pub(super) fn at_recipient(case: &Case<'_>, _: &Counters, wanted: &Wanted<'_>, _: u32) -> Option<Refusal> {
    let text = refusal(case, case.sender, wanted)?;
    Some(Refusal { stage: "senders", code: 550, status: "5.7.1", text })
}

/// Asked again once the sender has been checked.
pub(super) fn at_message(case: &Case<'_>, letter: &Letter<'_>, wanted: &Wanted<'_>, verdict: &mut Verdict) {
    let stranger = case.sender.filter(|_| letter.facts.believes_path());
    if let Some(text) = refusal(case, stranger, wanted) {
        verdict.refuse("senders", "5.7.1", text);
    }
}

/// Why it is refused. `stranger` is the reverse-path as far as it is believed of somebody who has not logged in.
fn refusal(case: &Case<'_>, stranger: Option<&Address>, wanted: &Wanted<'_>) -> Option<String> {
    let group = case.directory.group(wanted.address)?;
    let rules = case.directory.rules(&Scope::Group(group.address.clone()));
    let mut named =
        rules.iter().filter_map(|rule| if let Rule::Senders(senders) = rule { Some(senders) } else { None });
    let first = named.next()?;
    let has_representatives = || case.directory.representatives(wanted.address).is_some_and(|all| !all.is_empty());
    if case.sender.is_none() && has_representatives() {
        // A report about what was sent as the group: it goes to who may send as it, and to no member.
        return None;
    }
    if std::iter::once(first).chain(named).any(|senders| fits(case, stranger, group, senders)) {
        return None;
    }
    Some(format!("you may not send to the group {}", group.address))
}
