//! Mail in bulk: what export, import and restore ask of an open store beyond what a mail client does. Waits for the disk on the caller's
//! thread, so it is not for reactor threads.
use super::ops::{adopt, ingest, purge, queue, restored};
use super::shard::{self, Shard};
use super::txn::Txn;
use super::{Append, Bytes, Engine, QueueAction, Ticket};
use crate::base::{AccountId, Error, Guid, MailboxId, Result, ShardId, Uid, UidSet};
use crate::delivery::{self, Origin, Staged};
use crate::directory::Directory;
use crate::index::Entry;
use crate::log::SegmentFile;
use std::path::PathBuf;

/// Queue items, or accounts, of one transaction after a restore.
const RESTORED_STEP: usize = 256;

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

/// The files of one shard's log, as of one moment: everything in the first `len_bytes` of each is durable and never changes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShardFiles {
    /// Which shard.
    pub shard: ShardId,
    /// Their directory, from the data directory on.
    pub dir: PathBuf,
    /// In the order of the log, then what compaction has replaced and keeps; empty ones are left out.
    pub files: Vec<LogFile>,
}

/// One file of a shard's log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFile {
    /// Its name in the shard's directory.
    pub name: String,
    /// Bytes of it that are durable.
    pub len_bytes: u64,
    /// Whether it never changes any more.
    pub sealed: bool,
}

impl LogFile {
    fn of(file: &SegmentFile) -> LogFile {
        LogFile { name: file.name(), len_bytes: file.len_bytes, sealed: file.sealed }
    }
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
        let bound = self.bound(account);
        self.committer_of(account).submit(move |txn| ingest::plan(txn, account, mailbox, &messages, bound))
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
        self.committer_of(account).submit(move |txn| purge::plan(txn, account))
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
        let request = adopt::Request { from, uids, to, bound: self.bound(to.0) };
        self.committer_of(to.0).submit(move |txn| adopt::plan(txn, &request))
    }

    /// A message that is stored already, to be stored again in another shard under the same name.
    pub fn restage(&self, message: Vec<u8>, guid: Guid) -> Result<Staged> {
        delivery::stage(Origin { guid, ..self.origin() }, message, b"", |_, _| {})
    }

    /// What a copy of the store needs, while it is served. The account shards are looked at first and the control shard last: an account is
    /// in the directory before it gets mail, so a copy knows every account that has any. The other way round, a number whose account came
    /// between the two looks would be given again after a restore, with somebody's mail already in it.
    pub fn files(&self) -> Vec<ShardFiles> {
        let some = |files: Vec<SegmentFile>| -> Vec<LogFile> {
            files.iter().map(LogFile::of).filter(|file| file.len_bytes > 0).collect()
        };
        let of = |shard: &Shard| {
            let dir = shard.shared.dir.clone();
            let mut files = some(shard.segments.files());
            // With what was replaced a copy can go back to a time before the compaction.
            for retired in shard.segments.retired(&dir).unwrap_or_default() {
                let name = retired.path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
                if files.iter().all(|file| file.name != name) {
                    files.push(LogFile { name, len_bytes: retired.bytes, sealed: true });
                }
            }
            ShardFiles { shard: shard.shared.shard, dir, files }
        };
        let mut all: Vec<ShardFiles> = self.shards.iter().map(of).collect();
        let (shard, dir) = (ShardId::CONTROL, shard::dir(ShardId::CONTROL));
        all.push(ShardFiles { shard, dir, files: some(self.control.files()) });
        all
    }

    /// Removes the mail of accounts that the directory neither has nor keeps in its bin. Only for a store that was just restored and that
    /// nobody else uses: a purge may have been under way when the copy was made. Answers how many there were.
    ///
    /// # Errors
    /// `Invalid`: an account has mail and its number was never given.
    pub fn purge_orphans(&self) -> Result<u64> {
        let mut count = 0;
        for shard in &self.shards {
            for id in shard.shared.published.ids() {
                let known = |all: &Directory| all.account(id).is_some() || all.removed_account(id).is_some();
                if self.directory(known) || self.account(id).is_err() {
                    continue;
                }
                // Only a number that was given can be one whose account was removed.
                if id >= self.directory(Directory::account_next) {
                    let what = format!(
                        "account {id} has mail and the directory of that time does not know it; restore to a later time, or without one"
                    );
                    return Err(Error::Invalid(what));
                }
                shard.committer.submit(move |txn| purge::plan(txn, id)).wait()?;
                count += 1;
            }
        }
        Ok(count)
    }

    /// Makes a store that was just restored, and that nobody else uses, ready to serve: every queued message is held, since it may have been
    /// sent after the copy was made, and no uid or modseq that was given out since is given out again. Answers how many messages were held.
    pub fn settle_restored(&self) -> Result<u64> {
        let mut held = 0;
        for shard in &self.shards {
            let items: Vec<_> = shard.shared.published.queue().iter().map(|item| item.id).collect();
            for ids in items.chunks(RESTORED_STEP) {
                let ids = ids.to_vec();
                let hold = move |txn: &mut Txn<'_>| queue::act(txn, &ids, QueueAction::Hold);
                held += shard.committer.submit(hold).wait()?.len() as u64;
            }
            let accounts: Vec<_> = shard.shared.published.ids().into_iter().collect();
            for ids in accounts.chunks(RESTORED_STEP) {
                let ids = ids.to_vec();
                let raise = move |txn: &mut Txn<'_>| restored::raise_all(txn, &ids);
                shard.committer.submit(raise).wait()?;
            }
        }
        Ok(held)
    }

    /// Size and crc of an entry's message, without reading the message.
    pub fn checksum(&self, account: AccountId, entry: &Entry) -> Result<Checksum> {
        let at = entry.locator;
        let (size_bytes, crc) = self.shard(account).reader.checksum(at)?;
        Ok(Checksum { size_bytes, crc })
    }

    /// The message's bytes, proven by crc, read on this thread.
    pub fn message_here(&self, account: AccountId, entry: &Entry) -> Result<Bytes> {
        self.shard(account).reader.message(entry.locator).map(Bytes::from)
    }
}
