//! Mail in bulk: what export, import and restore ask of an open store beyond what a mail client does. Waits for the disk on the caller's
//! thread, so it is not for reactor threads.
use super::ops::ingest;
use super::{Append, Bytes, Engine, Ticket};
use crate::base::{AccountId, Error, MailboxId, Result, Uid};
use crate::delivery::Staged;
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
        self.stage_on_this_thread(Vec::new(), &message)
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
