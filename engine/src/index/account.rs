//! One mail store: its mailboxes, subscriptions and the exact sum of what it holds. A value, like its mailboxes.
use super::mailbox::Mailbox;
use super::metadata::Metadata;
use crate::base::{AccountId, MailboxId, SpecialUse};
use std::collections::BTreeSet;
use std::sync::Arc;

/// One mail store with a quota.
#[derive(Clone, Debug)]
pub struct Account {
    /// Its number.
    pub id: AccountId,
    /// Sum of the sizes of all entries: what the quota is charged.
    pub used_bytes: u64,
    /// Number of all entries.
    pub messages: u64,
    /// The number of the next mailbox made.
    pub mailbox_next: MailboxId,
    /// The UIDVALIDITY of the next mailbox made; only grows.
    pub uid_validity_next: u32,
    /// By id.
    pub mailboxes: Vec<Arc<Mailbox>>,
    /// Names of LSUB, which may name mailboxes that do not exist (RFC 3501 section 6.3.6).
    pub subscriptions: Arc<BTreeSet<String>>,
    /// Annotations of the account itself.
    pub metadata: Metadata,
}

impl Account {
    /// The mailbox with that id.
    pub fn mailbox(&self, id: MailboxId) -> Option<&Arc<Mailbox>> {
        let at = self.mailboxes.binary_search_by_key(&id, |mailbox| mailbox.id).ok()?;
        self.mailboxes.get(at)
    }

    /// The mailbox with that full name; `INBOX` matches in any case.
    pub fn mailbox_named(&self, name: &str) -> Option<&Arc<Mailbox>> {
        let name = if name.eq_ignore_ascii_case("INBOX") { "INBOX" } else { name };
        self.mailboxes.iter().find(|mailbox| &*mailbox.name == name)
    }

    /// The mailbox with that special use.
    pub fn mailbox_for(&self, special_use: SpecialUse) -> Option<&Arc<Mailbox>> {
        self.mailboxes.iter().find(|mailbox| mailbox.special_use == Some(special_use))
    }
}
