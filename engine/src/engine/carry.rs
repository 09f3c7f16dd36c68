//! Mail in bulk: what export, import and restore ask of an open store beyond what a mail client does. Waits for the disk on the caller's
//! thread, so it is not for reactor threads.
use super::ops::{adopt, ingest, purge};
use super::{Append, Bytes, Engine, Ticket};
use crate::base::{AccountId, Error, Guid, MailboxId, Result, Uid, UidSet};
use crate::delivery::{self, Origin, Staged};
use crate::format::{MESSAGE_HEAD_BYTES, MessageHead};
use crate::index::Entry;

/// What `ingest` did with one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ingested {
    /// The new entry's uid.
    pub uid: Uid,
    /// Keywords for which the mailbox's table had no room, and repeated ones.
    pub keywords_left_out: usize,
}

/// What was in an account before it was purged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Purged {
    /// Entries.
    pub messages: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// Size and crc of a message: equal messages have equal ones. Two that have equal ones may still differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Checksum {
    /// Bytes of the message.
    pub size_bytes: u32,
    /// CRC-32 (IEEE) of the message.
    pub crc: u32,
}

impl Checksum {
    /// A message's; `None` if it is larger than any that is stored.
    pub fn of(message: &[u8]) -> Option<Checksum> {
        let size_bytes = u32::try_from(message.len()).ok()?;
        Some(Checksum { size_bytes, crc: crc32fast::hash(message) })
    }
}

impl Engine {
    /// Parses and compresses a message on this thread, whatever its size.
    ///
    /// # Errors
    /// `Limit` beyond `MESSAGE_BYTES_MAX`.
    pub fn stage_here(&self, message: Vec<u8>) -> Result<Staged> {
        // As the trace, so that a large message is not copied.
        self.stage_on_this_thread(message, b"")
    }

    /// Appends many messages in one transaction and one sync, each taken or refused by itself: `OverQuota`, `Limit`. Keywords beyond what
    /// a mailbox can hold are left out. The outer error: nothing was taken.
    pub fn ingest(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        messages: Vec<Append>,
    ) -> Ticket<Result<Vec<Result<Ingested>>>> {
        let quota = self.quota_bytes_max(account);
        self.shard(account).committer.submit(move |txn| ingest::plan(txn, account, mailbox, &messages, quota))
    }

    /// Removes everything in an account for good. Only for one that is in the recycle bin and whose purge has begun; what was purged
    /// already, or never used, holds nothing.
    ///
    /// # Errors
    /// `Invalid`: it is not in the bin, or its purge was not begun.
    pub fn purge_account(&self, account: AccountId) -> Ticket<Result<Purged>> {
        let begun = self.directory(|directory| directory.removed_account(account).is_some_and(|one| one.purge_begun));
        if !begun {
            let what = format!("account {account} is not in the recycle bin, or its purge was not begun");
            return Ticket::ready(Err(Error::Invalid(what)));
        }
        self.shard(account).committer.submit(move |txn| purge::plan(txn, account))
    }

    /// Whether two accounts share a log, so that `adopt` works between them.
    pub fn share_a_shard(&self, one: AccountId, other: AccountId) -> bool {
        std::ptr::eq(self.shard(one), self.shard(other))
    }

    /// Gives another account of the same shard entries for the messages of these; no message is copied. All or none (`OverQuota`).
    ///
    /// # Errors
    /// `Invalid`: the accounts do not share a shard.
    pub fn adopt(&self, from: (AccountId, MailboxId), uids: UidSet, to: (AccountId, MailboxId)) -> Ticket<Result<u64>> {
        if !self.share_a_shard(from.0, to.0) {
            return Ticket::ready(Err(Error::Invalid("the accounts lie in different shards".into())));
        }
        let request = adopt::Request { from, uids, to, quota_bytes_max: self.quota_bytes_max(to.0) };
        self.shard(to.0).committer.submit(move |txn| adopt::plan(txn, &request))
    }

    /// A message that is stored already, to be stored again in another shard under the same name.
    pub fn restage(&self, message: Vec<u8>, guid: Guid) -> Result<Staged> {
        delivery::stage(Origin { guid, ..self.origin() }, message, b"", |_, _| {})
    }

    /// Size and crc of an entry's message, without reading the message.
    pub fn checksum(&self, account: AccountId, entry: &Entry) -> Result<Checksum> {
        let at = entry.locator;
        let bytes = self.shard(account).segments.read_part(at, 0..MESSAGE_HEAD_BYTES)?;
        let head = MessageHead::decode(&bytes)
            .map_err(|why| Error::corrupt(format!("the message at {at}"), 0, why.to_string()))?;
        Ok(Checksum { size_bytes: head.size_bytes, crc: head.crc })
    }

    /// The message's bytes, proven by crc, read on this thread.
    pub fn message_here(&self, account: AccountId, entry: &Entry) -> Result<Bytes> {
        self.shard(account).reader.message(entry.locator).map(Bytes::owned)
    }
}
