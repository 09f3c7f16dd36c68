//! What somebody may ask of the directory. Says nothing of whether it is allowed: see `plan`.
use super::{AccessChange, AclChange, Address, KeyState, Quota, Rule, SigningKey};
use crate::base::AccountId;

/// One request of an administrator. Tenants are named by their slug, everything else by its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// A new enterprise; without `accounts_max` it may have `limits::TENANT_ACCOUNTS_DEFAULT` accounts.
    TenantAdd {
        /// Small letters, digits and hyphens; unique.
        name: String,
        /// The name shown to people.
        title: String,
        /// Accounts that it may have.
        accounts_max: Option<u32>,
    },
    /// Other settings for an enterprise; `None` keeps what is.
    TenantSet {
        /// Which one.
        name: String,
        /// The name shown to people.
        title: Option<String>,
        /// Accounts that it may have; not less than it has.
        accounts_max: Option<u32>,
        /// Whether nobody of it may log in, send or receive.
        disabled: Option<bool>,
    },
    /// Away with an enterprise that has neither domains nor accounts.
    TenantRemove {
        /// Which one.
        name: String,
    },
    /// A domain whose mail is received here from now on.
    DomainAdd {
        /// Whose it is.
        tenant: String,
        /// In A- or U-labels.
        domain: String,
    },
    /// Away with a domain that no account, alias or group uses.
    DomainRemove {
        /// Which one.
        domain: String,
    },
    /// A new person's mailbox.
    MemberAdd {
        /// In a domain of the tenant it shall belong to.
        address: Address,
        /// The name shown to people.
        name: String,
        /// A PHC string that `password::valid_hash` accepts.
        password_hash: Option<String>,
        /// On the unlimited plan.
        vip: bool,
        /// What it may hold.
        quota: Quota,
    },
    /// A new shared mailbox.
    BusinessAdd {
        /// In a domain of the tenant it shall belong to.
        address: Address,
        /// The name shown to people.
        name: String,
        /// For those who open it by its own name.
        password_hash: Option<String>,
        /// What it may hold.
        quota: Quota,
        /// Members of the same tenant who may open it.
        users: Vec<Address>,
    },
    /// Other settings for a member's or a business mailbox.
    AccountSet {
        /// Its address or an alias.
        address: Address,
        /// What shall change.
        set: AccountPatch,
    },
    /// An account into the recycle bin, out of groups and business mailboxes; its addresses are free.
    AccountRemove {
        /// Its address (not an alias).
        address: Address,
    },
    /// An account out of the bin, with those of its aliases and users that are still to be had.
    AccountRestore {
        /// Which one; addresses name those that are not in the bin.
        id: AccountId,
        /// Its address from now on; `None`: the one it had.
        address: Option<Address>,
    },
    /// Begins to purge an account that is in the bin: from now on it cannot be restored.
    AccountPurgeBegin {
        /// Which one.
        id: AccountId,
    },
    /// Ends it: the mail is gone from its shard.
    AccountPurgeEnd {
        /// Which one.
        id: AccountId,
    },
    /// One more address for an account (at most `limits::ALIASES_MAX`), in any domain of its tenant.
    AliasAdd {
        /// Its address or an alias.
        account: Address,
        /// The new one.
        alias: Address,
    },
    /// Away with an alias, also from groups.
    AliasRemove {
        /// Which one.
        alias: Address,
    },
    /// A new distribution list.
    GroupAdd {
        /// In a domain of the tenant it shall belong to.
        address: Address,
        /// The name shown to people.
        name: String,
        /// Accounts and aliases of the tenant, and addresses elsewhere.
        members: Vec<Address>,
    },
    /// Other settings for a group; members are removed before members are added.
    GroupSet {
        /// Which one.
        address: Address,
        /// The name shown to people; `None` keeps what is.
        name: Option<String>,
        /// New members; those that are in it already are no error.
        members_add: Vec<Address>,
        /// Members that leave.
        members_remove: Vec<Address>,
    },
    /// What accounts log in with, and the rules for it.
    Access(AccessChange),
    /// Away with a group; its members stay.
    GroupRemove {
        /// Which one.
        address: Address,
    },
    /// A new signing key; its `created` is set here.
    KeyAdd(SigningKey),
    /// What a signing key is for from now on.
    KeySet {
        /// Whose.
        domain: String,
        /// Which one.
        selector: String,
        /// The new state.
        state: KeyState,
    },
    /// Away with a signing key.
    KeyRemove {
        /// Whose.
        domain: String,
        /// Which one.
        selector: String,
    },
    /// A rule from now on; of those that can stand only once it takes the former one's place.
    RuleAdd {
        /// For whom.
        scope: ScopeName,
        /// What.
        rule: Rule,
    },
    /// Who may do what in a mailbox.
    Acl(AclChange),
    /// Away with a rule.
    RuleRemove {
        /// For whom.
        scope: ScopeName,
        /// What.
        rule: Rule,
    },
}

/// For whom a rule is to hold, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScopeName {
    /// An enterprise, by its slug.
    Tenant(String),
    /// A domain.
    Domain(String),
    /// A member or a business mailbox, by its address or an alias.
    Account(Address),
    /// A group.
    Group(Address),
}

/// What shall change in an account; `None` and empty lists keep what is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountPatch {
    /// The name shown to people.
    pub name: Option<String>,
    /// A PHC string that `password::valid_hash` accepts.
    pub password_hash: Option<String>,
    /// On the unlimited plan.
    pub vip: Option<bool>,
    /// What it may hold; may be less than it holds now.
    pub quota: Option<Quota>,
    /// No login, no sending, no receiving.
    pub disabled: Option<bool>,
    /// Business mailbox: members of the same tenant who may open it from now on.
    pub users_add: Vec<Address>,
    /// Business mailbox: members who may no longer.
    pub users_remove: Vec<Address>,
}
