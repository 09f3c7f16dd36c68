//! Mail in bulk between a command and a store: what is asked and answered, each with bytes that follow its line, in pieces of bounded
//! size. The same for a running server and for a closed data directory.
pub(crate) mod annotations;
mod desk;
mod fetch;
mod handover;
mod ingest;
mod known;

pub use annotations::Annotation;
pub use desk::Desk;
pub(crate) use fetch::flag_names;

use super::Failure;
use serde::{Deserialize, Serialize};

/// Whose mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "snake_case")]
pub enum Scope {
    /// One account.
    Account {
        /// Its address or an alias.
        address: String,
    },
    /// All accounts of a tenant.
    Tenant {
        /// Its name.
        name: String,
    },
    /// One account in the recycle bin.
    Removed {
        /// Its number.
        number: u64,
    },
    /// Everything.
    All,
}

/// What a command asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// One page of the accounts of a scope.
    Accounts {
        /// Whose.
        scope: Scope,
        /// Only those after this address.
        after: Option<String>,
    },
    /// An account's mailboxes.
    Mailboxes {
        /// Its number.
        account: u64,
    },
    /// Messages of a mailbox, as it was when the first of them were asked for. Their bytes follow the answer.
    Fetch {
        /// The account's number.
        account: u64,
        /// The mailbox's number.
        mailbox: u32,
        /// Only uids after this one.
        after: u32,
    },
    /// A mailbox, made if it is not there.
    Make {
        /// The account's number.
        account: u64,
        /// Its name.
        name: String,
        /// Its attribute as in RFC 6154, if it shall get one when it is made.
        special_use: Option<String>,
        /// Whether it shall be subscribed to.
        subscribed: bool,
    },
    /// Messages for a mailbox; their bytes follow. What the mailbox has already is passed over.
    Ingest {
        /// The account's number.
        account: u64,
        /// Its name; made if it is not there.
        mailbox: String,
        /// The messages, in the order of their bytes.
        messages: Vec<Incoming>,
    },
    /// Whether a removed account's mail may be handed over, and what there is.
    HandOver {
        /// The removed account's number.
        from: u64,
        /// The address of who shall have it.
        to: String,
        /// Below which mailbox.
        folder: String,
    },
    /// The next piece of one mailbox.
    HandOverPiece {
        /// The removed account's number.
        from: u64,
        /// The mailbox's number.
        mailbox: u32,
        /// Only uids after this one.
        after: u32,
        /// The number of who shall have it.
        to: u64,
        /// The mailbox there; made if it is not there.
        into: String,
    },
    /// The annotations of a mailbox.
    Annotations {
        /// The account's number.
        account: u64,
        /// The mailbox's number; 0: those of the account itself.
        mailbox: u32,
    },
    /// An annotation; one of that name that is there stays.
    Annotate {
        /// The account's number.
        account: u64,
        /// The mailbox's name; none: the account itself.
        mailbox: Option<String>,
        /// The annotation.
        annotation: Annotation,
    },
    /// Waits until all messages that were sent are durable.
    Settle,
}

/// A message to be taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Incoming {
    /// Bytes of it.
    pub size: u64,
    /// System flags with their backslash, and keywords.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Internal date in seconds since 1970-01-01 UTC; now if there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date: Option<i64>,
    /// Its unique-id by POP3 on the server that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pop3_uidl: Option<String>,
}

/// A message on its way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outgoing {
    /// Its uid.
    pub uid: u32,
    /// Bytes of it that follow: none if it could not be read.
    pub size: u64,
    /// System flags with their backslash, and keywords.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub flags: Vec<String>,
    /// Internal date in seconds since 1970-01-01 UTC.
    pub date: i64,
    /// Its unique-id by POP3 on the server that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pop3_uidl: Option<String>,
    /// Why it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unreadable: Option<String>,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountRow {
    /// Its number.
    pub id: u64,
    /// Its address.
    pub address: String,
    /// Messages in it.
    pub messages: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Bytes it may hold.
    pub quota_bytes_max: Option<u64>,
}

/// A mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxRow {
    /// Its number.
    pub id: u32,
    /// Its full name, levels separated by `/`.
    pub name: String,
    /// Its attribute as in RFC 6154.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub special_use: Option<String>,
    /// Whether it is subscribed to.
    pub subscribed: bool,
    /// Messages in it.
    pub messages: u64,
    /// Bytes of them.
    pub bytes: u64,
}

/// What became of the messages of one `Ingest`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Taken in, durable.
    pub taken: u64,
    /// The mailbox has them already.
    pub known: u64,
    /// Keywords that did not fit into the mailbox's table.
    #[serde(default)]
    pub keywords_left_out: u64,
    /// Position in the request, and why it was not taken.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub refused: Vec<(u64, Failure)>,
    /// Why none of those that are neither known nor refused was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failed: Option<Failure>,
    /// The account is full.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub over_quota: Option<String>,
}

/// What a command hears.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "snake_case")]
pub enum Answer {
    /// To `Accounts`.
    Accounts {
        /// The page.
        accounts: Vec<AccountRow>,
        /// What to ask `after` for the next page; `None`: this was the last.
        next: Option<String>,
    },
    /// To `Mailboxes`.
    Mailboxes {
        /// By number.
        mailboxes: Vec<MailboxRow>,
    },
    /// To `Fetch`; the bytes follow.
    Fetched {
        /// By uid.
        messages: Vec<Outgoing>,
        /// What to ask `after` for the next ones; `None`: these were the last.
        next: Option<u32>,
    },
    /// To `Make` and `Annotate`.
    Made,
    /// To `Annotations`.
    Annotations {
        /// By name.
        annotations: Vec<Annotation>,
    },
    /// To `HandOver`.
    HandOver {
        /// The number of who shall have it.
        to: u64,
        /// Those that hold something.
        mailboxes: Vec<MailboxRow>,
    },
    /// To `HandOverPiece`.
    HandedOver {
        /// Messages that are there now.
        copied: u64,
        /// Messages that were there.
        known: u64,
        /// What could not be read.
        unreadable: Vec<String>,
        /// What to ask `after` for the next piece; `None`: this was the last.
        next: Option<u32>,
    },
    /// To `Ingest` and `Settle`: the requests that are durable by now, oldest first. An `Ingest` is answered as soon as its messages are on
    /// their way, so what became of them comes with a later answer.
    Ingested {
        /// One for each.
        batches: Vec<Batch>,
    },
}

impl Ask {
    /// Bytes that follow the request's line.
    pub fn payload_bytes(&self) -> u64 {
        match self {
            Ask::Ingest { messages, .. } => messages.iter().fold(0, |sum, one| sum.saturating_add(one.size)),
            _ => 0,
        }
    }
}

impl Answer {
    /// Bytes that follow the answer's line.
    pub fn payload_bytes(&self) -> u64 {
        match self {
            Answer::Fetched { messages, .. } => messages.iter().fold(0, |sum, one| sum.saturating_add(one.size)),
            _ => 0,
        }
    }
}
