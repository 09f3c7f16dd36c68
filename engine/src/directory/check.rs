//! Whether the directory's tables agree with its records: for `check`, and at the end of every test. Repairs nothing.
use std::collections::HashMap;

use crate::base::Result;

use super::fold::corrupt;
use super::tables::{Next, Occupant, Tables};
use super::{AccountKind, Address, Directory, Filter, sorted};

impl Directory {
    /// `Error::Corrupt` names the first thing that does not hold: an address that is found as something else or twice,
    /// a count that is not the number of what it counts, an id that is still to be given. Costs a walk over everything.
    pub fn check(&self) -> Result<()> {
        let addresses = self.check_addresses()?;
        self.check_ids()?;
        self.check_counts(&addresses)?;
        self.check_lists()?;
        self.check_users()?;
        self.check_rules()
    }

    /// Every address is that of one thing and is found as that; says who has each.
    fn check_addresses(&self) -> Result<HashMap<&Address, Occupant>> {
        let mut seen = HashMap::new();
        let mut one = |address, occupant| {
            let found = self.occupant(address);
            if seen.insert(address, occupant).is_some() || found != Some(occupant) {
                return Err(corrupt(format!("{address} is {occupant:?} and is found as {found:?}, or is there twice")));
            }
            Ok(())
        };
        for account in self.accounts.iter() {
            one(&account.address, Occupant::Account(account.id))?;
            account.aliases.iter().try_for_each(|alias| one(alias, Occupant::Alias(account.id)))?;
        }
        self.groups.keys().try_for_each(|address| one(address, Occupant::Group))?;
        let aliases: usize = self.accounts.iter().map(|account| account.aliases.len()).sum();
        hold(aliases == self.aliases.len(), || "an alias without its account".into())?;
        Ok(seen)
    }

    fn check_ids(&self) -> Result<()> {
        let Next { tenant, account } = self.next();
        let given = self.tenants.keys().all(|id| *id < tenant) && self.accounts.iter().all(|held| held.id < account);
        let binned = |(id, removed): (&_, &super::Removed)| {
            *id == removed.account.id
                && *id < account
                && self.account(*id).is_none()
                && self.tenant(removed.account.tenant).is_some()
        };
        hold(given && self.removed.iter().all(binned), || "an id that is not given yet, or is given twice".into())
    }

    fn check_counts(&self, addresses: &HashMap<&Address, Occupant>) -> Result<()> {
        let mut used: HashMap<&str, u64> = HashMap::new();
        addresses.keys().for_each(|address| *used.entry(address.domain()).or_default() += 1);
        hold(used.keys().all(|name| self.domains.contains_key(*name)), || "an address in a domain not ours".into())?;
        for domain in self.domains.values() {
            let counted = used.get(&*domain.name).copied().unwrap_or(0);
            let listed = self.tenant(domain.tenant).is_some_and(|tenant| tenant.domains.contains(&domain.name));
            hold(counted == domain.addresses && listed, || format!("domain {}: {counted} addresses", domain.name))?;
        }
        let mut accounts: HashMap<_, u32> = HashMap::new();
        self.accounts.iter().for_each(|account| *accounts.entry(account.tenant).or_default() += 1);
        let mut domains: HashMap<_, usize> = HashMap::new();
        self.domains.values().for_each(|domain| *domains.entry(domain.tenant).or_default() += 1);
        hold(accounts.keys().all(|id| self.tenants.contains_key(id)), || "an account of no tenant".into())?;
        for tenant in self.tenants.values() {
            let counted = accounts.get(&tenant.id).copied().unwrap_or(0);
            let domains = domains.get(&tenant.id).copied().unwrap_or(0);
            let holds = counted == tenant.accounts && domains == tenant.domains.len();
            hold(holds, || format!("tenant {}: {counted} accounts, {domains} domains", tenant.name))?;
        }
        Ok(())
    }

    /// The lists that people page through have every account and group once.
    fn check_lists(&self) -> Result<()> {
        let all = Filter::default();
        let of_kind = |kind| self.accounts.iter().filter(|account| account.kind == kind).count();
        let lists = [
            ("member", self.members(all).count(), self.lists().members.len(), of_kind(AccountKind::Member)),
            (
                "business mailbox",
                self.business(all).count(),
                self.lists().business.len(),
                of_kind(AccountKind::Business),
            ),
            ("group", self.groups(all).count(), self.group_list.len(), self.groups.len()),
        ];
        lists.into_iter().try_for_each(|(what, shown, listed, there)| {
            hold(shown == listed && listed == there, || format!("{shown} of {there} {what}s are listed"))
        })
    }

    /// Who opens a business mailbox says the same from both sides.
    fn check_users(&self) -> Result<()> {
        let pairs = |held: usize| hold(held == self.accounts.iter().map(|a| a.users.len()).sum(), || "users".into());
        pairs(self.opens.values().map(Vec::len).sum())?;
        for account in self.accounts.iter() {
            let mutual = account.users.iter().all(|user| {
                self.account(*user).is_some_and(|user| user.tenant == account.tenant)
                    && self.opens(*user).binary_search(&account.id).is_ok()
            });
            let holds = mutual && sorted::is_set(&account.users) && sorted::is_set(&account.aliases);
            hold(holds, || format!("users or aliases of {}", account.address))?;
        }
        let groups = self.groups.values();
        groups.into_iter().try_for_each(|group| hold(sorted::is_set(&group.members), || group.address.to_string()))
    }

    /// Keys are of domains that are there, rules of somebody who is there.
    fn check_rules(&self) -> Result<()> {
        let keys = self.keys.iter().all(|((domain, selector), key)| {
            *domain == key.domain && *selector == key.selector && self.domain(domain).is_some()
        });
        hold(keys, || "a signing key of no domain".into())?;
        self.rules.iter().try_for_each(|(scope, rules)| {
            let holds = self.tenant_of(scope).is_some_and(|id| self.tenant(id).is_some())
                && !rules.is_empty()
                && sorted::is_set(rules)
                && rules.iter().all(|rule| rule.fits(scope));
            hold(holds, || format!("rules of {scope:?}"))
        })
    }
}

fn hold(holds: bool, what: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(corrupt(what())) }
}
