//! Floor 4: messages that wait to go to other hosts, as a fold over events. Sends nothing.
mod codec;
mod state;

pub use state::Queue;

use crate::base::{AccountId, Guid, Locator, QueueId};

/// Where an item stands (names as in Postfix).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum QueueState {
    /// To be tried at `next_try`.
    Active,
    /// Tried; waits for its next time.
    Deferred,
    /// Not to be tried until released.
    Hold,
}

/// One recipient of an item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueRecipient {
    /// The forward-path.
    pub address: String,
    /// RFC 3461 NOTIFY as bits: 1 NEVER, 2 SUCCESS, 4 FAILURE, 8 DELAY; 0 not given.
    pub notify: u8,
    /// RFC 3461 ORCPT as given, empty if not.
    pub orcpt: String,
}

/// What a submission hands to the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewQueueItem {
    /// Who submitted it; `None` for messages that the system itself sends.
    pub account: Option<AccountId>,
    /// The reverse-path; empty for `<>`.
    pub sender: String,
    /// All forward-paths.
    pub recipients: Vec<QueueRecipient>,
    /// RFC 3461 RET: 0 not given, 1 FULL, 2 HDRS.
    pub ret: u8,
    /// RFC 3461 ENVID as given, empty if not.
    pub envelope_id: String,
}

/// One message in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueItem {
    /// Its number.
    pub id: QueueId,
    /// What was handed in.
    pub item: NewQueueItem,
    /// The message.
    pub guid: Guid,
    /// Its frame, in the shard that holds the item.
    pub locator: Locator,
    /// Bytes of the message.
    pub size_bytes: u32,
    /// Where it stands.
    pub state: QueueState,
    /// When it was accepted, seconds since 1970 UTC.
    pub created: i64,
    /// When it is to be tried next, seconds since 1970 UTC.
    pub next_try: i64,
}
