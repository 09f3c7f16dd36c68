//! A scratch layer above a directory: planned changes show in it, the directory below stays as it is. Copies what is
//! touched and nothing else.
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

use crate::base::{AccountId, TenantId};

use super::tables::{Next, Occupant, Tables};
use super::{Account, Address, Directory, Domain, Grantee, Group, Removed, Rule, Scope, SigningKey, Tenant};

/// What differs from the table below; `None` is gone.
struct Layer<K, V>(HashMap<K, Option<V>>);

impl<K: Hash + Eq, V: Clone> Layer<K, V> {
    fn get<'a, Q>(&'a self, key: &Q, below: impl FnOnce() -> Option<&'a V>) -> Option<&'a V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.get(key).map_or_else(below, Option::as_ref)
    }

    fn get_mut(&mut self, key: K, below: Option<&V>) -> Option<&mut V> {
        self.0.entry(key).or_insert_with(|| below.cloned()).as_mut()
    }

    fn set(&mut self, key: K, value: Option<V>) {
        self.0.insert(key, value);
    }
}

impl<K, V> Default for Layer<K, V> {
    fn default() -> Layer<K, V> {
        Layer(HashMap::new())
    }
}

/// A directory and what is planned on top of it.
pub(super) struct Overlay<'a> {
    base: &'a Directory,
    next: Next,
    secret: Option<[u8; 32]>,
    tenants: Layer<TenantId, Tenant>,
    tenant_names: Layer<Box<str>, TenantId>,
    domains: Layer<Arc<str>, Domain>,
    accounts: Layer<AccountId, Account>,
    groups: Layer<Address, Group>,
    occupants: Layer<Address, Occupant>,
    opens: HashMap<AccountId, Vec<AccountId>>,
    removed: Layer<AccountId, Removed>,
    keys: HashMap<(Box<str>, Box<str>), Option<SigningKey>>,
    rules: HashMap<Scope, Vec<Rule>>,
}

impl<'a> Overlay<'a> {
    /// Nothing is planned yet.
    pub(super) fn new(base: &'a Directory) -> Overlay<'a> {
        Overlay {
            base,
            next: base.next(),
            secret: base.secret,
            tenants: Layer::default(),
            tenant_names: Layer::default(),
            domains: Layer::default(),
            accounts: Layer::default(),
            groups: Layer::default(),
            occupants: Layer::default(),
            opens: HashMap::new(),
            removed: Layer::default(),
            keys: HashMap::new(),
            rules: HashMap::new(),
        }
    }
}

impl Overlay<'_> {
    /// Planned scopes that have rules, and those below that nothing was planned for; ascending, so that a transaction is logged as single
    /// changes would be.
    fn with_lists<'s>(&self, planned: impl Iterator<Item = &'s Scope>, below: Vec<Scope>) -> Vec<Scope> {
        let kept = planned.filter(|scope| !self.rules_of(scope).is_empty()).cloned();
        let mut all: Vec<Scope> =
            kept.chain(below.into_iter().filter(|scope| !self.rules.contains_key(scope))).collect();
        all.sort_unstable();
        all
    }
}

impl Tables for Overlay<'_> {
    fn next(&self) -> Next {
        self.next
    }

    fn set_next(&mut self, next: Next) {
        self.next = next;
    }

    fn secret(&self) -> Option<[u8; 32]> {
        self.secret
    }

    fn set_secret(&mut self, secret: [u8; 32]) {
        self.secret = Some(secret);
    }

    fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.get(&id, || self.base.tenant(id))
    }

    fn tenant_named(&self, name: &str) -> Option<TenantId> {
        self.tenant_names.get(name, || self.base.tenant_names.get(name)).copied()
    }

    fn tenant_mut(&mut self, id: TenantId) -> Option<&mut Tenant> {
        self.tenants.get_mut(id, self.base.tenant(id))
    }

    fn insert_tenant(&mut self, tenant: Tenant) {
        self.tenant_names.set(tenant.name.clone(), Some(tenant.id));
        self.tenants.set(tenant.id, Some(tenant));
    }

    fn remove_tenant(&mut self, id: TenantId) {
        let name = self.tenant(id).map(|tenant| tenant.name.clone());
        if let Some(name) = name {
            self.tenant_names.set(name, None);
            self.tenants.set(id, None);
        }
    }

    fn domain(&self, name: &str) -> Option<&Domain> {
        self.domains.get(name, || self.base.domain(name))
    }

    fn domain_mut(&mut self, name: &str) -> Option<&mut Domain> {
        self.domains.get_mut(name.into(), self.base.domain(name))
    }

    fn insert_domain(&mut self, domain: Domain) {
        self.domains.set(domain.name.clone(), Some(domain));
    }

    fn remove_domain(&mut self, name: &str) {
        self.domains.set(name.into(), None);
    }

    fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(&id, || self.base.account(id))
    }

    fn account_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        self.accounts.get_mut(id, self.base.account(id))
    }

    fn insert_account(&mut self, account: Account) {
        self.occupants.set(account.address.clone(), Some(Occupant::Account(account.id)));
        for alias in &account.aliases {
            self.occupants.set(alias.clone(), Some(Occupant::Alias(account.id)));
        }
        self.accounts.set(account.id, Some(account));
    }

    fn remove_account(&mut self, id: AccountId) {
        let Some(account) = self.account(id).cloned() else { return };
        self.occupants.set(account.address, None);
        account.aliases.into_iter().for_each(|alias| self.occupants.set(alias, None));
        self.accounts.set(id, None);
    }

    fn insert_alias(&mut self, alias: Address, account: AccountId) {
        self.occupants.set(alias, Some(Occupant::Alias(account)));
    }

    fn remove_alias(&mut self, alias: &Address) {
        self.occupants.set(alias.clone(), None);
    }

    fn group(&self, address: &Address) -> Option<&Group> {
        self.groups.get(address, || self.base.group(address))
    }

    fn group_mut(&mut self, address: &Address) -> Option<&mut Group> {
        self.groups.get_mut(address.clone(), self.base.group(address))
    }

    fn insert_group(&mut self, group: Group) {
        self.occupants.set(group.address.clone(), Some(Occupant::Group));
        self.groups.set(group.address.clone(), Some(group));
    }

    fn remove_group(&mut self, address: &Address) {
        self.occupants.set(address.clone(), None);
        self.groups.set(address.clone(), None);
    }

    fn groups_of(&self, tenant: TenantId) -> Vec<&Group> {
        let planned = self.groups.0.values().flatten().filter(|group| group.tenant == tenant);
        let below = self.base.groups_of(tenant).into_iter();
        planned.chain(below.filter(|group| !self.groups.0.contains_key(&group.address))).collect()
    }

    fn removed(&self, id: AccountId) -> Option<&Removed> {
        self.removed.get(&id, || self.base.removed_account(id))
    }

    fn set_removed(&mut self, id: AccountId, removed: Option<Removed>) {
        self.removed.set(id, removed);
    }

    fn removed_of(&self, tenant: TenantId) -> usize {
        let planned = self.removed.0.values().flatten().filter(|removed| removed.account.tenant == tenant);
        let below = self.base.removed(Some(tenant)).filter(|removed| !self.removed.0.contains_key(&removed.account.id));
        planned.count() + below.count()
    }

    fn key(&self, domain: &str, selector: &str) -> Option<&SigningKey> {
        let planned = self.keys.get(&(domain.into(), selector.into()));
        planned.map_or_else(|| self.base.key(domain, selector), Option::as_ref)
    }

    fn keys_of(&self, domain: &str) -> Vec<&SigningKey> {
        let planned = self.keys.iter().filter(|((of, _), _)| **of == *domain).filter_map(|(_, key)| key.as_ref());
        let is_planned = |key: &&SigningKey| self.keys.contains_key(&(key.domain.clone(), key.selector.clone()));
        let below = Tables::keys_of(self.base, domain).into_iter().filter(|key| !is_planned(key));
        let mut all: Vec<&SigningKey> = planned.chain(below).collect();
        all.sort_unstable_by(|a, b| a.selector.cmp(&b.selector));
        all
    }

    fn set_key(&mut self, domain: &str, selector: &str, key: Option<SigningKey>) {
        self.keys.insert((domain.into(), selector.into()), key);
    }

    fn rules_of(&self, scope: &Scope) -> &[Rule] {
        self.rules.get(scope).map_or_else(|| self.base.rules(scope), Vec::as_slice)
    }

    fn set_rules(&mut self, scope: &Scope, rules: Vec<Rule>) {
        self.rules.insert(scope.clone(), rules);
    }

    fn shared_by(&self, owner: AccountId) -> Vec<Scope> {
        let ours = |scope: &&Scope| matches!(scope, Scope::Mailbox(account, _) if *account == owner);
        self.with_lists(self.rules.keys().filter(ours), self.base.shared_by(owner))
    }

    fn shared_with(&self, who: &Grantee) -> Vec<Scope> {
        let names = |rules: &[Rule]| rules.iter().any(|rule| rule.grantee() == Some(who));
        let planned = self.rules.iter().filter(|(_, rules)| names(rules)).map(|(scope, _)| scope);
        self.with_lists(planned, self.base.shared_with(who))
    }

    fn occupant(&self, address: &Address) -> Option<Occupant> {
        match self.occupants.0.get(address) {
            Some(planned) => *planned,
            None => self.base.occupant(address),
        }
    }

    fn opens(&self, member: AccountId) -> &[AccountId] {
        self.opens.get(&member).map_or_else(|| self.base.opens(member), Vec::as_slice)
    }

    fn set_opens(&mut self, member: AccountId, business: Vec<AccountId>) {
        self.opens.insert(member, business);
    }
}
