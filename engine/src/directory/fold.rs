//! What each event does to the tables. Refuses with `Corrupt`, before it changes anything, what `plan` cannot have made.
use crate::base::{AccountId, Error, Result, TenantId};

use super::event::AccountEdit;
use super::tables::{Next, Tables};
use super::{
    Access, Account, AccountKind, Address, Domain, Event, Grantee, Group, Removed, Rule, Scope, SigningKey, Tenant,
    access, sorted,
};

/// Folds one event into the tables.
pub(super) fn fold(tables: &mut impl Tables, event: &Event) -> Result<()> {
    match event {
        Event::TenantAdded(tenant) => tenant_added(tables, tenant),
        Event::TenantSet { id, title, accounts_max, disabled } => {
            let tenant = tables.tenant_mut(*id).ok_or_else(|| corrupt(format!("no tenant {id}")))?;
            title.clone_into_some(&mut tenant.title);
            accounts_max.clone_into_some(&mut tenant.accounts_max);
            disabled.clone_into_some(&mut tenant.disabled);
            Ok(())
        }
        Event::TenantRemoved(id) => tenant_removed(tables, *id),
        Event::DomainAdded(domain) => admit_domain(tables, domain),
        Event::DomainRemoved(name) => domain_removed(tables, name),
        Event::AccountAdded(account) => account_added(tables, account),
        Event::AccountSet(edit) => account_set(tables, edit),
        Event::AccountRemoved(id) => account_removed(tables, *id).map(drop),
        Event::AliasAdded { account, alias } => alias_added(tables, *account, alias),
        Event::AliasRemoved(alias) => alias_removed(tables, alias),
        Event::GroupAdded(group) => admit_group(tables, group),
        Event::GroupSet { address, name, members_add, members_remove } => {
            let group = tables.group_mut(address).ok_or_else(|| corrupt(format!("no group {address}")))?;
            name.clone_into_some(&mut group.name);
            sorted::edit(&mut group.members, members_add, members_remove);
            Ok(())
        }
        Event::Access(event) => access::fold(tables, event),
        // What these mean for the fold is the replay's to know; they are no change of a table.
        Event::Mending(_) | Event::DirectoryPut { .. } => Ok(()),
        Event::GroupRemoved(address) => {
            require(tables.group(address).is_some(), || format!("no group {address}"))?;
            tables.remove_group(address);
            tables.set_rules(&Scope::Group(address.clone()), Vec::new());
            take_from_lists(tables, &Grantee::Group(address.clone()));
            leave_domain(tables, address);
            Ok(())
        }
        Event::AccountBinned { id, when } => {
            let account = account_removed(tables, *id)?;
            tables.set_removed(*id, Some(Removed { account, when: *when, purge_begun: false }));
            Ok(())
        }
        Event::AccountRestored { id, address, aliases, users } => {
            account_restored(tables, *id, address, aliases, users)
        }
        Event::AccountPurgeBegun { id, .. } => {
            let removed = tables.removed(*id).cloned().ok_or_else(|| corrupt(format!("no account {id} in the bin")))?;
            tables.set_removed(*id, Some(Removed { purge_begun: true, ..removed }));
            Ok(())
        }
        Event::AccountPurged(id) => {
            let begun = tables.removed(*id).is_some_and(|removed| removed.purge_begun);
            require(begun, || format!("account {id} is purged, and its purge was not begun"))?;
            tables.set_removed(*id, None);
            Ok(())
        }
        _ => fold_flow(tables, event),
    }
}

/// Keys and rules.
fn fold_flow(tables: &mut impl Tables, event: &Event) -> Result<()> {
    match event {
        Event::KeyAdded(key) => admit_key(tables, key),
        Event::KeySet { domain, selector, state } => {
            let key = tables.key(domain, selector).cloned();
            let key = key.ok_or_else(|| corrupt(format!("no signing key {selector} of {domain}")))?;
            tables.set_key(domain, selector, Some(SigningKey { state: *state, ..key }));
            Ok(())
        }
        Event::KeyRemoved { domain, selector } => {
            require(tables.key(domain, selector).is_some(), || format!("no signing key {selector} of {domain}"))?;
            tables.set_key(domain, selector, None);
            Ok(())
        }
        Event::RuleAdded(scope, rule) => admit_rule(tables, scope, rule),
        Event::RuleRemoved(scope, rule) => {
            let mut rules = tables.rules_of(scope).to_vec();
            let at = rules.binary_search(rule).map_err(|_| corrupt(format!("no rule {rule}")))?;
            rules.remove(at);
            tables.set_rules(scope, rules);
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Takes a signing key in.
pub(super) fn admit_key(tables: &mut impl Tables, key: &SigningKey) -> Result<()> {
    let fits = tables.domain(&key.domain).is_some() && tables.key(&key.domain, &key.selector).is_none();
    require(fits, || format!("signing key {} of {} twice, or of no domain", key.selector, key.domain))?;
    tables.set_key(&key.domain, &key.selector, Some(key.clone()));
    Ok(())
}

/// Takes a rule in.
pub(super) fn admit_rule(tables: &mut impl Tables, scope: &Scope, rule: &Rule) -> Result<()> {
    let there = match scope {
        Scope::Tenant(id) => tables.tenant(*id).is_some(),
        Scope::Domain(name) => tables.domain(name).is_some(),
        Scope::Account(id) => tables.account(*id).is_some(),
        Scope::Group(address) => tables.group(address).is_some(),
        Scope::Mailbox(owner, _) => {
            let owner = tables.account(*owner);
            owner.zip(rule.grantee()).is_some_and(|(owner, who)| is_in_tenant(tables, who, owner.tenant))
        }
    };
    require(there && rule.fits(scope), || format!("rule {rule} of nobody"))?;
    let mut rules = tables.rules_of(scope).to_vec();
    match rules.binary_search(rule) {
        Ok(_) => return Err(corrupt(format!("rule {rule} twice"))),
        Err(at) => rules.insert(at, rule.clone()),
    }
    tables.set_rules(scope, rules);
    Ok(())
}

/// No list of a tenant names somebody of another one.
pub(super) fn is_in_tenant(tables: &impl Tables, who: &Grantee, tenant: TenantId) -> bool {
    match who {
        Grantee::Account(id) => tables.account(*id).is_some_and(|account| account.tenant == tenant),
        Grantee::Tenant(id) => *id == tenant,
        Grantee::Group(address) => tables.group(address).is_some_and(|group| group.tenant == tenant),
    }
}

/// Somebody is gone: no list names it any more.
fn take_from_lists(tables: &mut impl Tables, who: &Grantee) {
    for scope in tables.shared_with(who) {
        let rules = tables.rules_of(&scope).iter().filter(|rule| rule.grantee() != Some(who)).cloned().collect();
        tables.set_rules(&scope, rules);
    }
}

/// Setting what is given and keeping the rest.
trait CloneIntoSome<T> {
    fn clone_into_some(&self, target: &mut T);
}

impl<T: Clone> CloneIntoSome<T> for Option<T> {
    fn clone_into_some(&self, target: &mut T) {
        if let Some(value) = self {
            target.clone_from(value);
        }
    }
}

pub(super) fn corrupt(what: String) -> Error {
    Error::corrupt("directory", 0, what)
}

fn require(holds: bool, what: impl FnOnce() -> String) -> Result<()> {
    if holds { Ok(()) } else { Err(corrupt(what())) }
}

fn tenant_added(tables: &mut impl Tables, tenant: &Tenant) -> Result<()> {
    let next = tables.next();
    require(tenant.id == next.tenant, || format!("tenant {} where {} is next", tenant.id, next.tenant))?;
    let after = tenant.id.0.checked_add(1).ok_or_else(|| corrupt("no tenant ids left".into()))?;
    admit_tenant(tables, tenant)?;
    tables.set_next(Next { tenant: TenantId(after), ..next });
    Ok(())
}

/// Takes a tenant in, whatever its id.
pub(super) fn admit_tenant(tables: &mut impl Tables, tenant: &Tenant) -> Result<()> {
    let free = tables.tenant(tenant.id).is_none() && tables.tenant_named(&tenant.name).is_none();
    require(free, || format!("tenant {} twice", tenant.name))?;
    tables.insert_tenant(Tenant { accounts: 0, domains: Vec::new(), ..tenant.clone() });
    Ok(())
}

fn tenant_removed(tables: &mut impl Tables, id: TenantId) -> Result<()> {
    let empty = tables.tenant(id).is_some_and(|tenant| tenant.accounts == 0 && tenant.domains.is_empty());
    require(empty && tables.removed_of(id) == 0, || format!("tenant {id} is removed, and is not there or not empty"))?;
    tables.remove_tenant(id);
    tables.set_rules(&Scope::Tenant(id), Vec::new());
    Ok(())
}

/// Takes a domain in.
pub(super) fn admit_domain(tables: &mut impl Tables, domain: &Domain) -> Result<()> {
    require(tables.domain(&domain.name).is_none(), || format!("domain {} twice", domain.name))?;
    let tenant = tables.tenant_mut(domain.tenant).ok_or_else(|| corrupt(format!("no tenant {}", domain.tenant)))?;
    sorted::edit(&mut tenant.domains, std::slice::from_ref(&domain.name), &[]);
    tables.insert_domain(Domain { addresses: 0, ..domain.clone() });
    Ok(())
}

fn domain_removed(tables: &mut impl Tables, name: &str) -> Result<()> {
    let domain = tables.domain(name).filter(|domain| domain.addresses == 0).cloned();
    let domain = domain.ok_or_else(|| corrupt(format!("domain {name} is removed, and is not there or in use")))?;
    if let Some(tenant) = tables.tenant_mut(domain.tenant) {
        sorted::edit(&mut tenant.domains, &[], &[domain.name]);
    }
    tables.remove_domain(name);
    tables.set_rules(&Scope::Domain(name.into()), Vec::new());
    let selectors: Vec<Box<str>> = tables.keys_of(name).into_iter().map(|key| key.selector.clone()).collect();
    selectors.iter().for_each(|selector| tables.set_key(name, selector, None));
    Ok(())
}

/// The address is free and in a domain of the tenant.
fn require_free(tables: &impl Tables, address: &Address, tenant: TenantId) -> Result<()> {
    let ours = tables.domain(address.domain()).is_some_and(|domain| domain.tenant == tenant);
    require(ours, || format!("{address} is in no domain of tenant {tenant}"))?;
    require(tables.occupant(address).is_none(), || format!("{address} twice"))
}

fn join_domain(tables: &mut impl Tables, address: &Address) {
    if let Some(domain) = tables.domain_mut(address.domain()) {
        domain.addresses += 1;
    }
}

fn leave_domain(tables: &mut impl Tables, address: &Address) {
    if let Some(domain) = tables.domain_mut(address.domain()) {
        domain.addresses -= 1;
    }
}

fn account_added(tables: &mut impl Tables, account: &Account) -> Result<()> {
    let next = tables.next();
    require(account.id == next.account, || format!("account {} where {} is next", account.id, next.account))?;
    let after = account.id.0.checked_add(1).ok_or_else(|| corrupt("no account ids left".into()))?;
    require_users(tables, account, &account.users)?;
    admit_account(tables, account)?;
    open_to(tables, account.id, &account.users);
    tables.set_next(Next { account: AccountId(after), ..next });
    Ok(())
}

/// Takes an account and its aliases in, whatever its id. Its users are checked and told apart (`require_users`,
/// `open_to`), because in a snapshot they may come after it.
pub(super) fn admit_account(tables: &mut impl Tables, account: &Account) -> Result<()> {
    let twice = tables.account(account.id).is_some() || tables.removed(account.id).is_some();
    require(!twice, || format!("account {} twice", account.id))?;
    require(tables.tenant(account.tenant).is_some(), || format!("no tenant {}", account.tenant))?;
    let addresses = || std::iter::once(&account.address).chain(&account.aliases);
    addresses().try_for_each(|address| require_free(tables, address, account.tenant))?;
    let distinct = sorted::is_set(&account.aliases) && !account.aliases.contains(&account.address);
    require(distinct, || format!("{} has an alias twice", account.address))?;
    addresses().for_each(|address| join_domain(tables, address));
    if let Some(tenant) = tables.tenant_mut(account.tenant) {
        tenant.accounts += 1;
    }
    tables.insert_account(account.clone());
    Ok(())
}

/// Only members of the same tenant open a business mailbox.
pub(super) fn require_users(tables: &impl Tables, account: &Account, users: &[AccountId]) -> Result<()> {
    require(users.is_empty() || account.kind == AccountKind::Business, || format!("users of {}", account.address))?;
    let fits = |user: &Account| user.kind == AccountKind::Member && user.tenant == account.tenant;
    let fit = users.iter().all(|user| tables.account(*user).is_some_and(fits));
    require(fit, || format!("{} has a user who is no member of its tenant", account.address))
}

pub(super) fn open_to(tables: &mut impl Tables, business: AccountId, users: &[AccountId]) {
    for user in users {
        let mut opens = tables.opens(*user).to_vec();
        sorted::edit(&mut opens, &[business], &[]);
        tables.set_opens(*user, opens);
    }
}

fn close_to(tables: &mut impl Tables, business: AccountId, users: &[AccountId]) {
    for user in users {
        let mut opens = tables.opens(*user).to_vec();
        sorted::edit(&mut opens, &[], &[business]);
        tables.set_opens(*user, opens);
    }
}

fn account_set(tables: &mut impl Tables, edit: &AccountEdit) -> Result<()> {
    let missing = || corrupt(format!("no account {}", edit.id));
    require_users(tables, tables.account(edit.id).ok_or_else(missing)?, &edit.users_add)?;
    let account = tables.account_mut(edit.id).ok_or_else(missing)?;
    edit.name.clone_into_some(&mut account.name);
    if edit.password_hash.is_some() {
        account.password_hash.clone_from(&edit.password_hash);
        account.access = Access::without_keys(account.access.take());
    }
    edit.vip.clone_into_some(&mut account.vip);
    edit.quota.clone_into_some(&mut account.quota);
    edit.disabled.clone_into_some(&mut account.disabled);
    if !edit.users_add.is_empty() || !edit.users_remove.is_empty() {
        let mut users = std::mem::take(&mut account.users).into_vec();
        sorted::edit(&mut users, &edit.users_add, &edit.users_remove);
        account.users = users.into();
        close_to(tables, edit.id, &edit.users_remove);
        open_to(tables, edit.id, &edit.users_add);
    }
    Ok(())
}

fn account_removed(tables: &mut impl Tables, id: AccountId) -> Result<Account> {
    let account = tables.account(id).cloned().ok_or_else(|| corrupt(format!("no account {id}")))?;
    require(tables.opens(id).is_empty(), || format!("{} still opens a business mailbox", account.address))?;
    close_to(tables, id, &account.users);
    take_from_lists(tables, &Grantee::Account(id));
    tables.shared_by(id).iter().for_each(|scope| tables.set_rules(scope, Vec::new()));
    tables.remove_account(id);
    tables.set_rules(&Scope::Account(id), Vec::new());
    std::iter::once(&account.address).chain(&account.aliases).for_each(|address| leave_domain(tables, address));
    if let Some(tenant) = tables.tenant_mut(account.tenant) {
        tenant.accounts -= 1;
    }
    Ok(account)
}

/// Out of the bin as an account like any other. Fails before it changes anything.
fn account_restored(
    tables: &mut impl Tables,
    id: AccountId,
    address: &Address,
    aliases: &[Address],
    users: &[AccountId],
) -> Result<()> {
    let removed = tables.removed(id).filter(|removed| !removed.purge_begun).cloned();
    let removed = removed.ok_or_else(|| corrupt(format!("no account {id} to be restored in the bin")))?;
    let account =
        Account { address: address.clone(), aliases: aliases.into(), users: users.into(), ..removed.account.clone() };
    require_users(tables, &account, users)?;
    tables.set_removed(id, None);
    if let Err(why) = admit_account(tables, &account) {
        tables.set_removed(id, Some(removed));
        return Err(why);
    }
    open_to(tables, id, users);
    Ok(())
}

/// Takes an account into the bin, whatever its id.
pub(super) fn admit_removed(tables: &mut impl Tables, removed: &Removed) -> Result<()> {
    let (id, tenant) = (removed.account.id, removed.account.tenant);
    let twice = tables.account(id).is_some() || tables.removed(id).is_some();
    require(!twice, || format!("account {id} twice"))?;
    require(tables.tenant(tenant).is_some(), || format!("no tenant {tenant}"))?;
    tables.set_removed(id, Some(removed.clone()));
    Ok(())
}

fn alias_added(tables: &mut impl Tables, id: AccountId, alias: &Address) -> Result<()> {
    let tenant = tables.account(id).ok_or_else(|| corrupt(format!("no account {id}")))?.tenant;
    require_free(tables, alias, tenant)?;
    edit_aliases(tables, id, std::slice::from_ref(alias), &[]);
    tables.insert_alias(alias.clone(), id);
    join_domain(tables, alias);
    Ok(())
}

fn alias_removed(tables: &mut impl Tables, alias: &Address) -> Result<()> {
    let Some(super::tables::Occupant::Alias(id)) = tables.occupant(alias) else {
        return Err(corrupt(format!("no alias {alias}")));
    };
    edit_aliases(tables, id, &[], std::slice::from_ref(alias));
    tables.remove_alias(alias);
    leave_domain(tables, alias);
    Ok(())
}

fn edit_aliases(tables: &mut impl Tables, id: AccountId, add: &[Address], remove: &[Address]) {
    if let Some(account) = tables.account_mut(id) {
        let mut aliases = std::mem::take(&mut account.aliases).into_vec();
        sorted::edit(&mut aliases, add, remove);
        account.aliases = aliases.into();
    }
}

/// Takes a group in.
pub(super) fn admit_group(tables: &mut impl Tables, group: &Group) -> Result<()> {
    require_free(tables, &group.address, group.tenant)?;
    require(sorted::is_set(&group.members), || format!("{} has a member twice", group.address))?;
    join_domain(tables, &group.address);
    tables.insert_group(group.clone());
    Ok(())
}
