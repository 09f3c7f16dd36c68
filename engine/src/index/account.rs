//! One mail store: its mailboxes, subscriptions and the exact sum of what it holds. A value, like its mailboxes.
use super::chunk::Chunk;
use super::entry::Entry;
use super::mailbox::Mailbox;
use super::metadata::Metadata;
use super::part::ROW_BYTES;
use super::record::{VARINT_BYTES_MAX, metadata_bytes_max};
use crate::base::{AccountId, Load, MailboxId, SpecialUse};
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
    /// The names are shared with older views: a change copies none.
    pub subscriptions: Arc<BTreeSet<Arc<str>>>,
    /// Annotations of the account itself.
    pub metadata: Metadata,
}

impl Account {
    /// What in the account contradicts itself, for one that was read: sums that are not those of its mailboxes, or a mailbox that is not
    /// whole. Reads no entries.
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        let sum =
            |of: fn(&Mailbox) -> u64| self.mailboxes.iter().try_fold(0u64, |sum, mailbox| sum.checked_add(of(mailbox)));
        if sum(|mailbox| mailbox.size_bytes) != Some(self.used_bytes) {
            return Some("used bytes that are the sum of its mailboxes' sizes expected");
        }
        if sum(|mailbox| mailbox.entries.len() as u64) != Some(self.messages) {
            return Some("as many messages as its mailboxes hold expected");
        }
        if !self.mailboxes.is_sorted_by(|a, b| a.id < b.id)
            || self.mailboxes.first().is_some_and(|first| first.id < MailboxId::INBOX)
            || self.mailboxes.last().is_some_and(|last| last.id >= self.mailbox_next)
        {
            return Some("mailbox ids from 1 on, in order and below the next one, expected");
        }
        self.mailboxes.iter().find_map(|mailbox| mailbox.contradiction())
    }

    /// Chunks that lie in memory only.
    pub(crate) fn chunks_in_memory(&self) -> usize {
        let chunks = self.mailboxes.iter().flat_map(|mailbox| mailbox.entries.chunks());
        chunks.filter(|chunk| chunk.is_in_memory()).count()
    }

    /// Takes from `written`, the account as a checkpoint has it, the chunks that did not change since.
    pub(crate) fn adopt(&mut self, written: &Account) {
        for mailbox in &mut self.mailboxes {
            if let Some(written) = written.mailbox(mailbox.id) {
                Arc::make_mut(mailbox).entries.adopt(&written.entries);
            }
        }
    }

    /// About how many bytes a checkpoint that keeps all older parts writes for it, rather more than less.
    pub(crate) fn fresh_bytes(&self) -> u64 {
        let chunks = self.mailboxes.iter().flat_map(|mailbox| mailbox.entries.chunks());
        let bytes =
            |chunk: &Arc<Chunk>| if chunk.is_in_memory() { u64::from(chunk.len) * Entry::BYTES as u64 } else { 0 };
        let ranges: usize = self.mailboxes.iter().map(|mailbox| mailbox.readers.range_count()).sum();
        256 + 128 * self.mailboxes.len() as u64 + 6 * ranges as u64 + chunks.map(|chunk| 32 + bytes(chunk)).sum::<u64>()
    }

    /// Bytes that its record, its row and its chunks take at most in a new index part that may refer to the parts which `kept` names.
    pub(super) fn checkpoint_bytes_max(&self, kept: &dyn Fn(u32) -> bool) -> u64 {
        let names: usize = self.subscriptions.iter().map(|name| name.len() + VARINT_BYTES_MAX).sum();
        let fixed = 8 * VARINT_BYTES_MAX + ROW_BYTES + metadata_bytes_max(&self.metadata);
        let mailboxes: u64 = self.mailboxes.iter().map(|mailbox| mailbox.checkpoint_bytes_max(kept)).sum();
        (fixed + names) as u64 + mailboxes
    }

    /// What it holds.
    pub fn load(&self) -> Load {
        Load { bytes: self.used_bytes, messages: self.messages }
    }

    /// Whether everything in it was purged: it has no mailbox, not even INBOX, and nothing may be put into it any more.
    pub fn is_purged(&self) -> bool {
        self.mailboxes.is_empty()
    }

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
