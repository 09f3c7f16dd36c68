//! How many recipients outside the tenant may be had in a period (F6, A5): by a member, after its own rule or else the tenant's; and by all members of
//! a tenant together. What members' rules send on and answer counts too, and what is above a rate stays here.
use super::counters::{Counted, Spent};
use super::{Answering, Case, Copy, Counters, Forward, Refusal, Verdict, Wanted, outbound};
use crate::base::{AccountId, TenantId};
use crate::directory::{Account, Address, Rule, Scope};

/// A bound that holds for a member: what is counted, recipients, seconds.
type Bound = (Counted, u32, u32);

fn own(case: &Case<'_>, member: &Account) -> Option<Bound> {
    let find = |rule: &Rule| match rule {
        Rule::Rate { recipients, seconds } => Some((*recipients, *seconds)),
        _ => None,
    };
    outbound::nearest(case, member, find)
        .map(|(recipients, seconds)| (Counted::Account(member.id), recipients, seconds))
}

fn of_all(case: &Case<'_>, tenant: TenantId) -> Option<Bound> {
    case.directory.rules(&Scope::Tenant(tenant)).iter().find_map(|rule| match rule {
        Rule::TenantRate { recipients, seconds } => Some((Counted::Tenant(tenant), *recipients, *seconds)),
        _ => None,
    })
}

pub(super) fn at_recipient(case: &Case<'_>, counters: &Counters, wanted: &Wanted<'_>, more: u32) -> Option<Refusal> {
    let member = case.member()?;
    let bounds = [own(case, member), of_all(case, member.tenant)];
    if bounds.iter().all(Option::is_none) {
        return None;
    }
    let behind = outbound::count(case, member, wanted);
    if behind == 0 {
        return None;
    }
    let (counted, recipients, seconds) = full(case, counters, bounds, behind.saturating_mul(more))?;
    let used = counters.used(counted, seconds, case.now);
    let who = match counted {
        Counted::Account(_) => member.address.as_str(),
        Counted::Tenant(_) => "your organisation",
    };
    let begin = format!("{who} has sent to {used} of {recipients} recipients outside");
    let text = match behind {
        1 => format!("{begin}; try again later"),
        // However long the member waits.
        _ if behind > recipients => format!("{begin}, and behind this address are {behind}"),
        _ => format!("{begin}, and behind this address are {behind}; try again later"),
    };
    let (code, status) = if behind > recipients.max(1) { (550, "5.7.1") } else { (450, "4.7.1") };
    Some(Refusal { stage: "rate", code, status, text })
}

/// The first bound that has no room for `more` recipients.
fn full(case: &Case<'_>, counters: &Counters, bounds: [Option<Bound>; 2], more: u32) -> Option<Bound> {
    let is_full = |(counted, recipients, seconds): &Bound| {
        counters.used(*counted, *seconds, case.now).saturating_add(more) > *recipients
    };
    bounds.into_iter().flatten().find(is_full)
}

/// What members' own rules send outside their tenant for a message, as it counts against their rates.
#[derive(Debug, Default)]
pub struct Onward {
    /// For forwards; to be given back when they are not queued.
    pub forwards: Vec<Spent>,
    /// For answers, by whose; to be given back when nobody is answered.
    pub answers: Vec<(AccountId, Spent)>,
    /// What does not go out, being above a rate.
    pub kept: Vec<Kept>,
}

/// Something that a member's rule would have sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The member.
    pub by: Address,
    /// Whom it would have gone to.
    pub to: Address,
    /// It is an answer; else the message itself, and the member has it.
    pub is_answer: bool,
}

impl Verdict {
    /// Whether rules of members send something because of it.
    pub fn sends_onward(&self) -> bool {
        self.refusal.is_none() && !(self.forwards.is_empty() && self.answers.is_empty())
    }

    /// Counts what it sends outside for members against their rates. What is above a rate is taken out: the member keeps the message, in INBOX where there was to be no
    /// copy, and the sender gets no answer. What the verdicts for earlier recipients of the message send already costs nothing more: an address gets
    /// one copy, and an account gives an answer once, whatever addresses led there.
    pub fn charge(
        &mut self,
        case: &Case<'_>,
        counters: &mut Counters,
        wanted: &Wanted<'_>,
        before: &[Verdict],
    ) -> Onward {
        let mut onward = Onward::default();
        if !self.sends_onward() {
            return onward;
        }
        let passed = || before.iter().filter(|verdict| verdict.refusal.is_none());
        let forwards = std::mem::take(&mut self.forwards);
        for forward in forwards {
            if passed().flat_map(|one| &one.forwards).any(|known| known.to == forward.to) {
                self.forwards.push(forward);
                continue;
            }
            let Some(account) = case.directory.account_at(&forward.by) else { continue };
            match case.charge(counters, account, &forward.to) {
                Ok(spent) => {
                    onward.forwards.extend(spent);
                    self.forwards.push(forward);
                }
                Err(()) => {
                    self.keep(account.id, wanted);
                    let Forward { by, to, .. } = forward;
                    onward.kept.push(Kept { by, to, is_answer: false });
                }
            }
        }
        let answers = std::mem::take(&mut self.answers);
        let is_same = |a: &Answering, b: &Answering| (a.account, &a.handle) == (b.account, &b.handle);
        for answering in answers {
            if passed().flat_map(|one| &one.answers).any(|known| is_same(known, &answering)) {
                self.answers.push(answering);
                continue;
            }
            let account = case.directory.account(answering.account);
            let Some((account, sender)) = account.zip(case.sender) else { continue };
            match case.charge(counters, account, sender) {
                Ok(spent) => {
                    onward.answers.extend(spent.map(|spent| (account.id, spent)));
                    self.answers.push(answering);
                }
                Err(()) => {
                    let (by, to) = (account.address.clone(), sender.clone());
                    onward.kept.push(Kept { by, to, is_answer: true });
                }
            }
        }
        onward
    }

    /// The account's copy stays here.
    fn keep(&mut self, account: AccountId, wanted: &Wanted<'_>) {
        for (recipient, copy) in wanted.local.iter().zip(&mut self.copies) {
            if recipient.account == account && *copy == Copy::Forwarded {
                *copy = Copy::Inbox;
            }
        }
    }
}

impl Case<'_> {
    /// Counts one recipient that an account sends to without being asked each time.
    fn charge(&self, counters: &mut Counters, account: &Account, to: &Address) -> Result<Option<Spent>, ()> {
        let bounds = [own(self, account), of_all(self, account.tenant)];
        // Groups are looked through only where it counts.
        if bounds.iter().all(Option::is_none) || outbound::stays(self, account, to) {
            return Ok(None);
        }
        match full(self, counters, bounds, 1) {
            Some(_) => Err(()),
            None => Ok(spend(self, counters, bounds, 1)),
        }
    }

    /// Counts recipients that were taken against the rates that hold for the sender. `None`: they are inside its tenant, or nobody counts.
    pub fn spend(&self, counters: &mut Counters, wanted: &Wanted<'_>, recipients: u32) -> Option<Spent> {
        let member = self.member()?;
        let bounds = [own(self, member), of_all(self, member.tenant)];
        let is_counted = bounds.iter().any(Option::is_some);
        let recipients = if is_counted { outbound::count(self, member, wanted).saturating_mul(recipients) } else { 0 };
        if recipients == 0 { None } else { spend(self, counters, bounds, recipients) }
    }
}

fn spend(case: &Case<'_>, counters: &mut Counters, bounds: [Option<Bound>; 2], recipients: u32) -> Option<Spent> {
    let spend = |(counted, _, seconds)| counters.spend(counted, seconds, recipients, case.now);
    let spent: Vec<_> = bounds.into_iter().flatten().map(spend).collect();
    (!spent.is_empty()).then_some(Spent { recipients, of: spent })
}
