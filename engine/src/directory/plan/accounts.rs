//! Changes of members' and business mailboxes' accounts and their aliases. Changes nothing itself.
use crate::base::{AccountId, Error, Result, TenantId, limits};

use super::super::event::AccountEdit;
use super::super::password::valid_hash;
use super::super::tables::{Occupant, Tables};
use super::super::{Account, AccountKind, AccountPatch, Address, Change, Event, Tenant, sorted};
use super::{display_name, leave_groups, tenant_for};

/// A new member or business mailbox.
pub(super) fn add(tables: &impl Tables, change: &Change, now: i64) -> Result<Vec<Event>> {
    let (kind, address, name, password_hash, vip, quota, users) = match change {
        Change::MemberAdd { address, name, password_hash, vip, quota } => {
            (AccountKind::Member, address, name, password_hash, *vip, *quota, &[][..])
        }
        Change::BusinessAdd { address, name, password_hash, quota, users } => {
            (AccountKind::Business, address, name, password_hash, false, *quota, &users[..])
        }
        _ => return Ok(Vec::new()),
    };
    let tenant = tenant_for(tables, address)?;
    require_seat(tenant)?;
    password_hash.as_deref().map_or(Ok(()), valid_hash)?;
    let users = users_named(tables, tenant.id, users)?;
    require_users_fit(address, users.len())?;
    Ok(vec![Event::AccountAdded(Account {
        id: tables.next().account,
        kind,
        tenant: tenant.id,
        address: address.clone(),
        name: display_name("account name", name)?,
        vip,
        quota,
        password_hash: password_hash.as_deref().map(Box::from),
        access: None,
        disabled: false,
        aliases: Box::default(),
        users: users.into(),
        created: now,
    })])
}

/// Other settings.
pub(super) fn set(tables: &impl Tables, address: &Address, set: &AccountPatch) -> Result<Vec<Event>> {
    let account = account_at(tables, address)?;
    if account.kind == AccountKind::Member && !(set.users_add.is_empty() && set.users_remove.is_empty()) {
        return Err(Error::Invalid(format!("{address} is a member's mailbox; only a business mailbox has users")));
    }
    if account.kind == AccountKind::Business && set.vip.is_some() {
        return Err(Error::Invalid(format!(
            "{address} is a business mailbox; only a member can be VIP (set its quota to unlimited instead)"
        )));
    }
    set.password_hash.as_deref().map_or(Ok(()), valid_hash)?;
    let mut edit = AccountEdit {
        id: account.id,
        name: set.name.as_deref().map(|name| display_name("account name", name)).transpose()?,
        password_hash: set.password_hash.as_deref().map(Box::from),
        vip: set.vip,
        quota: set.quota,
        disabled: set.disabled,
        users_add: users_named(tables, account.tenant, &set.users_add)?,
        users_remove: users_named(tables, account.tenant, &set.users_remove)?,
    };
    if let Some(stranger) = edit.users_remove.iter().find(|user| !account.users.contains(user)) {
        let who = tables.account(*stranger).map_or_else(|| stranger.to_string(), |user| user.address.to_string());
        return Err(Error::NotFound(format!("user {who} of {address}")));
    }
    let (users_remove, before) = (&edit.users_remove, &account.users);
    edit.users_add.retain(|user| !before.contains(user) || users_remove.contains(user));
    require_users_fit(address, account.users.len() - edit.users_remove.len() + edit.users_add.len())?;
    let nothing = AccountEdit { id: account.id, ..AccountEdit::default() };
    Ok(if edit == nothing { Vec::new() } else { vec![Event::AccountSet(edit)] })
}

/// An account into the bin: out of the groups and business mailboxes first.
pub(super) fn remove(tables: &impl Tables, address: &Address, now: i64) -> Result<Vec<Event>> {
    let account = account_at(tables, address)?;
    if account.address != *address {
        return Err(Error::Invalid(format!(
            "{address} is an alias; give the account's own address {} to remove it",
            account.address
        )));
    }
    let leaving = sorted::set(std::iter::once(address).chain(&account.aliases).cloned().collect());
    let mut events = leave_groups(tables, account.tenant, &leaving);
    events.extend(tables.opens(account.id).iter().map(|business| {
        Event::AccountSet(AccountEdit { id: *business, users_remove: vec![account.id], ..AccountEdit::default() })
    }));
    events.push(Event::AccountBinned { id: account.id, when: now });
    Ok(events)
}

/// One more address.
pub(super) fn alias_add(tables: &impl Tables, address: &Address, alias: &Address) -> Result<Vec<Event>> {
    let account = account_at(tables, address)?;
    let tenant = tenant_for(tables, alias)?;
    if tenant.id != account.tenant {
        return Err(Error::NotFound(format!("domain {} in the tenant of {address}", alias.domain())));
    }
    if account.aliases.len() >= limits::ALIASES_MAX {
        let max = limits::ALIASES_MAX;
        return Err(Error::Limit(format!("{address} has {max} aliases, as many as an account may have")));
    }
    Ok(vec![Event::AliasAdded { account: account.id, alias: alias.clone() }])
}

/// One address less, out of the groups first.
pub(super) fn alias_remove(tables: &impl Tables, alias: &Address) -> Result<Vec<Event>> {
    let Some(Occupant::Alias(id)) = tables.occupant(alias) else {
        return Err(Error::NotFound(format!("alias {alias}")));
    };
    let tenant = tables.account(id).ok_or_else(|| Error::NotFound(format!("alias {alias}")))?.tenant;
    let mut events = leave_groups(tables, tenant, std::slice::from_ref(alias));
    events.push(Event::AliasRemoved(alias.clone()));
    Ok(events)
}

/// The tenant may have one more account.
pub(super) fn require_seat(tenant: &Tenant) -> Result<()> {
    if tenant.accounts < tenant.accounts_max {
        return Ok(());
    }
    Err(Error::Limit(format!(
        "tenant {} has {} accounts and may have {} (accounts_max, which an operator can raise)",
        tenant.name, tenant.accounts, tenant.accounts_max
    )))
}

pub(in crate::directory) fn account_at<'a>(tables: &'a impl Tables, address: &Address) -> Result<&'a Account> {
    let found = match tables.occupant(address) {
        Some(Occupant::Account(id) | Occupant::Alias(id)) => tables.account(id),
        Some(Occupant::Group) => return Err(Error::Invalid(format!("{address} is a group, not an account"))),
        None => None,
    };
    found.ok_or_else(|| Error::NotFound(format!("account {address}")))
}

/// The ids of members of the tenant, sorted, each once.
fn users_named(tables: &impl Tables, tenant: TenantId, users: &[Address]) -> Result<Vec<AccountId>> {
    let id = |address: &Address| match account_at(tables, address) {
        Ok(user) if user.tenant == tenant && user.kind == AccountKind::Member => Ok(user.id),
        _ => Err(Error::NotFound(format!("member {address} of the business mailbox's tenant"))),
    };
    Ok(sorted::set(users.iter().map(id).collect::<Result<_>>()?))
}

fn require_users_fit(address: &Address, users: usize) -> Result<()> {
    let max = limits::BUSINESS_USERS_MAX;
    if users <= max {
        return Ok(());
    }
    Err(Error::Limit(format!("{address} would have {users} users; a business mailbox may have {max}")))
}
