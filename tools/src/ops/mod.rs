//! What an operator may ask of a store, as values that travel as JSON, and the one function that carries it out: the same for a
//! command on a closed data directory and for a running server. Prints nothing and reads no arguments.
mod access;
mod acl;
pub mod bulk;
mod change;
mod compact;
mod failure;
mod files;
mod flow;
mod list;
mod queue;
mod removed;
mod run;
mod status;
mod trace;
mod usage;
mod view;

pub use access::{Access, AppPasswordView, LoginFilter, LoginRulesView, LoginRulesWords, LoginView, write_keys};
pub use acl::AclView;
pub use change::{Change, Patch, ScopeText};
pub use compact::{CompactAct, CompactionView};
pub use failure::{Failure, Kind};
pub use files::{FileRow, ShardFilesRow};
pub use flow::{KeyView, RuleView};
pub use queue::{Act, QueueFilter, State, message as queue_message};
pub use run::run;
pub use status::StatusView;
pub use trace::{StepView, TraceFilter};
pub use view::{RemovedView, UsageView, View};

use posthouse_admin::Facts;
use serde::{Deserialize, Serialize};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum Request {
    /// Changes of the directory, committed together; each is answered by itself.
    Change {
        /// At most `CHANGES_MAX`.
        changes: Vec<Change>,
    },
    /// One page of a list.
    List {
        /// Of what.
        what: What,
        /// Only this tenant's.
        tenant: Option<String>,
        /// Only those whose address or name contains this.
        #[serde(default)]
        contains: String,
        /// Only those after this one: `next` of the page before.
        after: Option<String>,
    },
    /// Everything about one thing.
    Show {
        /// Of which kind.
        what: What,
        /// Its name or address.
        name: String,
    },
    /// One page of the access control lists of an account's mailboxes.
    AclList {
        /// Its address or an alias.
        account: String,
        /// Only this mailbox's.
        mailbox: Option<String>,
        /// Only those after this one: `next` of the page before.
        after: Option<String>,
    },
    /// Other rights for somebody.
    AclSet {
        /// Whose mailbox: an address or an alias.
        account: String,
        /// Which one; `None`: all that the account has.
        mailbox: Option<String>,
        /// Who: an address, `anyone`, with `-` before it whose are taken.
        who: String,
        /// All rights from now on, or `+` and `-` some.
        rights: String,
    },
    /// One page of the queue, by id.
    QueueList {
        /// Only those after this id.
        after: Option<u64>,
        /// Only those that it lets through.
        #[serde(default)]
        filter: QueueFilter,
    },
    /// One message in the queue.
    QueueShow {
        /// Its id.
        id: u64,
    },
    /// The bytes of a message in the queue.
    QueueMessage {
        /// Its id.
        id: u64,
    },
    /// Something is done to messages in the queue.
    QueueAct {
        /// What.
        act: Act,
        /// To these.
        ids: Vec<u64>,
        /// And to all that it lets through, if one is given.
        filter: Option<QueueFilter>,
    },
    /// One page of what accounts are charged and what their entries add up to, by address.
    Usage {
        /// Only this account's.
        account: Option<String>,
        /// Only those after this address.
        after: Option<String>,
    },
    /// One page of the recycle bin, by number.
    RemovedList {
        /// Only those after this number.
        after: Option<u64>,
    },
    /// Removes all mail of an account in the bin for good.
    RemovedPurge {
        /// Its number.
        number: u64,
    },
    /// The app passwords of an account.
    AppPasswords {
        /// Its address or an alias.
        account: String,
    },
    /// The salt with which keys for a name's passwords are made.
    Salt {
        /// The account's address.
        account: String,
    },
    /// One page of the login log, the newest first.
    Logins {
        /// Only those older than this one: `next` of the page before.
        before: Option<u64>,
        /// Only those that it lets through.
        #[serde(default)]
        filter: LoginFilter,
    },
    /// One page of the mail log, the oldest first.
    Trace {
        /// Only those newer than this one: `next` of the page before.
        after: Option<u64>,
        /// Only those that it lets through.
        #[serde(default)]
        filter: TraceFilter,
    },
    /// Which files a copy of the store needs.
    Files,
    /// Compaction is begun, looked at or steered.
    Compact(CompactAct),
    /// The store, and the server when one runs.
    Status,
    /// Mail in bulk.
    Bulk(bulk::Ask),
}

/// Kinds of things in the directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// Enterprises.
    Tenant,
    /// Domains whose mail is received here.
    Domain,
    /// Persons' mailboxes.
    Member,
    /// Shared mailboxes.
    Business,
    /// Further addresses of members.
    MemberAlias,
    /// Further addresses of business mailboxes.
    BusinessAlias,
    /// Distribution lists.
    Group,
    /// Signing keys of domains.
    Key,
    /// Rules of the mail flow.
    Rule,
}

/// One answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "answer", rename_all = "snake_case")]
pub enum Response {
    /// To `Change`: for each change, in order, `null` or why not.
    Changed {
        /// As many as there were changes.
        results: Vec<Option<Failure>>,
    },
    /// To `List`, `QueueList`, `Usage`, `RemovedList`, `AppPasswords`, `Logins` and `Trace`.
    Listed {
        /// The page.
        rows: Vec<View>,
        /// What to ask `after` for the next page; `None`: this was the last.
        next: Option<String>,
    },
    /// To `Show` and `QueueShow`.
    Shown {
        /// It.
        view: View,
    },
    /// To `Salt`.
    Salt {
        /// In base64.
        salt: String,
    },
    /// To `QueueMessage`: it follows.
    Message {
        /// Bytes of it.
        bytes: u64,
    },
    /// To `QueueAct`.
    Acted {
        /// Messages for which it meant something.
        changed: u64,
    },
    /// To `Files`; the control shard last.
    Files {
        /// One for each shard.
        shards: Vec<ShardFilesRow>,
    },
    /// To `Compact`.
    Compaction {
        /// How far it is.
        status: CompactionView,
    },
    /// To `RemovedPurge`.
    Purged {
        /// Messages that were in it.
        messages: u64,
        /// Bytes of them.
        bytes: u64,
    },
    /// To `Status`.
    Status {
        /// It.
        status: StatusView,
    },
    /// To `Bulk`.
    Bulk(bulk::Answer),
    /// To anything: it was not carried out.
    Failed {
        /// Why.
        failure: Failure,
    },
}

impl Request {
    /// Whether it may begin a store in an empty directory: changes do, looking does not.
    pub fn may_create(&self) -> bool {
        matches!(self, Request::Change { .. })
    }

    /// Bytes that follow the request's line.
    pub fn payload_bytes(&self) -> u64 {
        match self {
            Request::Bulk(ask) => ask.payload_bytes(),
            _ => 0,
        }
    }
}

impl Response {
    /// Bytes that follow the answer's line.
    pub fn payload_bytes(&self) -> u64 {
        match self {
            Response::Bulk(answer) => answer.payload_bytes(),
            Response::Message { bytes } => *bytes,
            _ => 0,
        }
    }
}

/// What a running server adds to its store's answers; a closed directory has none.
pub type ServerFacts<'a> = Option<&'a dyn Fn() -> Facts>;
