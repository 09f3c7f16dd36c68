//! The slow and obvious truth that usage is held against in tests: every size is kept and summed anew each time.
use std::collections::BTreeMap;

use crate::base::{AccountId, MailboxId, Uid};

/// Where one entry stands.
pub type Place = (AccountId, MailboxId, Uid);

/// All entries and their sizes. Nothing is added up before somebody asks, so it cannot drift.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Model {
    sizes: BTreeMap<Place, u64>,
}

impl Model {
    /// An entry comes into being; says whether the place was free.
    pub fn add(&mut self, place: Place, size_bytes: u64) -> bool {
        self.sizes.insert(place, size_bytes).is_none()
    }

    /// An entry goes; its size, if it was there.
    pub fn remove(&mut self, place: Place) -> Option<u64> {
        self.sizes.remove(&place)
    }

    /// All entries of a mailbox go.
    pub fn remove_mailbox(&mut self, account: AccountId, mailbox: MailboxId) {
        self.sizes.retain(|(a, m, _), _| (*a, *m) != (account, mailbox));
    }

    /// All entries of an account go.
    pub fn remove_account(&mut self, account: AccountId) {
        self.sizes.retain(|(a, _, _), _| *a != account);
    }

    /// Bytes that an account holds: the sum of its entries' sizes.
    pub fn used_bytes(&self, account: AccountId) -> u128 {
        self.sizes.iter().filter(|((a, _, _), _)| *a == account).map(|(_, size)| u128::from(*size)).sum()
    }
}
