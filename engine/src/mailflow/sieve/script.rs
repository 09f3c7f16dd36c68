//! A script whose every name means something. No behaviour.
use super::matching::Matching;

/// A script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script {
    pub(super) block: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    /// Conditions with their blocks in order; the last may be without one.
    If(Vec<(Option<Test>, Vec<Node>)>),
    Stop,
    Act(Act),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Act {
    Keep { flags: Option<Vec<String>> },
    Discard,
    FileInto { mailbox: String, copy: bool, create: bool, flags: Option<Vec<String>> },
    Redirect { to: String, copy: bool },
    Reject(Refused),
    Vacation(Vacation),
    SetFlag(Vec<String>),
    AddFlag(Vec<String>),
    RemoveFlag(Vec<String>),
}

/// A refusal by a script (RFC 5429).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// What the sender is to read.
    pub words: String,
    /// They may go by mail where no reply can carry them: `reject`, and not `ereject`.
    pub by_mail: bool,
}

/// An answer that a script gives (RFC 5230).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Vacation {
    /// One sender is answered once in so many days.
    pub days: u32,
    /// The subject; empty: that of the message, behind `Auto: `.
    pub subject: String,
    /// The member's other addresses.
    pub addresses: Vec<String>,
    /// What makes it another answer; empty: its words do.
    pub handle: String,
    /// Whom it is from, if the member may write as that; else the member itself.
    pub from: Option<String>,
    /// The answer is a MIME entity with its header.
    pub mime: bool,
    /// The answer.
    pub reason: String,
}

/// A part of an address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    All,
    Local,
    Domain,
    /// RFC 5233: the local part before the tag.
    User,
    /// The tag; no value where there is none.
    Detail,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Test {
    AllOf(Vec<Test>),
    AnyOf(Vec<Test>),
    Not(Box<Test>),
    Always(bool),
    Exists(Vec<String>),
    Size { over: bool, limit: u64 },
    Header { names: Vec<String>, keys: Vec<String>, matching: Matching },
    Address { part: Part, names: Vec<String>, keys: Vec<String>, matching: Matching },
    Envelope { part: Part, names: Vec<String>, keys: Vec<String>, matching: Matching },
    HasFlag { keys: Vec<String>, matching: Matching },
    MailboxExists(Vec<String>),
}
