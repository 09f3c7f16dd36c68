//! System flags as bits and keywords as bits of a mailbox's keyword table (RFC 3501 section 2.3.2). \Recent is a session's, not an entry's.
use super::bytes::{DecodeError, Reader};

/// The system flags of an entry.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Flags(pub u16);

impl Flags {
    /// No flag.
    pub const NONE: Flags = Flags(0);
    /// `\Seen`
    pub const SEEN: Flags = Flags(1);
    /// `\Answered`
    pub const ANSWERED: Flags = Flags(2);
    /// `\Flagged`
    pub const FLAGGED: Flags = Flags(4);
    /// `\Deleted`
    pub const DELETED: Flags = Flags(8);
    /// `\Draft`
    pub const DRAFT: Flags = Flags(16);
    /// Each flag with its name on the wire.
    pub const NAMES: [(Flags, &'static str); 5] = [
        (Flags::ANSWERED, "\\Answered"),
        (Flags::FLAGGED, "\\Flagged"),
        (Flags::DELETED, "\\Deleted"),
        (Flags::SEEN, "\\Seen"),
        (Flags::DRAFT, "\\Draft"),
    ];

    /// Whether all flags of `other` are set.
    pub fn contains(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }

    /// Both sets together.
    pub fn union(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// The flags that are not in `other`.
    pub fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }
}

/// The keywords of an entry: bit `i` is the mailbox's keyword `i`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Keywords(pub u64);

impl Keywords {
    /// The server's own mark of a message that POP3 has fetched and that is to go in time; a keyword, so that it lasts. Clients cannot set it.
    pub const POP3_FETCHED: &str = "$POP3Fetched";
}

/// What STORE does with the flags it names (RFC 3501 section 6.4.6).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FlagMode {
    /// `FLAGS`
    Replace,
    /// `+FLAGS`
    Add,
    /// `-FLAGS`
    Remove,
}

impl FlagMode {
    /// The flags and keywords after the change.
    pub fn apply(self, old: (Flags, Keywords), named: (Flags, Keywords)) -> (Flags, Keywords) {
        match self {
            FlagMode::Replace => named,
            FlagMode::Add => (old.0.union(named.0), Keywords(old.1.0 | named.1.0)),
            FlagMode::Remove => (old.0.without(named.0), Keywords(old.1.0 & !named.1.0)),
        }
    }

    /// The code in events.
    pub fn code(self) -> u8 {
        match self {
            FlagMode::Replace => 0,
            FlagMode::Add => 1,
            FlagMode::Remove => 2,
        }
    }

    /// Reads a code back.
    pub fn decode(reader: &mut Reader<'_>) -> Result<FlagMode, DecodeError> {
        match reader.u8()? {
            0 => Ok(FlagMode::Replace),
            1 => Ok(FlagMode::Add),
            2 => Ok(FlagMode::Remove),
            _ => reader.error("a flag mode of 0 to 2 expected"),
        }
    }
}
