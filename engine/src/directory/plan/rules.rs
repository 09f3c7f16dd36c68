//! Changes of mail flow rules. Changes nothing itself.
use crate::base::{Error, Result, limits};

use super::super::tables::{Occupant, Tables};
use super::super::{AccountKind, Event, Rule, Scope, ScopeName, normalise_domain};

fn scope_named(tables: &impl Tables, name: &ScopeName) -> Result<Scope> {
    match name {
        ScopeName::Tenant(name) => super::tenant(tables, name).map(|tenant| Scope::Tenant(tenant.id)),
        ScopeName::Domain(name) => {
            let name = normalise_domain(name)?;
            let found = tables.domain(&name).ok_or_else(|| Error::NotFound(format!("domain {name}")))?;
            Ok(Scope::Domain((*found.name).into()))
        }
        ScopeName::Account(address) => match tables.occupant(address) {
            Some(Occupant::Account(id) | Occupant::Alias(id)) => Ok(Scope::Account(id)),
            _ => Err(Error::NotFound(format!("account {address}"))),
        },
        ScopeName::Group(address) => {
            let group = tables.group(address).ok_or_else(|| Error::NotFound(format!("group {address}")))?;
            Ok(Scope::Group(group.address.clone()))
        }
    }
}

/// A rule from now on.
pub(super) fn add(tables: &impl Tables, name: &ScopeName, rule: &Rule) -> Result<Vec<Event>> {
    let scope = scope_named(tables, name)?;
    if !rule.fits(&scope) {
        return Err(Error::Invalid(format!(
            "rule {rule}: block, allow, outbound and rate are for tenants and accounts, keyword for tenants, forward, away, sieve and messages for accounts, admin for members, catch-all for domains, relay and source for tenants and domains, senders and representative for groups"
        )));
    }
    match (rule, &scope) {
        (Rule::CatchAll(address), Scope::Domain(domain)) => require_account(tables, address, domain)?,
        (Rule::Representative(address), Scope::Group(group)) => require_account(tables, address, group.domain())?,
        (Rule::Admin(_), Scope::Account(id))
            if tables.account(*id).is_none_or(|account| account.kind != AccountKind::Member) =>
        {
            return Err(Error::Invalid(format!("rule {rule}: only a member administers")));
        }
        (Rule::Relay(relay), _) if relay.user.is_empty() != relay.password.reveal().is_empty() => {
            return Err(Error::Invalid(format!(
                "rule {rule}: a user and a password (by --password-stdin), or neither"
            )));
        }
        (Rule::Forward { to, .. }, Scope::Account(id)) => {
            if tables.account(*id).is_some_and(|account| account.has_address(to)) {
                return Err(Error::Invalid(format!("{to} is the account itself: mail would go in circles")));
            }
            let is_other = |other: &&Rule| matches!(other, Rule::Forward { .. }) && !rule.replaces(other);
            if tables.rules_of(&scope).iter().filter(is_other).count() >= limits::FORWARDS_MAX {
                let max = limits::FORWARDS_MAX;
                return Err(Error::Limit(format!("mail of one account goes on to at most {max} addresses")));
            }
        }
        _ => {}
    }
    let rules = tables.rules_of(&scope);
    if rules.binary_search(rule).is_ok() {
        return Ok(Vec::new());
    }
    let replaced = rules.iter().filter(|other| rule.replaces(other));
    let mut events: Vec<Event> = replaced.map(|other| Event::RuleRemoved(scope.clone(), other.clone())).collect();
    if rules.len() - events.len() >= limits::RULES_MAX {
        let max = limits::RULES_MAX;
        return Err(Error::Limit(format!("there are {max} rules already, as many as there may be in one place")));
    }
    events.push(Event::RuleAdded(scope, rule.clone()));
    Ok(events)
}

/// What a catch-all or a group's representative names is an account of the same tenant.
fn require_account(tables: &impl Tables, address: &super::super::Address, domain: &str) -> Result<()> {
    let account = match tables.occupant(address) {
        Some(Occupant::Account(id) | Occupant::Alias(id)) => tables.account(id),
        _ => None,
    };
    let ours = tables.domain(domain).zip(account).is_some_and(|(domain, account)| domain.tenant == account.tenant);
    if ours { Ok(()) } else { Err(Error::NotFound(format!("account {address} in the tenant of {domain}"))) }
}

/// Away with a rule.
pub(super) fn remove(tables: &impl Tables, name: &ScopeName, rule: &Rule) -> Result<Vec<Event>> {
    let scope = scope_named(tables, name)?;
    let known = tables.rules_of(&scope).iter().find(|known| rule.means(known)).cloned();
    let known = known.ok_or_else(|| Error::NotFound(format!("rule {rule}")))?;
    Ok(vec![Event::RuleRemoved(scope, known)])
}
