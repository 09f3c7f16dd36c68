//! Which accounts an address means, who may log in by a name, who may send as whom. Never changes anything.
use crate::base::AccountId;

use super::{Account, Address, Directory};

/// An account that gets a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Whose mail store.
    pub account: AccountId,
    /// The account's address (not the alias or the group that was asked for).
    pub address: Address,
    /// Bytes that it may hold; `None` is no bound.
    pub quota_bytes_max: Option<u64>,
}

/// What an address means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The domain is not ours.
    NotLocal,
    /// The domain is ours, and nobody has this address.
    Unknown,
    /// The address exists, and nobody receives by it: the account or its tenant is disabled, or the group has no
    /// member who receives.
    Disabled,
    /// Who gets a copy; never both empty.
    Recipients {
        /// Each account once, sorted by id.
        local: Vec<Recipient>,
        /// Members of a group that live elsewhere.
        external: Vec<Address>,
    },
}

impl Directory {
    /// What `address` means as a recipient.
    pub fn resolve(&self, address: &Address) -> Resolution {
        let _ = address;
        Resolution::NotLocal
    }

    /// The account that `name` (an address or an alias, in any case) may log in to; `None` too when it or its tenant
    /// is disabled. The caller checks the password, or spends `password::verify_dummy` on `None`.
    pub fn login(&self, name: &str) -> Option<&Account> {
        let _ = name;
        None
    }

    /// Whether `account` may send as `address`: its own address or alias, or that of a business mailbox it opens.
    pub fn may_send_as(&self, account: AccountId, address: &Address) -> bool {
        let _ = (account, address);
        false
    }
}
