//! Floor 7: the one way in. Opens and closes the store, takes requests, gives views and the change feed. Holds no rule of its own.
mod budget;
mod ticket;
mod watch;

pub use budget::Permit;
pub use ticket::Ticket;
pub use watch::Watch;

use crate::base::{AccountId, Clock, Error, MailboxId, ModSeq, QueueId, Result, Uid};
use crate::delivery::{Delivery, Outcome, Staged};
use crate::directory::{self, Address, Directory, Resolution};
use crate::disk::Disk;
use crate::index::{Account, Entry, FlagMode, Flags, Mailbox, SpecialUse, UidSet};
use crate::queue::QueueItem;
use std::ops::Deref;
use std::sync::Arc;

/// How to open a store.
pub struct Options {
    /// The data directory.
    pub disk: Arc<dyn Disk>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Number of account shards when the store is made; later the number it was made with holds.
    pub shards: u16,
    /// Bytes after which a segment is sealed.
    pub segment_bytes_max: u32,
    /// Bytes of log after which a checkpoint is written.
    pub checkpoint_log_bytes: u64,
    /// Bytes of messages that may be staged at once over all sessions; more wait.
    pub stage_bytes_max: u64,
    /// Threads for password hashing, large messages and cold reads.
    pub workers: usize,
}

/// Who has logged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The account.
    pub account: AccountId,
    /// Its primary address.
    pub address: Address,
}

/// A message to APPEND.
#[derive(Debug)]
pub struct Append {
    /// The message.
    pub staged: Staged,
    /// System flags.
    pub flags: Flags,
    /// Keywords by name.
    pub keywords: Vec<String>,
    /// INTERNALDATE, seconds since 1970 UTC; now if `None`.
    pub internal_date: Option<i64>,
}

/// What STORE asks (RFC 3501 section 6.4.6, RFC 7162 section 3.1.3).
#[derive(Clone, Debug)]
pub struct Store {
    /// Which entries.
    pub uids: UidSet,
    /// What to do with the named flags.
    pub mode: FlagMode,
    /// The system flags named.
    pub flags: Flags,
    /// The keywords named; new ones are added to the mailbox's table.
    pub keywords: Vec<String>,
    /// UNCHANGEDSINCE: entries with a greater modseq are left alone.
    pub unchanged_since: Option<ModSeq>,
}

/// What STORE did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// Entries left alone for UNCHANGEDSINCE (the MODIFIED response code).
    pub modified: UidSet,
    /// The mailbox's counter afterwards.
    pub modseq: ModSeq,
}

/// What COPY or MOVE did; the response code COPYUID of RFC 4315.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Copied {
    /// UIDVALIDITY of the target mailbox.
    pub uid_validity: u32,
    /// The source uids that were there, ascending.
    pub from: UidSet,
    /// The new uids, in the same order.
    pub to: UidSet,
}

/// What APPEND did; the response code APPENDUID of RFC 4315.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// UIDVALIDITY of the mailbox.
    pub uid_validity: u32,
    /// The new uids, in order.
    pub uids: UidSet,
}

/// Bytes that live in a mapped segment or in memory; derefs to the bytes.
#[derive(Clone, Debug)]
pub struct Bytes(Arc<Vec<u8>>);

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}

/// An open store. Shared by all sessions; every method may be called from any thread.
pub struct Engine {}

#[expect(unused_variables, clippy::todo, reason = "signatures first; the bodies are being written")]
impl Engine {
    /// Opens the store, making it if the directory is empty. Replays what came after the last checkpoint.
    pub fn open(options: Options) -> Result<(Arc<Engine>, Vec<String>)> {
        todo!()
    }
    /// Commits what was taken, writes checkpoints, frees the lock. Later requests hear `Closed`.
    pub fn close(&self) -> Result<()> {
        todo!()
    }

    // ---- directory ----
    /// Looks something up; the directory does not change meanwhile. Keep it short.
    pub fn directory<R>(&self, read: impl FnOnce(&Directory) -> R) -> R {
        todo!()
    }
    /// Who gets mail for an address.
    pub fn resolve(&self, address: &Address) -> Resolution {
        self.directory(|directory| directory.resolve(address))
    }
    /// Plans and commits changes in one transaction; an answer for each.
    pub fn change_directory(&self, changes: Vec<directory::Change>) -> Ticket<Vec<Result<()>>> {
        todo!()
    }
    /// Proves a password on a worker thread; takes as long for an unknown name. `None`: wrong name, wrong password or disabled.
    pub fn authenticate(&self, name: &str, password: &str) -> Ticket<Option<Login>> {
        todo!()
    }

    // ---- views: immutable, as of the last commit ----
    /// The account's view, made with its default mailboxes (INBOX, Drafts, Sent, Junk, Trash) at its first use.
    pub fn open_account(&self, account: AccountId) -> Ticket<Result<Arc<Account>>> {
        todo!()
    }
    /// The account's view now; `NotFound` before its first use.
    pub fn account(&self, account: AccountId) -> Result<Arc<Account>> {
        todo!()
    }
    /// The mailbox's view now.
    pub fn mailbox(&self, account: AccountId, mailbox: MailboxId) -> Result<Arc<Mailbox>> {
        todo!()
    }
    /// What the account may hold in bytes, from the directory; `None` is unlimited.
    pub fn quota_bytes_max(&self, account: AccountId) -> Option<u64> {
        todo!()
    }
    /// The encoded summary (`index::mime::SummaryRef::decode`) of an entry's message. Does not touch the body.
    pub fn summary(&self, account: AccountId, entry: &Entry) -> Result<Bytes> {
        todo!()
    }
    /// The message's bytes, proven by crc. Ready at once when the frame is in memory, else read by a worker.
    pub fn message(&self, account: AccountId, entry: &Entry) -> Ticket<Result<Bytes>> {
        todo!()
    }
    /// Wakes when the mailbox changes.
    pub fn watch(&self, account: AccountId, mailbox: MailboxId) -> Watch {
        todo!()
    }
    /// Takes the \Recent entries for the first session that sees them: those from the uid returned on (RFC 3501 section 2.3.2).
    pub fn claim_recent(&self, account: AccountId, mailbox: MailboxId) -> Ticket<Result<Uid>> {
        todo!()
    }

    // ---- messages ----
    /// Room in memory for a message while it is received: sessions take it in steps of about 1 MiB before they read on, so that
    /// the memory of all sessions together stays below `stage_bytes_max`. Dropping the permit gives the room back.
    pub fn reserve(&self, bytes: u64) -> Ticket<Permit> {
        todo!()
    }
    /// Parses and compresses `trace` + `message` (CRLF line ends): inline when small, on a worker when large.
    pub fn stage(&self, trace: Vec<u8>, message: Vec<u8>) -> Ticket<Result<Staged>> {
        todo!()
    }
    /// Commits a message to its targets: one stored copy per shard.
    pub fn deliver(&self, delivery: Delivery) -> Ticket<Outcome> {
        todo!()
    }
    /// APPEND: all messages or none. `OverQuota` by the account's own quota.
    pub fn append(&self, account: AccountId, mailbox: MailboxId, messages: Vec<Append>) -> Ticket<Result<Appended>> {
        todo!()
    }
    /// STORE.
    pub fn store(&self, account: AccountId, mailbox: MailboxId, store: Store) -> Ticket<Result<Stored>> {
        todo!()
    }
    /// COPY within an account: moves no message bytes; all or none (`OverQuota`).
    pub fn copy(&self, account: AccountId, from: MailboxId, uids: UidSet, to: MailboxId) -> Ticket<Result<Copied>> {
        todo!()
    }
    /// MOVE within an account (RFC 6851): atomic.
    pub fn move_entries(
        &self,
        account: AccountId,
        from: MailboxId,
        uids: UidSet,
        to: MailboxId,
    ) -> Ticket<Result<Copied>> {
        todo!()
    }
    /// Removes entries: those of `uids` with \Deleted, or all with \Deleted. Answers which.
    pub fn expunge(&self, account: AccountId, mailbox: MailboxId, uids: Option<UidSet>) -> Ticket<Result<UidSet>> {
        todo!()
    }
    /// POP3's QUIT: removes entries whatever their flags.
    pub fn remove(&self, account: AccountId, mailbox: MailboxId, uids: UidSet) -> Ticket<Result<UidSet>> {
        todo!()
    }

    // ---- mailboxes ----
    /// CREATE; parents that do not exist are made too (RFC 3501 section 6.3.3).
    pub fn create_mailbox(
        &self,
        account: AccountId,
        name: &str,
        special_use: Option<SpecialUse>,
    ) -> Ticket<Result<MailboxId>> {
        todo!()
    }
    /// DELETE with all its entries; children stay. INBOX cannot be deleted.
    pub fn delete_mailbox(&self, account: AccountId, name: &str) -> Ticket<Result<()>> {
        todo!()
    }
    /// RENAME with all children; INBOX's entries move to the new mailbox and INBOX stays (RFC 3501 section 6.3.5).
    pub fn rename_mailbox(&self, account: AccountId, from: &str, to: &str) -> Ticket<Result<()>> {
        todo!()
    }
    /// SUBSCRIBE and UNSUBSCRIBE.
    pub fn subscribe(&self, account: AccountId, name: &str, on: bool) -> Ticket<Result<()>> {
        todo!()
    }

    // ---- queue ----
    /// All items by id.
    pub fn queue(&self) -> Vec<Arc<QueueItem>> {
        todo!()
    }
    /// Takes an item off the queue.
    pub fn queue_remove(&self, id: QueueId) -> Ticket<Result<()>> {
        todo!()
    }

    // ---- operation ----
    /// What `posthouse status` shows.
    pub fn status(&self) -> Status {
        todo!()
    }
}

/// The store at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// One for each shard, the control shard last.
    pub shards: Vec<ShardStatus>,
}

/// One shard at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ShardStatus {
    /// `0`, `1`, ... or `control`.
    pub name: String,
    /// Why it has closed itself, if it has.
    pub latched: Option<String>,
    /// Bytes of log.
    pub log_bytes: u64,
    /// Segment files.
    pub segments: u64,
    /// Group commits since the start.
    pub groups: u64,
    /// Requests committed since the start.
    pub requests: u64,
    /// Syncs since the start.
    pub syncs: u64,
    /// The last checkpoint's Lsn.
    pub checkpoint_lsn: u64,
    /// Messages in the queue.
    pub queued: u64,
}

#[expect(unused, reason = "silences the error import until the bodies are there")]
type Unused = Error;
