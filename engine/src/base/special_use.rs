//! The special uses of mailboxes (RFC 6154) and their codes on disk.
use super::bytes::{DecodeError, Reader};

/// RFC 6154 special-use of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SpecialUse {
    /// `\Archive`
    Archive,
    /// `\Drafts`
    Drafts,
    /// `\Junk`
    Junk,
    /// `\Sent`
    Sent,
    /// `\Trash`
    Trash,
}

impl SpecialUse {
    /// All of them, in the order of their codes.
    pub const ALL: [SpecialUse; 5] =
        [SpecialUse::Archive, SpecialUse::Drafts, SpecialUse::Junk, SpecialUse::Sent, SpecialUse::Trash];

    /// The attribute in a LIST reply.
    pub fn attribute(self) -> &'static str {
        match self {
            SpecialUse::Archive => "\\Archive",
            SpecialUse::Drafts => "\\Drafts",
            SpecialUse::Junk => "\\Junk",
            SpecialUse::Sent => "\\Sent",
            SpecialUse::Trash => "\\Trash",
        }
    }

    /// The code in events and index parts: 1 to 5, 0 stands for none.
    pub fn code(use_: Option<SpecialUse>) -> u8 {
        match use_ {
            None => 0,
            Some(SpecialUse::Archive) => 1,
            Some(SpecialUse::Drafts) => 2,
            Some(SpecialUse::Junk) => 3,
            Some(SpecialUse::Sent) => 4,
            Some(SpecialUse::Trash) => 5,
        }
    }

    /// Reads a code back.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Option<SpecialUse>, DecodeError> {
        match reader.u8()? {
            0 => Ok(None),
            code => match SpecialUse::ALL.get(usize::from(code) - 1) {
                Some(special_use) => Ok(Some(*special_use)),
                None => reader.error("a special use of 0 to 5 expected"),
            },
        }
    }
}
