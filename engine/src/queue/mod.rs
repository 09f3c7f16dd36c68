//! Floor 4: messages that wait to go to other hosts, as a fold over events. Sends nothing.
mod arrival;
mod chunk;
mod codec;
mod items;
mod reached;
mod skim;
mod state;
mod terms;
#[cfg(test)]
mod tests;
mod tree;

pub use arrival::{Arrival, Came, Folder, Placed};
pub use reached::By;
pub use state::{Counts, Queue};
pub use terms::{DeliverBy, PRIORITY_MAX, Terms};

use crate::base::{AccountId, Guid, Locator, QueueId};
use std::sync::Arc;

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

/// What has become of one recipient.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Fate {
    /// Still to be tried.
    #[default]
    Waiting,
    /// The next host has taken the message over.
    Relayed,
    /// Given up.
    Failed,
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

/// How far one recipient has come.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// What has become of it. `Relayed` and `Failed` are final.
    pub fate: Fate,
    /// Attempts so far.
    pub attempts: u32,
    /// When it is to be tried next, seconds since 1970 UTC; means nothing once its fate is final.
    pub next_try: i64,
    /// The sender has been told of the delay.
    pub warned: bool,
    /// What the last attempt was answered, or what went wrong; empty before the first.
    pub reply: Arc<str>,
}

/// What the sender of a message demands of TLS on its way (RFC 8689).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TlsDemand {
    /// Nothing: the configuration and the domains of its recipients say.
    #[default]
    Usual,
    /// REQUIRETLS: only hosts that have proven who they are and keep to it themselves.
    Required,
    /// `TLS-Required: No`: what the domains of its recipients demand does not count.
    NotRequired,
}

impl TlsDemand {
    /// What mail about the message demands (RFC 8689 section 5).
    #[must_use]
    pub fn of_report(self) -> TlsDemand {
        if self == TlsDemand::Required { self } else { TlsDemand::Usual }
    }
}

/// What a submission hands to the queue.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewQueueItem {
    /// Who submitted it; `None` for messages that the system itself sends.
    pub account: Option<AccountId>,
    /// The reverse-path; empty for `<>`.
    pub sender: String,
    /// All forward-paths.
    pub recipients: Vec<QueueRecipient>,
    /// RFC 3461 RET: 0 not given, 1 FULL, 2 HDRS.
    pub ret: u8,
    /// It was submitted with SMTPUTF8 (RFC 6531).
    pub utf8: bool,
    /// RFC 3461 ENVID as given, empty if not.
    pub envelope_id: String,
    /// Addresses of ours that have sent this copy on, in their order: by them circles are known, and who gets the copy sees them.
    pub passed: Vec<String>,
    /// What its sender demands of TLS.
    pub tls: TlsDemand,
    /// What its sender has asked for.
    pub terms: Terms,
    /// What was known of the message when it came, for copies that are to end in a mailbox here; `None`: it was made here, or is old.
    pub arrival: Option<Box<Arrival>>,
    /// Names the message as it came, for those of its copies that are to end in mailboxes here: an account gets one of all that have the same. `None`: the
    /// item is alone.
    pub origin: Option<Guid>,
}

/// One message in the queue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueItem {
    /// Its number.
    pub id: QueueId,
    /// What was handed in. Shared, since it does not change while the progress does, once for each destination.
    pub item: Arc<NewQueueItem>,
    /// How far each recipient has come, in their order.
    pub progress: Vec<Progress>,
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
    /// When one of its recipients is to be tried next, seconds since 1970 UTC.
    pub next_try: i64,
}

impl QueueItem {
    /// The recipients that are still to be tried: place, address, progress.
    pub fn waiting(&self) -> impl Iterator<Item = (usize, &QueueRecipient, &Progress)> {
        let all = self.item.recipients.iter().zip(&self.progress).enumerate();
        all.map(|(at, (recipient, progress))| (at, recipient, progress))
            .filter(|(_, _, progress)| progress.fate == Fate::Waiting)
    }

    /// What its copies for accounts here are known by: `NewQueueItem::origin`, or its own number.
    pub fn origin(&self) -> Guid {
        let own = || {
            let mut name = [0; 16];
            name[..8].copy_from_slice(&self.id.0.to_be_bytes());
            Guid(name)
        };
        self.item.origin.unwrap_or_else(own)
    }

    /// The item whose own number that is, if it is one: names of messages do not end with eight zeros.
    pub fn named_by(origin: Guid) -> Option<QueueId> {
        let (number, rest) = origin.0.split_first_chunk()?;
        (rest == [0; 8]).then(|| QueueId(u64::from_be_bytes(*number)))
    }

    /// When its time in the queue begins: when it was accepted, or what it is held until; seconds since 1970 UTC.
    pub fn begins(&self) -> i64 {
        self.created.max(self.item.terms.hold_until)
    }
}
