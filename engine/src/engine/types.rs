//! The words of the facade: options, requests and answers. No behaviour.
use crate::base::{AccountId, Clock, Error, MailboxId, ModSeq, QueueId};
use crate::delivery::{Delivered, Delivery, Staged};
use crate::directory::Address;
use crate::disk::Disk;
use crate::format::Tried;
use crate::index::{FlagMode, Flags, UidSet};
use crate::queue::{Counts, NewQueueItem};
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
    /// Threads for password hashing, large messages and cold reads; as many shards are opened at a time.
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

/// On whose behalf a mailbox of another account is changed. Such a member's \Seen is its own, not the entry's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guest {
    /// The member.
    pub reader: AccountId,
    /// The flags that it may change.
    pub flags: Flags,
    /// Whether it may change keywords.
    pub keywords: bool,
}

/// A mailbox, and who comes to it if not its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct At {
    /// Whose mailbox.
    pub account: AccountId,
    /// Which one.
    pub mailbox: MailboxId,
    /// `None`: the owner.
    pub guest: Option<Guest>,
}

impl At {
    /// A mailbox of one's own.
    pub fn own(account: AccountId, mailbox: MailboxId) -> At {
        At { account, mailbox, guest: None }
    }

    /// Whose \Seen counts, if not the owner's.
    pub fn reader(&self) -> Option<AccountId> {
        self.guest.map(|guest| guest.reader)
    }
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
    /// What the counter was for the change, if it was made at once: nobody else has changed anything by that count.
    pub changed_at: Option<ModSeq>,
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
    /// What its start had to say: a torn tail that was cut, a damaged checkpoint that was passed over.
    pub notes: Vec<String>,
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
    /// Messages in its queue.
    pub queue: Counts,
}

/// An answer for somebody who is away.
#[derive(Debug)]
pub struct Answer {
    /// Who is away.
    pub account: AccountId,
    /// Who is answered: once in `days`.
    pub to: String,
    /// What makes it another answer than the one before.
    pub handle: String,
    /// See `to`.
    pub days: u32,
    /// The answer.
    pub staged: Staged,
    /// Its way.
    pub item: NewQueueItem,
}

/// What is told the queue of one attempt, or of a warning: one transaction.
#[derive(Debug)]
pub struct Settle {
    /// The item.
    pub id: QueueId,
    /// The outcome for each recipient that was tried. Those that are done already, or whose item is gone, are passed over.
    pub tried: Vec<Tried>,
    /// The recipients of whose delay the sender is told by `notices`.
    pub warned: Vec<u32>,
    /// Mail to the sender about it, committed with the rest. Their targets must be in the item's shard (`Engine::holds`).
    pub notices: Vec<Delivery>,
}

/// What became of it.
#[derive(Debug)]
pub struct Settled {
    /// Nobody waits any more: the item is off the queue.
    pub removed: bool,
    /// Why notices did not reach a target.
    pub lost: Vec<Error>,
    /// The numbers of the notices that go by way of the queue.
    pub reports: Vec<QueueId>,
}

/// A recipient of a queue item gets the message in accounts here, of any shards: no crash brings it to anybody twice.
pub struct HandOver {
    /// The item.
    pub id: QueueId,
    /// Which of its recipients.
    pub recipient: u32,
    /// What is noted of it.
    pub reply: String,
    /// The copies, those of an account beside each other, and what goes on from there.
    pub delivery: Delivery,
    /// Accounts that are dealt with and get no copy.
    pub dealt: Vec<AccountId>,
    /// What is queued for an account that cannot take its copies now.
    pub later: Later,
    /// A report to the sender, if all copies are there and none is had later.
    pub notice: Option<Delivery>,
}

/// See `HandOver::later`.
pub type Later = Box<dyn Fn(AccountId) -> NewQueueItem + Send + Sync>;

/// Where it is now.
#[derive(Debug)]
pub struct HandedOver {
    /// Each target's copy, in their order: `None` when the account has had the message before. An error when it gets it later.
    pub copies: Copies,
    /// The numbers of what goes on.
    pub queue_ids: Vec<QueueId>,
    /// The numbers of what is to be had later, and for whom.
    pub later: Vec<(AccountId, QueueId)>,
    /// The numbers of what of the report goes by way of the queue.
    pub reports: Vec<QueueId>,
}

/// See `HandedOver::copies`.
pub type Copies = Vec<Result<Option<Delivered>, Error>>;

/// What an operator does to queue items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QueueAction {
    /// Not to be tried until released.
    Hold,
    /// No longer on hold, and to be tried now.
    Release,
    /// To be tried now, unless on hold.
    Retry,
    /// Away with it; nobody is told.
    Remove,
}
