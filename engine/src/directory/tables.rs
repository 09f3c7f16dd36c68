//! What planning and folding need of the directory's tables, whether they are the real ones or a scratch layer above
//! them. Judges nothing: the callers have checked.
use crate::base::{AccountId, TenantId};

use super::{Account, Address, Domain, Grantee, Group, Removed, Rule, Scope, SigningKey, Tenant};

/// Who has an address. It is never two of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Occupant {
    Account(AccountId),
    Alias(AccountId),
    Group,
}

/// The ids that the next tenant and the next account get; they only grow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Next {
    pub tenant: TenantId,
    pub account: AccountId,
}

impl Default for Next {
    fn default() -> Next {
        Next { tenant: TenantId(1), account: AccountId(1) }
    }
}

/// Tables by key. `..._mut` must not change what a record is found by.
pub(super) trait Tables {
    fn next(&self) -> Next;
    fn set_next(&mut self, next: Next);

    /// What the salts of names are derived from.
    fn secret(&self) -> Option<[u8; 32]>;
    fn set_secret(&mut self, secret: [u8; 32]);

    fn tenant(&self, id: TenantId) -> Option<&Tenant>;
    fn tenant_named(&self, name: &str) -> Option<TenantId>;
    fn tenant_mut(&mut self, id: TenantId) -> Option<&mut Tenant>;
    fn insert_tenant(&mut self, tenant: Tenant);
    fn remove_tenant(&mut self, id: TenantId);

    fn domain(&self, name: &str) -> Option<&Domain>;
    fn domain_mut(&mut self, name: &str) -> Option<&mut Domain>;
    fn insert_domain(&mut self, domain: Domain);
    fn remove_domain(&mut self, name: &str);

    fn account(&self, id: AccountId) -> Option<&Account>;
    fn account_mut(&mut self, id: AccountId) -> Option<&mut Account>;
    /// The account and its aliases are found by their addresses from now on.
    fn insert_account(&mut self, account: Account);
    /// Neither it nor its aliases are found any more.
    fn remove_account(&mut self, id: AccountId);

    /// The alias is found from now on; the account's own list is the caller's to change.
    fn insert_alias(&mut self, alias: Address, account: AccountId);
    fn remove_alias(&mut self, alias: &Address);

    fn group(&self, address: &Address) -> Option<&Group>;
    fn group_mut(&mut self, address: &Address) -> Option<&mut Group>;
    fn insert_group(&mut self, group: Group);
    fn remove_group(&mut self, address: &Address);
    /// The groups of a tenant, in no order.
    fn groups_of(&self, tenant: TenantId) -> Vec<&Group>;

    /// The account in the recycle bin.
    fn removed(&self, id: AccountId) -> Option<&Removed>;
    /// Puts it into the bin, in place of what is there; `None` takes it out.
    fn set_removed(&mut self, id: AccountId, removed: Option<Removed>);
    /// How many accounts of a tenant are in the bin.
    fn removed_of(&self, tenant: TenantId) -> usize;

    /// A domain's key.
    fn key(&self, domain: &str, selector: &str) -> Option<&SigningKey>;
    /// A domain's keys, by selector.
    fn keys_of(&self, domain: &str) -> Vec<&SigningKey>;
    /// Puts a key in, in place of what is there; `None` takes it out.
    fn set_key(&mut self, domain: &str, selector: &str, key: Option<SigningKey>);

    /// The rules of a scope, ascending.
    fn rules_of(&self, scope: &Scope) -> &[Rule];
    /// Puts them in place of what is there.
    fn set_rules(&mut self, scope: &Scope, rules: Vec<Rule>);
    /// The mailboxes of an account that have access control lists.
    fn shared_by(&self, owner: AccountId) -> Vec<Scope>;
    /// The mailboxes whose access control lists name somebody.
    fn shared_with(&self, who: &Grantee) -> Vec<Scope>;

    /// Who has this address.
    fn occupant(&self, address: &Address) -> Option<Occupant>;

    /// The business mailboxes that a member opens, sorted.
    fn opens(&self, member: AccountId) -> &[AccountId];
    fn set_opens(&mut self, member: AccountId, business: Vec<AccountId>);
}
