//! Floor 6: from a message's bytes to a committed delivery. Decides nothing about policy and speaks no protocol.
mod base64;
mod blocks;
mod cold;
mod dictionaries;
mod dictionary;
mod read;
mod stage;
mod summaries;
mod unstage;
mod zstd;

pub(crate) use blocks::Blocks;
pub use cold::transactions;
pub(crate) use cold::{BLOCK_TEXT_BYTES, BlockBuilder, ColdMessage, message_in_block, pack};
pub use dictionaries::Dictionaries;
pub use dictionary::{Dictionary, Samples};
pub(crate) use read::Ahead;
pub use read::MessageReader;
pub use stage::{Origin, Staged, stage};
pub use summaries::Summaries;
pub(crate) use unstage::summary_in_block;
pub use unstage::{PartAt, summary, unstage};
pub(crate) use zstd::ColdEncoder;

use crate::base::{AccountId, Bound, Error, MailboxId, QueueId, Uid};
use crate::index::{Flags, SpecialUse};
use crate::queue::NewQueueItem;

/// Where in an account a message goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// INBOX.
    Inbox,
    /// The mailbox with that special use, or INBOX when there is none.
    For(SpecialUse),
    /// That mailbox; an error when it is gone.
    Id(MailboxId),
    /// The mailbox of that name, made when it does not exist.
    Named(String),
}

/// One account that is to get the message.
#[derive(Clone, Debug)]
pub struct Target {
    /// Who.
    pub account: AccountId,
    /// Where.
    pub place: Place,
    /// Flags of the new entry.
    pub flags: Flags,
    /// What the account may hold; `None` is unlimited (from `directory::Recipient`).
    pub bound: Option<Bound>,
}

/// One message for any number of accounts and for other hosts: stored once per shard.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub staged: Staged,
    /// Accounts on this system.
    pub targets: Vec<Target>,
    /// Copies for other hosts; committed together with the first shard's targets.
    pub queue: Vec<NewQueueItem>,
}

/// Where one target's copy is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// The mailbox.
    pub mailbox: MailboxId,
    /// The entry.
    pub uid: Uid,
}

/// The fate of a delivery, known only after the sync that covers it.
#[derive(Debug)]
pub struct Outcome {
    /// One for each target, in their order: over quota, or the shard failed.
    pub targets: Vec<Result<Delivered, Error>>,
    /// Whether the copies for other hosts are queued.
    pub queued: Result<(), Error>,
    /// The numbers of those copies, in their order, once they are queued.
    pub queue_ids: Vec<QueueId>,
}
