//! Changes of groups. Changes nothing itself.
use crate::base::{Error, Result, TenantId, limits};

use super::super::tables::{Occupant, Tables};
use super::super::{Address, Event, Group, sorted};
use super::{display_name, leave_groups, tenant_for};

/// A new group.
pub(super) fn add(
    tables: &impl Tables,
    address: &Address,
    name: &str,
    members: &[Address],
    now: i64,
) -> Result<Vec<Event>> {
    let tenant = tenant_for(tables, address)?;
    let members = sorted::set(members.to_vec());
    members.iter().try_for_each(|member| require_member(tables, tenant.id, address, member))?;
    require_fit(address, members.len())?;
    Ok(vec![Event::GroupAdded(Group {
        address: address.clone(),
        tenant: tenant.id,
        name: display_name("group name", name)?,
        members,
        created: now,
    })])
}

/// Other settings.
pub(super) fn set(
    tables: &impl Tables,
    address: &Address,
    name: Option<&str>,
    add: &[Address],
    remove: &[Address],
) -> Result<Vec<Event>> {
    let group = group_at(tables, address)?;
    let name = name.map(|name| display_name("group name", name)).transpose()?;
    let is_member = |member: &Address| group.members.binary_search(member).is_ok();
    if let Some(stranger) = remove.iter().find(|member| !is_member(member)) {
        return Err(Error::NotFound(format!("member {stranger} of group {address}")));
    }
    let members_remove = sorted::set(remove.to_vec());
    let mut members_add = sorted::set(add.to_vec());
    members_add.retain(|member| !is_member(member) || members_remove.binary_search(member).is_ok());
    members_add.iter().try_for_each(|member| require_member(tables, group.tenant, address, member))?;
    require_fit(address, group.members.len() - members_remove.len() + members_add.len())?;
    if name.is_none() && members_add.is_empty() && members_remove.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![Event::GroupSet { address: address.clone(), name, members_add, members_remove }])
}

/// Away with a group.
pub(super) fn remove(tables: &impl Tables, address: &Address) -> Result<Vec<Event>> {
    let group = group_at(tables, address)?;
    let mut events = leave_groups(tables, group.tenant, std::slice::from_ref(&group.address));
    events.push(Event::GroupRemoved(group.address.clone()));
    Ok(events)
}

fn group_at<'a>(tables: &'a impl Tables, address: &Address) -> Result<&'a Group> {
    tables.group(address).ok_or_else(|| Error::NotFound(format!("group {address}")))
}

/// Whether mail to the group `from` comes to `to` by way of groups in groups of a tenant.
fn leads_to(tables: &impl Tables, tenant: TenantId, from: &Address, to: &Address) -> bool {
    let mut reached = vec![from];
    let mut at = 0;
    while let Some(next) = reached.get(at).copied() {
        at += 1;
        let Some(group) = tables.group(next).filter(|group| group.tenant == tenant) else { continue };
        if group.members.binary_search(to).is_ok() {
            return true;
        }
        for member in group.members.iter().filter(|member| tables.group(member).is_some()) {
            if !reached.contains(&member) {
                reached.push(member);
            }
        }
    }
    false
}

/// Somebody or a group of the tenant, or an address outside it. Of another tenant's addresses nothing is said, not even whether
/// they exist.
fn require_member(tables: &impl Tables, tenant: TenantId, group: &Address, member: &Address) -> Result<()> {
    if member == group {
        return Err(Error::Invalid(format!("group {group} cannot be its own member")));
    }
    if tables.domain(member.domain()).is_none_or(|domain| domain.tenant != tenant) {
        return Ok(());
    }
    match tables.occupant(member) {
        Some(Occupant::Account(_) | Occupant::Alias(_)) => Ok(()),
        Some(Occupant::Group) if leads_to(tables, tenant, member, group) => Err(Error::Invalid(format!(
            "{group} is in group {member} already, itself or by way of others, so that {member} cannot be its member: mail would go in circles"
        ))),
        Some(Occupant::Group) => Ok(()),
        None => Err(Error::NotFound(format!("{member}, named as a member of group {group},"))),
    }
}

fn require_fit(address: &Address, members: usize) -> Result<()> {
    let max = limits::GROUP_MEMBERS_MAX;
    if members <= max {
        return Ok(());
    }
    Err(Error::Limit(format!("group {address} would have {members} members; a group may have {max}")))
}
