//! The directory as it stands: tables by id and by address. Changes only by events (`fold`), never checks them itself.
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, OnceLock};

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::base::{AccountId, MailboxId, Result, TenantId};

use super::roster::Roster;
use super::tables::{Next, Occupant, Tables};
use super::{
    Account, AccountKind, Address, Change, Domain, Event, Grantee, Group, Removed, Resolution, Rule, Scope, SigningKey,
    Tenant, fold, plan,
};

/// Bytes that an account's record has at least.
const RECORD_BYTES_MIN: usize = 16;

/// The lists of accounts that people page through.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists {
    pub(super) members: BTreeMap<Address, AccountId>,
    pub(super) business: BTreeMap<Address, AccountId>,
}

impl Lists {
    fn of(&mut self, kind: AccountKind) -> &mut BTreeMap<Address, AccountId> {
        match kind {
            AccountKind::Member => &mut self.members,
            AccountKind::Business => &mut self.business,
        }
    }
}

/// Everything the control shard's events add up to. An account costs its record as a snapshot has it and about 50 bytes of tables; one that
/// somebody has asked for costs its record once more.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    next: Next,
    /// What the salts of names are derived from; made at the first need.
    pub(super) secret: Option<[u8; 32]>,
    pub(super) tenants: BTreeMap<TenantId, Tenant>,
    pub(super) tenant_names: BTreeMap<Box<str>, TenantId>,
    pub(super) domains: HashMap<Arc<str>, Domain>,
    pub(super) accounts: Roster,
    /// By the account's own address, which stands in its record.
    by_address: HashTable<AccountId>,
    pub(super) aliases: HashMap<Address, AccountId>,
    /// Made when somebody asks for the first page.
    lists: OnceLock<Lists>,
    /// Made when somebody asks for it; the next change forgets it.
    postmaster: OnceLock<Option<Address>>,
    pub(super) groups: HashMap<Address, Group>,
    pub(super) group_list: BTreeSet<Address>,
    /// Member -> business mailboxes; only for members that open some.
    pub(super) opens: HashMap<AccountId, Vec<AccountId>>,
    /// The recycle bin.
    pub(super) removed: BTreeMap<AccountId, Removed>,
    /// By domain and selector.
    pub(super) keys: BTreeMap<(Box<str>, Box<str>), SigningKey>,
    /// Only scopes that have some; ascending.
    pub(super) rules: BTreeMap<Scope, Vec<Rule>>,
    /// Whom access control lists name -> the mailboxes; follows from `rules`.
    pub(super) shared: BTreeMap<Grantee, BTreeSet<(AccountId, MailboxId)>>,
    hasher: RandomState,
}

impl Directory {
    /// Checks one change against what is and says what would happen: the events to log and then `apply`, in order
    /// (none when all is so already). Changes nothing. `now` in seconds since 1970-01-01 UTC. Between `plan` and
    /// `apply` no other change may be planned.
    pub fn plan(&self, change: &Change, now: i64) -> Result<Vec<Event>> {
        plan::plan(self, change, now)
    }

    /// Plans many changes for one transaction: each sees the effect of those before it; one that fails has no effect.
    /// One result per change, in order; the events of all `Ok` ones are applied in that order. Costs what the changes
    /// touch, whatever the directory's size.
    pub fn plan_all(&self, changes: &[Change], now: i64) -> Vec<Result<Vec<Event>>> {
        plan::plan_all(self, changes, now)
    }

    /// Folds one event in. Fails only with `Error::Corrupt`, and has changed nothing then.
    pub fn apply(&mut self, event: &Event) -> Result<()> {
        self.postmaster.take();
        fold::fold(self, event)
    }

    /// The account of that id.
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        self.accounts.get(id)
    }

    /// The account whose address or alias this is, disabled or not.
    pub fn account_at(&self, address: &Address) -> Option<&Account> {
        let own = self.by_address.find(self.hasher.hash_one(address.as_str()), |id| self.has(*id, address));
        self.account(*own.or_else(|| self.aliases.get(address))?)
    }

    /// The tenant of that id.
    pub fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        self.tenants.get(&id)
    }

    /// The tenant of that slug.
    pub fn tenant_named(&self, name: &str) -> Option<&Tenant> {
        self.tenant(*self.tenant_names.get(name)?)
    }

    /// The domain of that name, in A-labels and small letters (`normalise_domain`, `Address::domain`).
    pub fn domain(&self, name: &str) -> Option<&Domain> {
        self.domains.get(name)
    }

    /// The group of that address.
    pub fn group(&self, address: &Address) -> Option<&Group> {
        self.groups.get(address)
    }

    /// Accounts of all kinds and tenants.
    pub fn account_count(&self) -> usize {
        self.accounts.len()
    }

    fn has(&self, id: AccountId, address: &Address) -> bool {
        self.accounts.names(id).is_some_and(|names| names.address == address.as_str())
    }

    /// The first domain's postmaster who receives, by the names of the domains. Looked for once after a change.
    pub fn postmaster(&self) -> Option<&Address> {
        let receives = |address: &Address| matches!(self.resolve(address), Resolution::Recipients { .. });
        let find = || {
            let mut all =
                self.domains(None).filter_map(|domain| Address::parse(&format!("postmaster@{}", domain.name)).ok());
            all.find(receives)
        };
        self.postmaster.get_or_init(find).as_ref()
    }

    pub(super) fn lists(&self) -> &Lists {
        self.lists.get_or_init(|| {
            let mut lists = Lists::default();
            let of_kind = |kind| {
                let all = self.accounts.all_names().filter(move |(_, names)| names.kind == kind);
                all.filter_map(|(id, names)| Some((names.owned_address()?, id))).collect()
            };
            lists.members = of_kind(AccountKind::Member);
            lists.business = of_kind(AccountKind::Business);
            lists
        })
    }

    /// The list of a mailbox is about to be these rules.
    fn note_shared(&mut self, place: (AccountId, MailboxId), rules: &[Rule]) {
        let before = self.rules.get(&Scope::Mailbox(place.0, place.1)).into_iter().flatten();
        for who in before.filter_map(Rule::grantee) {
            if let Some(places) = self.shared.get_mut(who) {
                places.remove(&place);
                if places.is_empty() {
                    self.shared.remove(who);
                }
            }
        }
        for who in rules.iter().filter_map(Rule::grantee) {
            self.shared.entry(who.clone()).or_default().insert(place);
        }
    }

    /// Room for the accounts of a snapshot, whose bytes are `snapshot`.
    pub(super) fn expect(&mut self, snapshot: &[u8], count: usize) {
        let count = count.min(snapshot.len() / RECORD_BYTES_MIN);
        self.accounts = Roster::of(snapshot, count);
        self.by_address.reserve(count, |_| 0);
    }

    /// Takes in an account without aliases and users whose record begins at that byte of the snapshot. Its id is the greatest so far, and
    /// all else about it was checked but its address; says whether that is free.
    pub(super) fn take_plain(&mut self, id: AccountId, address: &str, at: usize) -> bool {
        let (accounts, hasher) = (&self.accounts, &self.hasher);
        let same = |other: &AccountId| accounts.names(*other).is_some_and(|names| names.address == address);
        let rehash = |id: &AccountId| accounts.names(*id).map_or(0, |names| hasher.hash_one(names.address));
        match self.by_address.entry(hasher.hash_one(address), same, rehash) {
            Entry::Occupied(_) => false,
            Entry::Vacant(free) => {
                free.insert(id);
                self.accounts.take(id, at);
                true
            }
        }
    }
}

impl Tables for Directory {
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
        self.tenants.get(&id)
    }

    fn tenant_named(&self, name: &str) -> Option<TenantId> {
        self.tenant_names.get(name).copied()
    }

    fn tenant_mut(&mut self, id: TenantId) -> Option<&mut Tenant> {
        self.tenants.get_mut(&id)
    }

    fn insert_tenant(&mut self, tenant: Tenant) {
        self.tenant_names.insert(tenant.name.clone(), tenant.id);
        self.tenants.insert(tenant.id, tenant);
    }

    fn remove_tenant(&mut self, id: TenantId) {
        if let Some(tenant) = self.tenants.remove(&id) {
            self.tenant_names.remove(&tenant.name);
        }
    }

    fn domain(&self, name: &str) -> Option<&Domain> {
        self.domains.get(name)
    }

    fn domain_mut(&mut self, name: &str) -> Option<&mut Domain> {
        self.domains.get_mut(name)
    }

    fn insert_domain(&mut self, domain: Domain) {
        self.domains.insert(domain.name.clone(), domain);
    }

    fn remove_domain(&mut self, name: &str) {
        self.domains.remove(name);
    }

    fn account(&self, id: AccountId) -> Option<&Account> {
        Directory::account(self, id)
    }

    fn account_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        self.accounts.get_mut(id)
    }

    fn insert_account(&mut self, account: Account) {
        let id = account.id;
        let address_hash = self.hasher.hash_one(account.address.as_str());
        self.aliases.extend(account.aliases.iter().map(|alias| (alias.clone(), id)));
        if let Some(lists) = self.lists.get_mut() {
            lists.of(account.kind).insert(account.address.clone(), id);
        }
        self.accounts.insert(account);
        let (accounts, hasher) = (&self.accounts, &self.hasher);
        self.by_address.insert_unique(address_hash, id, |id| {
            accounts.names(*id).map_or(0, |names| hasher.hash_one(names.address))
        });
    }

    fn remove_account(&mut self, id: AccountId) {
        let Some(account) = self.accounts.remove(id) else { return };
        let address_hash = self.hasher.hash_one(account.address.as_str());
        if let Ok(found) = self.by_address.find_entry(address_hash, |other| *other == id) {
            found.remove();
        }
        for alias in &account.aliases {
            self.aliases.remove(alias);
        }
        if let Some(lists) = self.lists.get_mut() {
            lists.of(account.kind).remove(&account.address);
        }
    }

    fn insert_alias(&mut self, alias: Address, account: AccountId) {
        self.aliases.insert(alias, account);
    }

    fn remove_alias(&mut self, alias: &Address) {
        self.aliases.remove(alias);
    }

    fn group(&self, address: &Address) -> Option<&Group> {
        self.groups.get(address)
    }

    fn group_mut(&mut self, address: &Address) -> Option<&mut Group> {
        self.groups.get_mut(address)
    }

    fn insert_group(&mut self, group: Group) {
        self.group_list.insert(group.address.clone());
        self.groups.insert(group.address.clone(), group);
    }

    fn remove_group(&mut self, address: &Address) {
        self.group_list.remove(address);
        self.groups.remove(address);
    }

    fn groups_of(&self, tenant: TenantId) -> Vec<&Group> {
        self.groups(super::Filter { tenant: Some(tenant), ..Default::default() }).collect()
    }

    fn removed(&self, id: AccountId) -> Option<&Removed> {
        self.removed.get(&id)
    }

    fn set_removed(&mut self, id: AccountId, removed: Option<Removed>) {
        match removed {
            Some(removed) => self.removed.insert(id, removed),
            None => self.removed.remove(&id),
        };
    }

    fn removed_of(&self, tenant: TenantId) -> usize {
        Directory::removed(self, Some(tenant)).count()
    }

    fn key(&self, domain: &str, selector: &str) -> Option<&SigningKey> {
        self.keys.get(&(domain.into(), selector.into()))
    }

    fn keys_of(&self, domain: &str) -> Vec<&SigningKey> {
        let from = (Box::from(domain), Box::default());
        self.keys.range(from..).take_while(|((of, _), _)| **of == *domain).map(|(_, key)| key).collect()
    }

    fn set_key(&mut self, domain: &str, selector: &str, key: Option<SigningKey>) {
        let at = (domain.into(), selector.into());
        match key {
            Some(key) => self.keys.insert(at, key),
            None => self.keys.remove(&at),
        };
    }

    fn rules_of(&self, scope: &Scope) -> &[Rule] {
        self.rules(scope)
    }

    fn set_rules(&mut self, scope: &Scope, rules: Vec<Rule>) {
        if let Scope::Mailbox(account, mailbox) = scope {
            self.note_shared((*account, *mailbox), &rules);
        }
        if rules.is_empty() {
            self.rules.remove(scope);
        } else {
            self.rules.insert(scope.clone(), rules);
        }
    }

    fn shared_by(&self, owner: AccountId) -> Vec<Scope> {
        let scopes = Scope::Mailbox(owner, MailboxId(0))..=Scope::Mailbox(owner, MailboxId(u32::MAX));
        self.rules.range(scopes).map(|(scope, _)| scope.clone()).collect()
    }

    fn shared_with(&self, who: &Grantee) -> Vec<Scope> {
        let places = self.shared.get(who).into_iter().flatten();
        places.map(|(account, mailbox)| Scope::Mailbox(*account, *mailbox)).collect()
    }

    fn occupant(&self, address: &Address) -> Option<Occupant> {
        let own = self.by_address.find(self.hasher.hash_one(address.as_str()), |id| self.has(*id, address));
        if let Some(id) = own {
            return Some(Occupant::Account(*id));
        }
        if let Some(id) = self.aliases.get(address) {
            return Some(Occupant::Alias(*id));
        }
        self.groups.contains_key(address).then_some(Occupant::Group)
    }

    fn opens(&self, member: AccountId) -> &[AccountId] {
        self.opens.get(&member).map_or(&[], Vec::as_slice)
    }

    fn set_opens(&mut self, member: AccountId, business: Vec<AccountId>) {
        if business.is_empty() {
            self.opens.remove(&member);
        } else {
            self.opens.insert(member, business);
        }
    }
}
