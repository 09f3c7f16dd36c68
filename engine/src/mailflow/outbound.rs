//! Who may send outside the tenant (F5): the member's own rule, or else the tenant's; without a rule everybody may.
use super::{Case, Counters, Refusal, Wanted};
use crate::directory::{Account, Address, Rule, Scope};

/// Whether somebody outside the member's tenant would get it.
pub(super) fn leaves(case: &Case<'_>, member: &Account, wanted: &Wanted<'_>) -> bool {
    let inside = |account| case.directory.account(account).is_some_and(|other| other.tenant == member.tenant);
    // A group in a group is sent on, and may stay inside.
    !wanted.external.iter().all(|address| stays(case, member, address))
        || wanted.local.iter().any(|recipient| !inside(recipient.account))
}

/// Whether what goes to an address reaches nobody outside the member's tenant, groups and all behind them included.
pub(super) fn stays(case: &Case<'_>, member: &Account, address: &Address) -> bool {
    is_own(case, member, address) && case.directory.members_outside(address, member.tenant).next().is_none()
}

/// How many outside the member's tenant would get it: each of a group's members. Who is behind another's address is nobody's business: it is one.
pub(super) fn count(case: &Case<'_>, member: &Account, wanted: &Wanted<'_>) -> u32 {
    let group = Some(wanted.address).filter(|address| is_own(case, member, address)).into_iter();
    let members = group.flat_map(|group| case.directory.members_outside(group, member.tenant)).count();
    u32::try_from(members).unwrap_or(u32::MAX).max(u32::from(leaves(case, member, wanted)))
}

fn is_own(case: &Case<'_>, member: &Account, address: &Address) -> bool {
    case.directory.domain(address.domain()).is_some_and(|domain| domain.tenant == member.tenant)
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
