//! Who may send outside the tenant (F5): the member's own rule, or else the tenant's; without a rule everybody may.
use super::{Case, Counters, Refusal, Wanted};
use crate::base::limits;
use crate::directory::{Account, Recipient, Resolution, Rule, Scope};
use std::collections::HashSet;

/// Whether somebody outside the member's tenant would get it. A group of the tenant in a group is inside, and so are its members, as far as they are.
pub(super) fn leaves(case: &Case<'_>, member: &Account, wanted: &Wanted<'_>) -> bool {
    let is_inside = |one: &Recipient| {
        case.directory.account(one.account).is_some_and(|other| other.tenant == member.tenant)
    };
    if !wanted.local.iter().all(is_inside) {
        return true;
    }
    let mut pending = wanted.external.to_vec();
    let mut seen = HashSet::new();
    while let Some(address) = pending.pop() {
        if seen.contains(&address) {
            continue;
        }
        let of_tenant = case.directory.group(&address).is_some_and(|group| group.tenant == member.tenant);
        if !of_tenant || seen.len() >= limits::NESTED_GROUPS_MAX {
            return true;
        }
        if let Resolution::Recipients { local, external } = case.directory.resolve(&address) {
            if !local.iter().all(is_inside) {
                return true;
            }
            pending.extend(external);
        }
        seen.insert(address);
    }
    false
}

/// The rule of the member, or else of the tenant.
pub(super) fn nearest<T>(case: &Case<'_>, member: &Account, find: impl Fn(&Rule) -> Option<T>) -> Option<T> {
    let of = |scope: &Scope| case.directory.rules(scope).iter().find_map(&find);
    of(&Scope::Account(member.id)).or_else(|| of(&Scope::Tenant(member.tenant)))
}

pub(super) fn at_recipient(case: &Case<'_>, _: &Counters, wanted: &Wanted<'_>, _: u32) -> Option<Refusal> {
    let member = case.member()?;
    let may = nearest(case, member, |rule| if let Rule::Outbound(may) = rule { Some(*may) } else { None });
    if may != Some(false) || !leaves(case, member, wanted) {
        return None;
    }
    let text = format!("{} may not send outside its organisation; ask its administrator", member.address);
    Some(Refusal { stage: "outbound", code: 550, status: "5.7.1", text })
}
