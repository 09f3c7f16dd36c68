//! The lists that people page through, each sorted. Never copies a table to sort it, but for the domains.
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::base::{AccountId, TenantId};

use super::{Account, Address, Directory, Domain, Group, Tenant};

/// Which entries a list shall have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only this enterprise's.
    pub tenant: Option<TenantId>,
    /// Only those whose address or name contains this, in any case; empty is all.
    pub contains: &'a str,
    /// Only those after this address: the last one of the page before.
    pub after: Option<&'a Address>,
}

impl Directory {
    /// All tenants, sorted by name.
    pub fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        self.tenant_names.values().filter_map(|id| self.tenant(*id))
    }

    /// Domains of one tenant or of all, sorted by name.
    pub fn domains(&self, tenant: Option<TenantId>) -> impl Iterator<Item = &Domain> {
        let mut names: Vec<&Arc<str>> = match tenant {
            Some(id) => self.tenant(id).into_iter().flat_map(|tenant| &tenant.domains).collect(),
            None => self.domains.keys().collect(),
        };
        names.sort_unstable();
        names.into_iter().filter_map(|name| self.domain(name))
    }

    /// Members' accounts, sorted by address (domain first). A page is `.take(n)`, the next one begins `after` its last.
    pub fn members<'a>(&'a self, filter: Filter<'a>) -> impl Iterator<Item = &'a Account> {
        self.accounts_of(&self.lists().members, filter)
    }

    /// Business mailboxes, sorted by address (domain first).
    pub fn business<'a>(&'a self, filter: Filter<'a>) -> impl Iterator<Item = &'a Account> {
        self.accounts_of(&self.lists().business, filter)
    }

    /// Groups, sorted by address (domain first).
    pub fn groups<'a>(&'a self, filter: Filter<'a>) -> impl Iterator<Item = &'a Group> {
        let wanted = contains(filter.contains);
        self.starts(filter)
            .flat_map(|(from, domain)| {
                let of_domain = move |address: &&Address| domain.is_none_or(|domain| address.domain() == domain);
                self.group_list.range((from, Bound::Unbounded)).take_while(of_domain)
            })
            .filter_map(|address| self.group(address))
            .filter(move |group| wanted(group.address.as_str(), &group.name))
    }

    /// The business mailboxes that a member may open, sorted by id.
    pub fn business_of(&self, member: AccountId) -> impl Iterator<Item = &Account> {
        self.opens.get(&member).into_iter().flatten().filter_map(|id| self.account(*id))
    }

    fn accounts_of<'a>(
        &'a self,
        list: &'a BTreeMap<Address, AccountId>,
        filter: Filter<'a>,
    ) -> impl Iterator<Item = &'a Account> {
        let wanted = contains(filter.contains);
        self.starts(filter)
            .flat_map(|(from, domain)| {
                let of_domain =
                    move |(address, _): &(&Address, _)| domain.is_none_or(|domain| address.domain() == domain);
                list.range((from, Bound::Unbounded)).take_while(of_domain)
            })
            .filter(move |(_, id)| self.accounts.names(**id).is_some_and(|names| wanted(names.address, names.name)))
            .filter_map(|(_, id)| self.account(*id))
    }

    /// Where to begin in a list, and the domain at whose end to stop: one stretch for each of a tenant's domains,
    /// because addresses are ordered by domain first, or a single one over everything.
    fn starts<'a>(&'a self, filter: Filter<'a>) -> impl Iterator<Item = (Bound<Address>, Option<&'a str>)> {
        let after = move |address: &Address| Bound::Excluded(address.clone());
        let everything = match filter.tenant {
            None => Some((filter.after.map_or(Bound::Unbounded, after), None)),
            Some(_) => None,
        };
        let tenant = filter.tenant.and_then(|id| self.tenant(id));
        let of_tenant = tenant.into_iter().flat_map(|tenant| &tenant.domains).filter_map(move |domain| {
            let from = match filter.after {
                Some(address) if address.domain() == &**domain => after(address),
                Some(address) if address.domain() > &**domain => return None,
                _ => Bound::Included(Address::first_of(domain)),
            };
            Some((from, Some(&**domain)))
        });
        everything.into_iter().chain(of_tenant)
    }
}

/// Whether an address or a name contains `text`, in any case.
fn contains(text: &str) -> impl Fn(&str, &str) -> bool {
    let wanted = text.to_lowercase();
    move |address, name| wanted.is_empty() || address.contains(&wanted) || name.to_lowercase().contains(&wanted)
}
