//! What a repair does, one step after the other, in words that stand before it is done. Carries nothing out.
use crate::rescue::finding::Who;
use std::fmt;

/// What sort of step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Act {
    /// STORE is written anew.
    Store,
    /// Bytes of a segment are put right, proven by their crcs: nothing is lost.
    Mend,
    /// Bytes that cannot be put right are cut out; zeros that say so stand in their place.
    Cut,
    /// A segment that is missing is made, empty.
    Make,
    /// A file goes to its place.
    Place,
    /// A file that is nobody's goes to lost+found/.
    Aside,
    /// A torn end of a log is cut, as every start does it.
    Torn,
    /// What the log lost is put back from the checkpoint.
    Restore,
    /// Counters are raised, so that no uid or modseq that was given out is given out again.
    Raise,
    /// An entry whose message is gone is removed.
    Remove,
    /// A queue item is removed, put back or held.
    Queue,
    /// Accounts of the directory are put back or made up.
    Directory,
    /// The index parts of a shard are made anew.
    Rebuild,
}

impl Act {
    /// The name for scripts.
    pub fn name(self) -> &'static str {
        match self {
            Act::Store => "store",
            Act::Mend => "mend",
            Act::Cut => "cut",
            Act::Make => "make",
            Act::Place => "place",
            Act::Aside => "aside",
            Act::Torn => "torn",
            Act::Restore => "restore",
            Act::Raise => "raise",
            Act::Remove => "remove",
            Act::Queue => "queue",
            Act::Directory => "directory",
            Act::Rebuild => "rebuild",
        }
    }

    /// Whether something is lost by what made this step needed.
    pub fn is_loss(self) -> bool {
        matches!(self, Act::Cut | Act::Make | Act::Remove)
    }
}

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// What sort.
    pub act: Act,
    /// The file or directory, as shown to a person.
    pub file: String,
    /// Bytes from the file's start.
    pub offset: Option<u64>,
    /// Bytes concerned.
    pub bytes: Option<u64>,
    /// What is wrong and what is done about it.
    pub what: String,
    /// For whom.
    pub who: Option<Who>,
}

impl Step {
    pub(super) fn new(act: Act, file: impl Into<String>, what: impl Into<String>) -> Step {
        Step { act, file: file.into(), offset: None, bytes: None, what: what.into(), who: None }
    }

    pub(super) fn range(self, range: &std::ops::Range<u64>) -> Step {
        Step { offset: Some(range.start), bytes: Some(range.end - range.start), ..self }
    }

    pub(super) fn of(self, who: Who) -> Step {
        Step { who: Some(who), ..self }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.act.name(), self.file)?;
        if let (Some(offset), Some(bytes)) = (self.offset, self.bytes) {
            write!(f, " at byte {offset} ({bytes} bytes)")?;
        }
        write!(f, ": {}", self.what)?;
        match &self.who {
            Some(who) => write!(f, " [{who}]"),
            None => Ok(()),
        }
    }
}
