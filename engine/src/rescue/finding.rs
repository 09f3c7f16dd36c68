//! What is found in a data directory, in words and for scripts: what, where, and what it means for whom. Judges nothing.
use crate::base::{AccountId, Uid};
use std::fmt;

/// How much a finding matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing is wrong with what was promised to anybody.
    Note,
    /// Stored bytes are not what was written, or contradict each other.
    Damage,
}

/// What sort of thing a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// The file STORE, or the set of shards.
    Store,
    /// A file that is missing, misnamed, unreadable or nobody's.
    File,
    /// A segment's header.
    Header,
    /// A frame's header or payload, or bytes that should be frames.
    Frame,
    /// A group's order or end.
    Group,
    /// Bytes between frames that are not zero.
    Padding,
    /// A sealed segment's footer.
    Footer,
    /// A sealed segment's last bytes.
    Trailer,
    /// The end of a log that a crash interrupted.
    TornTail,
    /// A message's summary or content.
    Message,
    /// Events that cannot be read or that contradict what came before.
    Events,
    /// An entry or a queue item whose message is not there.
    Reference,
    /// A mailbox's or an account's totals.
    Count,
    /// An account's usage.
    Quota,
    /// Uids or modseqs that are out of order or beyond their counters.
    Uid,
    /// A checkpoint: a part, or its state against the log's.
    Checkpoint,
    /// The directory, or an account that it does not know.
    Directory,
}

impl Kind {
    /// The name for scripts.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Store => "store",
            Kind::File => "file",
            Kind::Header => "header",
            Kind::Frame => "frame",
            Kind::Group => "group",
            Kind::Padding => "padding",
            Kind::Footer => "footer",
            Kind::Trailer => "trailer",
            Kind::TornTail => "torn_tail",
            Kind::Message => "message",
            Kind::Events => "events",
            Kind::Reference => "reference",
            Kind::Count => "count",
            Kind::Quota => "quota",
            Kind::Uid => "uid",
            Kind::Checkpoint => "checkpoint",
            Kind::Directory => "directory",
        }
    }
}

/// Whom a finding concerns.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Who {
    /// The account.
    pub account: AccountId,
    /// Its address, if the directory knows it.
    pub address: Option<String>,
    /// The mailbox's name.
    pub mailbox: Option<String>,
    /// The entry.
    pub uid: Option<Uid>,
    /// The message's Message-ID and Subject, if its summary can be read.
    pub message: Option<String>,
}

impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.address {
            Some(address) => write!(f, "{address}")?,
            None => write!(f, "account {}", self.account)?,
        }
        if let Some(mailbox) = &self.mailbox {
            write!(f, " {mailbox:?}")?;
        }
        if let Some(uid) = self.uid {
            write!(f, " uid {uid}")?;
        }
        match &self.message {
            Some(message) => write!(f, " {message}"),
            None => Ok(()),
        }
    }
}

/// One thing that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// How much it matters.
    pub severity: Severity,
    /// About what.
    pub kind: Kind,
    /// The file, as shown to a person.
    pub file: String,
    /// Bytes from the file's start.
    pub offset: Option<u64>,
    /// Bytes concerned.
    pub bytes: Option<u64>,
    /// What was expected, what was found, what it means.
    pub what: String,
    /// Whom it concerns.
    pub who: Option<Who>,
}

impl Finding {
    /// Damage of a file as a whole.
    pub(super) fn damage(kind: Kind, file: impl Into<String>, what: impl Into<String>) -> Finding {
        let (file, what) = (file.into(), what.into());
        Finding { severity: Severity::Damage, kind, file, offset: None, bytes: None, what, who: None }
    }

    /// A note on a file as a whole.
    pub(super) fn note(kind: Kind, file: impl Into<String>, what: impl Into<String>) -> Finding {
        Finding { severity: Severity::Note, ..Finding::damage(kind, file, what) }
    }

    /// The place in the file.
    pub(super) fn at(self, offset: u64) -> Finding {
        Finding { offset: Some(offset), ..self }
    }

    /// The place and the length.
    pub(super) fn range(self, range: &std::ops::Range<u64>) -> Finding {
        Finding { offset: Some(range.start), bytes: Some(range.end - range.start), ..self }
    }

    /// Whom it concerns.
    pub(super) fn of(self, who: Who) -> Finding {
        Finding { who: Some(who), ..self }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(offset) = self.offset {
            write!(f, " at byte {offset}")?;
        }
        if let Some(bytes) = self.bytes {
            write!(f, " ({bytes} bytes)")?;
        }
        write!(f, ": {}", self.what)?;
        match &self.who {
            Some(who) => write!(f, " [{who}]"),
            None => Ok(()),
        }
    }
}

/// What long work says while it runs.
pub enum Told<'a> {
    /// Something was found.
    Finding(&'a Finding),
    /// Bytes done so far, of how many.
    Progress {
        /// So far.
        done_bytes: u64,
        /// In all.
        total_bytes: u64,
    },
}

/// Who listens.
pub type Watch<'a> = &'a mut dyn FnMut(Told<'_>);
