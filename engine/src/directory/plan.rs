//! Whether a change is allowed, and what would happen then. Changes nothing; every refusal names the thing and what is
//! allowed. Accounts and groups have files of their own.
mod accounts;
mod acl;
mod bin;
mod groups;
mod keys;
mod rules;

pub(super) use accounts::account_at;

use crate::base::{Error, Result, TenantId, limits};

use super::overlay::Overlay;
use super::tables::{Occupant, Tables};
use super::{Address, Change, Directory, Domain, Event, LoginRules, Tenant, access, fold, normalise_domain};

/// The events of one change.
pub(super) fn plan(tables: &impl Tables, change: &Change, now: i64) -> Result<Vec<Event>> {
    match change {
        Change::TenantAdd { name, title, accounts_max } => tenant_add(tables, name, title, *accounts_max, now),
        Change::TenantSet { name, title, accounts_max, disabled } => {
            tenant_set(tables, name, title.as_deref(), *accounts_max, *disabled)
        }
        Change::TenantRemove { name } => tenant_remove(tables, name),
        Change::DomainAdd { tenant, domain } => domain_add(tables, tenant, domain, now),
        Change::DomainRemove { domain } => domain_remove(tables, domain),
        Change::MemberAdd { .. } | Change::BusinessAdd { .. } => accounts::add(tables, change, now),
        Change::AccountSet { address, set } => accounts::set(tables, address, set),
        Change::AccountRemove { address } => accounts::remove(tables, address, now),
        Change::AccountRestore { id, address } => bin::restore(tables, *id, address.as_ref()),
        Change::AccountPurgeBegin { id } => bin::purge_begin(tables, *id, now),
        Change::AccountPurgeEnd { id } => bin::purge_end(tables, *id),
        Change::AliasAdd { account, alias } => accounts::alias_add(tables, account, alias),
        Change::AliasRemove { alias } => accounts::alias_remove(tables, alias),
        Change::GroupAdd { address, name, members } => groups::add(tables, address, name, members, now),
        Change::GroupSet { address, name, members_add, members_remove } => {
            groups::set(tables, address, name.as_deref(), members_add, members_remove)
        }
        Change::GroupRemove { address } => groups::remove(tables, address),
        Change::KeyAdd(key) => keys::add(tables, key, now),
        Change::KeySet { domain, selector, state } => keys::set(tables, domain, selector, *state),
        Change::KeyRemove { domain, selector } => keys::remove(tables, domain, selector),
        Change::RuleAdd { scope, rule } => rules::add(tables, scope, rule),
        Change::RuleRemove { scope, rule } => rules::remove(tables, scope, rule),
        Change::Access(change) => access::plan::plan(tables, change, now),
        Change::Acl(change) => acl::plan(tables, change),
    }
}

/// The events of many changes, each planned on top of those before it.
pub(super) fn plan_all(base: &Directory, changes: &[Change], now: i64) -> Vec<Result<Vec<Event>>> {
    let mut scratch = Overlay::new(base);
    let mut broken: Option<Error> = None;
    let mut one = |change: &Change| {
        if let Some(error) = &broken {
            return Err(error.clone());
        }
        let events = plan(&scratch, change, now)?;
        for event in &events {
            // What was planned always folds. Were it not so, nothing planned on top of it could be trusted either.
            fold::fold(&mut scratch, event).inspect_err(|error| broken = Some(error.clone()))?;
        }
        Ok(events)
    };
    changes.iter().map(&mut one).collect()
}

fn tenant_add(
    tables: &impl Tables,
    name: &str,
    title: &str,
    accounts_max: Option<u32>,
    now: i64,
) -> Result<Vec<Event>> {
    let slug = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = (1..=limits::TENANT_NAME_BYTES_MAX).contains(&name.len());
    if !fits || !name.bytes().all(slug) || name.starts_with('-') || name.ends_with('-') {
        return Err(Error::Invalid(format!(
            "tenant name {name:?}: allowed are 1 to {} small letters, digits and hyphens, the hyphens inside",
            limits::TENANT_NAME_BYTES_MAX
        )));
    }
    if tables.tenant_named(name).is_some() {
        return Err(Error::Exists(format!("tenant {name}")));
    }
    Ok(vec![Event::TenantAdded(Tenant {
        id: tables.next().tenant,
        name: name.into(),
        title: display_name("tenant title", title)?,
        accounts_max: accounts_max.unwrap_or(limits::TENANT_ACCOUNTS_DEFAULT),
        disabled: false,
        rules: LoginRules::default(),
        created: now,
        accounts: 0,
        domains: Vec::new(),
    })])
}

fn tenant_set(
    tables: &impl Tables,
    name: &str,
    title: Option<&str>,
    accounts_max: Option<u32>,
    disabled: Option<bool>,
) -> Result<Vec<Event>> {
    let tenant = tenant(tables, name)?;
    if let Some(max) = accounts_max.filter(|max| *max < tenant.accounts) {
        return Err(Error::Invalid(format!(
            "tenant {name} has {} accounts; a bound of {max} is too small for them",
            tenant.accounts
        )));
    }
    let title = title.map(|title| display_name("tenant title", title)).transpose()?;
    if title.is_none() && accounts_max.is_none() && disabled.is_none() {
        return Ok(Vec::new());
    }
    Ok(vec![Event::TenantSet { id: tenant.id, title, accounts_max, disabled }])
}

fn tenant_remove(tables: &impl Tables, name: &str) -> Result<Vec<Event>> {
    let tenant = tenant(tables, name)?;
    if tenant.accounts > 0 || !tenant.domains.is_empty() {
        return Err(Error::Invalid(format!(
            "tenant {name} has {} accounts and {} domains; only an empty tenant can be removed",
            tenant.accounts,
            tenant.domains.len()
        )));
    }
    let binned = tables.removed_of(tenant.id);
    if binned > 0 {
        return Err(Error::Invalid(format!(
            "{binned} removed mailboxes of tenant {name} are in the recycle bin; purge them first (posthouse purge)"
        )));
    }
    Ok(vec![Event::TenantRemoved(tenant.id)])
}

fn domain_add(tables: &impl Tables, tenant_name: &str, domain: &str, now: i64) -> Result<Vec<Event>> {
    let tenant = tenant(tables, tenant_name)?;
    let name = normalise_domain(domain)?;
    if name.contains('_') {
        let why = "has an underscore, which many hosts refuse (RFC 1123 section 2.1); letters, digits and hyphens are allowed";
        return Err(Error::Invalid(format!("domain {name:?}: {why}")));
    }
    if tables.domain(&name).is_some() {
        return Err(Error::Exists(format!("domain {name}")));
    }
    if tenant.domains.len() >= limits::DOMAINS_MAX {
        let max = limits::DOMAINS_MAX;
        return Err(Error::Limit(format!("tenant {tenant_name} has {max} domains, as many as it may have")));
    }
    Ok(vec![Event::DomainAdded(Domain { name: name.into(), tenant: tenant.id, created: now, addresses: 0 })])
}

fn domain_remove(tables: &impl Tables, domain: &str) -> Result<Vec<Event>> {
    let name = normalise_domain(domain)?;
    let domain = tables.domain(&name).ok_or_else(|| Error::NotFound(format!("domain {name}")))?;
    if domain.addresses > 0 {
        return Err(Error::Invalid(format!(
            "domain {name} is used by {} addresses; remove those accounts, aliases and groups first",
            domain.addresses
        )));
    }
    Ok(vec![Event::DomainRemoved(name.into())])
}

pub(super) fn tenant<'a>(tables: &'a impl Tables, name: &str) -> Result<&'a Tenant> {
    let id = tables.tenant_named(name);
    id.and_then(|id| tables.tenant(id)).ok_or_else(|| Error::NotFound(format!("tenant {name}")))
}

/// The tenant in whose domain a new address would be, if the address is free.
fn tenant_for<'a>(tables: &'a impl Tables, address: &Address) -> Result<&'a Tenant> {
    let missing = || Error::NotFound(format!("domain {} of {address}", address.domain()));
    let domain = tables.domain(address.domain()).ok_or_else(missing)?;
    match tables.occupant(address) {
        None => tables.tenant(domain.tenant).ok_or_else(missing),
        Some(Occupant::Account(_)) => Err(Error::Exists(format!("account {address}"))),
        Some(Occupant::Group) => Err(Error::Exists(format!("group {address}"))),
        Some(Occupant::Alias(id)) => {
            let owner = tables.account(id).map(|account| format!(" of {}", account.address));
            Err(Error::Exists(format!("alias {address}{}", owner.unwrap_or_default())))
        }
    }
}

/// A name for people: may be empty, holds no controls, is bounded.
pub(super) fn display_name(what: &str, name: &str) -> Result<Box<str>> {
    let name = name.trim();
    if name.len() > limits::DISPLAY_NAME_BYTES_MAX || name.chars().any(char::is_control) {
        let max = limits::DISPLAY_NAME_BYTES_MAX;
        return Err(Error::Invalid(format!("{what}: allowed are at most {max} bytes without control characters")));
    }
    Ok(name.into())
}

/// All groups of the tenant that list one of these addresses (sorted), each with an event that takes them out; in the
/// order of the groups, so that a transaction is logged as single changes would be.
fn leave_groups(tables: &impl Tables, tenant: TenantId, leaving: &[Address]) -> Vec<Event> {
    let mut left: Vec<(&Address, Vec<Address>)> = Vec::new();
    for group in tables.groups_of(tenant) {
        let listed = |address: &&Address| group.members.binary_search(address).is_ok();
        let members_remove: Vec<Address> = leaving.iter().filter(listed).cloned().collect();
        if !members_remove.is_empty() {
            left.push((&group.address, members_remove));
        }
    }
    left.sort_unstable();
    let event = |(address, members_remove): (&Address, _)| Event::GroupSet {
        address: address.clone(),
        name: None,
        members_add: Vec::new(),
        members_remove,
    };
    left.into_iter().map(event).collect()
}
