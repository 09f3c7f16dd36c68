//! An account in the recycle bin (D4): its record as it was. Its mail lies where it lay; its addresses are anybody's.
use crate::base::{AccountId, TenantId};

use super::{Account, Directory};

/// A removed account that was not purged yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Removed {
    /// As it was when it was removed. Its addresses may be another's by now, its users may be gone.
    pub account: Account,
    /// When it was removed, seconds since 1970-01-01 UTC.
    pub when: i64,
    /// Its mail is going: it can neither be restored nor read.
    pub purge_begun: bool,
}

impl Directory {
    /// The accounts in the bin, by id: those of one tenant, or all.
    pub fn removed(&self, tenant: Option<TenantId>) -> impl Iterator<Item = &Removed> {
        self.removed.values().filter(move |removed| tenant.is_none_or(|tenant| removed.account.tenant == tenant))
    }

    /// The account of that id, if it is in the bin.
    pub fn removed_account(&self, id: AccountId) -> Option<&Removed> {
        self.removed.get(&id)
    }
}
