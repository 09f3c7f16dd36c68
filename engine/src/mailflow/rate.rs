//! How many recipients outside the tenant a member may have in a period (F6): the member's own rule, or else the tenant's.
use super::{Case, Counters, Refusal, Wanted, outbound};
use crate::base::AccountId;
use crate::directory::Rule;

/// The period and the bound that hold for a member.
fn rule(case: &Case<'_>) -> Option<(AccountId, u32, u32)> {
    let member = case.member()?;
    let find = |rule: &Rule| match rule {
        Rule::Rate { recipients, seconds } => Some((*recipients, *seconds)),
        _ => None,
    };
    outbound::nearest(case, member, find).map(|(recipients, seconds)| (member.id, recipients, seconds))
}

pub(super) fn at_recipient(case: &Case<'_>, counters: &Counters, wanted: &Wanted<'_>, pending: u32) -> Option<Refusal> {
    let (id, recipients, seconds) = rule(case)?;
    let member = case.directory.account(id)?;
    if !outbound::leaves(case, member, wanted) {
        return None;
    }
    let used = counters.used(id, seconds, case.now);
    if used.saturating_add(pending) < recipients {
        return None;
    }
    let text = format!("{} has sent to {used} of {recipients} recipients outside; try again later", member.address);
    Some(Refusal { stage: "rate", code: 450, status: "4.7.1", text })
}

impl Case<'_> {
    /// Whether a recipient counts against the member's rate.
    pub fn leaves_tenant(&self, wanted: &Wanted<'_>) -> bool {
        self.member().is_some_and(|member| outbound::leaves(self, member, wanted))
    }

    /// Counts recipients outside the tenant that a message was taken for.
    pub fn charge(&self, counters: &mut Counters, recipients: u32) {
        if let Some((id, _, seconds)) = rule(self).filter(|_| recipients > 0) {
            counters.charge(id, seconds, recipients, self.now);
        }
    }
}
