//! The recycle bin: an account comes back as far as its addresses and users are still to be had, or is purged for good. Changes nothing
//! itself.
use crate::base::{AccountId, Error, Result};

use super::super::tables::Tables;
use super::super::{AccountKind, Address, Event, Removed};
use super::accounts::require_seat;
use super::tenant_for;

/// Back from the bin.
pub(super) fn restore(tables: &impl Tables, id: AccountId, address: Option<&Address>) -> Result<Vec<Event>> {
    let removed = binned(tables, id)?;
    let account = &removed.account;
    if removed.purge_begun {
        return Err(Error::Invalid(format!("the purge of {} has begun; it cannot be restored", account.address)));
    }
    let address = address.unwrap_or(&account.address);
    let tenant = tenant_for(tables, address)?;
    if tenant.id != account.tenant {
        return Err(Error::NotFound(format!("domain {} in the tenant of {}", address.domain(), account.address)));
    }
    require_seat(tenant)?;
    let free = |alias: &&Address| *alias != address && tenant_for(tables, alias).is_ok_and(|its| its.id == tenant.id);
    let aliases = account.aliases.iter().filter(free).cloned().collect();
    let member = |user: &&AccountId| {
        tables.account(**user).is_some_and(|user| user.kind == AccountKind::Member && user.tenant == tenant.id)
    };
    let users = account.users.iter().filter(member).copied().collect();
    Ok(vec![Event::AccountRestored { id, address: address.clone(), aliases, users }])
}

/// From now on it cannot be restored. Nothing when that is so already.
pub(super) fn purge_begin(tables: &impl Tables, id: AccountId, now: i64) -> Result<Vec<Event>> {
    let begun = binned(tables, id)?.purge_begun;
    Ok(if begun { Vec::new() } else { vec![Event::AccountPurgeBegun { id, when: now }] })
}

/// Nothing is left of it.
pub(super) fn purge_end(tables: &impl Tables, id: AccountId) -> Result<Vec<Event>> {
    let removed = binned(tables, id)?;
    if !removed.purge_begun {
        return Err(Error::Invalid(format!("the purge of {} was not begun", removed.account.address)));
    }
    Ok(vec![Event::AccountPurged(id)])
}

fn binned(tables: &impl Tables, id: AccountId) -> Result<&Removed> {
    tables.removed(id).ok_or_else(|| Error::NotFound(format!("account {id} in the recycle bin")))
}
