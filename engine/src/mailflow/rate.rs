//! How many recipients outside the tenant may be had in a period (F6, A5): by a member, after its own rule or else the tenant's; and by all members of
//! a tenant together.
use super::counters::{Counted, Spent};
use super::{Case, Counters, Refusal, Wanted, outbound};
use crate::base::TenantId;
use crate::directory::{Account, Rule, Scope};

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
    if bounds.iter().all(Option::is_none) || !outbound::leaves(case, member, wanted) {
        return None;
    }
    let is_full = |(counted, recipients, seconds): &Bound| {
        counters.used(*counted, *seconds, case.now).saturating_add(more) > *recipients
    };
    let (counted, recipients, seconds) = bounds.into_iter().flatten().find(is_full)?;
    let used = counters.used(counted, seconds, case.now);
    let text = match counted {
        Counted::Account(_) => {
            format!("{} has sent to {used} of {recipients} recipients outside; try again later", member.address)
        }
        Counted::Tenant(_) => {
            format!("your organisation has sent to {used} of {recipients} recipients outside; try again later")
        }
    };
    Some(Refusal { stage: "rate", code: 450, status: "4.7.1", text })
}

impl Case<'_> {
    /// Counts recipients that were taken against the rates that hold for the sender. `None`: they are inside its tenant, or nobody counts.
    pub fn spend(&self, counters: &mut Counters, wanted: &Wanted<'_>, recipients: u32) -> Option<Spent> {
        let member = self.member().filter(|member| outbound::leaves(self, member, wanted))?;
        let bounds = [own(self, member), of_all(self, member.tenant)].into_iter().flatten();
        let spend = |(counted, _, seconds)| counters.spend(counted, seconds, recipients, self.now);
        let spent: Vec<_> = bounds.map(spend).collect();
        (!spent.is_empty()).then_some(Spent { recipients, of: spent })
    }
}
