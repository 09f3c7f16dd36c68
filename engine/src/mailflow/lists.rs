//! Blocklists and allowlists (F3, F4), of the tenant first, then of each member: the first list that knows the sender decides. In one list the
//! closer entry counts (an address, then a domain, then all below one), and of equals the block.
use super::{Case, Copy, Counters, Letter, Origin, Refusal, Verdict, Wanted};
use crate::directory::{Address, Pattern, Rule, Scope};

/// A pattern, and whether it allows.
fn entry(rule: &Rule) -> Option<(&Pattern, bool)> {
    match rule {
        Rule::Block(pattern) => Some((pattern, false)),
        Rule::Allow(pattern) => Some((pattern, true)),
        _ => None,
    }
}

/// `Some(true)`: allowed; `Some(false)`: blocked.
fn decision(rules: &[Rule], senders: &[&Address]) -> Option<bool> {
    let rank = |pattern: &Pattern| match pattern {
        Pattern::Address(_) => usize::MAX,
        Pattern::Domain(_) => usize::MAX - 1,
        Pattern::Below(domain) => domain.len(),
    };
    let known = rules.iter().filter_map(entry).filter(|(pattern, _)| senders.iter().any(|one| pattern.means(one)));
    known.max_by_key(|(pattern, allows)| (rank(pattern), !allows)).map(|(_, allows)| allows)
}

fn text() -> String {
    "the sender is on a blocklist of the recipient".to_owned()
}

/// Nobody wants it.
pub(super) fn refuse(verdict: &mut Verdict) {
    verdict.refuse("blocklist", "5.7.1", text());
}

/// Lists are about mail that comes in: what members of a tenant send each other passes, and another tenant's members are strangers.
fn scopes(case: &Case<'_>, wanted: &Wanted<'_>) -> Option<Scope> {
    let tenant = case.directory.domain(wanted.address.domain())?.tenant;
    let comes_in = match case.origin {
        Origin::Member(id) => case.directory.account(id).is_some_and(|member| member.tenant != tenant),
        Origin::Front | Origin::Outside => true,
    };
    comes_in.then_some(Scope::Tenant(tenant))
}

/// What the lists say of the reverse-path.
fn of_sender(case: &Case<'_>, wanted: &Wanted<'_>) -> Option<bool> {
    let tenant = scopes(case, wanted)?;
    let sender = [case.sender?];
    let own = match wanted.local {
        [one] if wanted.external.is_empty() => decision(case.directory.rules(&Scope::Account(one.account)), &sender),
        _ => None,
    };
    decision(case.directory.rules(&tenant), &sender).or(own)
}

/// Whether the reverse-path is on an allowlist of the recipient.
pub(super) fn allows(case: &Case<'_>, wanted: &Wanted<'_>) -> bool {
    of_sender(case, wanted) == Some(true)
}

/// By the reverse-path, as early as can be.
pub(super) fn at_recipient(case: &Case<'_>, _: &Counters, wanted: &Wanted<'_>, _: u32) -> Option<Refusal> {
    let refused = || Refusal { stage: "blocklist", code: 550, status: "5.7.1", text: text() };
    (of_sender(case, wanted) == Some(false)).then(refused)
}

/// By the reverse-path and From. An allowlist does not believe what has been found to be forged.
pub(super) fn at_message(case: &Case<'_>, letter: &Letter<'_>, wanted: &Wanted<'_>, verdict: &mut Verdict) {
    let Some(tenant) = scopes(case, wanted) else { return };
    let senders: Vec<&Address> = case.sender.into_iter().chain(letter.from).collect();
    let believed: Vec<&Address> = case
        .sender
        .filter(|_| letter.facts.believes_path())
        .into_iter()
        .chain(letter.from.iter().filter(|_| letter.facts.believes_from()))
        .collect();
    let of = |scope: &Scope| decision(case.directory.rules(scope), &senders);
    let allows = |scope: &Scope| decision(case.directory.rules(scope), &believed) == Some(true);
    let for_all = of(&tenant);
    if for_all == Some(false) {
        return refuse(verdict);
    }
    for (at, recipient) in wanted.local.iter().enumerate() {
        let own = Scope::Account(recipient.account);
        match for_all.or_else(|| of(&own)) {
            Some(true) => verdict.allowed[at] = allows(if for_all.is_some() { &tenant } else { &own }),
            Some(false) => verdict.copies[at] = Copy::Nowhere,
            None => {}
        }
    }
}
