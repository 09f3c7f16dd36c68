//! What the log keeps of the directory, and its bytes (docs/format.md, "Directory events"). Never judges: see `plan`.
use crate::base::bytes::{DecodeError, Reader};
use crate::base::{AccountId, TenantId};

use super::{Account, Address, Domain, Group, Quota, Tenant};

/// A fact about the directory, as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A tenant as it began.
    TenantAdded(Tenant),
    /// Other settings; `None` keeps what is.
    TenantSet {
        /// Which one.
        id: TenantId,
        /// The name shown to people.
        title: Option<Box<str>>,
        /// Accounts that it may have.
        accounts_max: Option<u32>,
        /// Nobody of it may log in, send or receive.
        disabled: Option<bool>,
    },
    /// It is gone.
    TenantRemoved(TenantId),
    /// A domain as it began.
    DomainAdded(Domain),
    /// It is gone.
    DomainRemoved(Box<str>),
    /// An account as it began.
    AccountAdded(Account),
    /// Other settings.
    AccountSet(AccountEdit),
    /// It is gone, with its aliases.
    AccountRemoved(AccountId),
    /// One more address.
    AliasAdded {
        /// Whose.
        account: AccountId,
        /// The new one.
        alias: Address,
    },
    /// One address less.
    AliasRemoved(Address),
    /// A group as it began.
    GroupAdded(Group),
    /// Other settings; members are removed before members are added.
    GroupSet {
        /// Which one.
        address: Address,
        /// The name shown to people; `None` keeps what is.
        name: Option<Box<str>>,
        /// New members, sorted, none of them in it.
        members_add: Vec<Address>,
        /// Members that leave, sorted, all of them in it.
        members_remove: Vec<Address>,
    },
    /// It is gone.
    GroupRemoved(Address),
}

/// What changed in an account; `None` and empty lists keep what is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountEdit {
    /// Which one.
    pub id: AccountId,
    /// The name shown to people.
    pub name: Option<Box<str>>,
    /// A PHC string.
    pub password_hash: Option<Box<str>>,
    /// On the unlimited plan.
    pub vip: Option<bool>,
    /// What it may hold.
    pub quota: Option<Quota>,
    /// No login, no sending, no receiving.
    pub disabled: Option<bool>,
    /// Business mailbox: who may open it from now on; sorted, none of them in it.
    pub users_add: Vec<AccountId>,
    /// Business mailbox: who may no longer; sorted, all of them in it.
    pub users_remove: Vec<AccountId>,
}

impl Event {
    /// Appends the event's bytes: one tag byte and its fields.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let _ = out;
    }

    /// Reads one event; what `encode` cannot have written is an error.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
        reader.error("a known directory event expected")
    }
}
