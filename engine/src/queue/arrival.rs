//! What was known of a message when it came, for those of its copies that wait in the queue on their way to a mailbox here. Judges nothing.
use crate::base::Flags;
use crate::base::bytes::{DecodeError, Put, Reader};

const SUSPICIOUS: u8 = 1;
const ASIDE: u8 = 2;
const MEMBER: u8 = 4;
const FRONT: u8 = 8;

/// Who has brought a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Came {
    /// Another host.
    #[default]
    Outside,
    /// A member who had logged in: the item's account.
    Member,
    /// A mail server in front of this one, which has judged the sender.
    Front,
}

/// A mailbox as it is named before the account is known to have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Folder {
    /// INBOX.
    Inbox,
    /// That for junk.
    Junk,
    /// That of this name.
    Named(String),
}

/// One copy whose place was decided when the message came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placed {
    /// Where it goes.
    pub folder: Folder,
    /// The entry's system flags.
    pub flags: Flags,
    /// The entry's keywords.
    pub keywords: Vec<String>,
}

/// See above.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrival {
    /// Who has brought it.
    pub came: Came,
    /// It is suspicious: Junk is its place, unless who gets it has allowed the sender.
    pub suspicious: bool,
    /// A filter puts it aside: Junk is its place, whoever has allowed the sender.
    pub aside: bool,
    /// What was found out about its sender, as codes of SPF, DKIM, ARC and DMARC.
    pub facts: [u8; 4],
    /// Copies of the item's one recipient whose places are decided: nothing is asked about them again. Empty: none is.
    pub placed: Vec<Placed>,
}

impl Arrival {
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let came = match self.came {
            Came::Outside => 0,
            Came::Member => MEMBER,
            Came::Front => FRONT,
        };
        out.put_u8(came | if self.suspicious { SUSPICIOUS } else { 0 } | if self.aside { ASIDE } else { 0 });
        out.put(&self.facts);
        out.put_varint(self.placed.len() as u64);
        self.placed.iter().for_each(|placed| placed.encode(out));
    }

    pub(super) fn decode(reader: &mut Reader<'_>) -> Result<Arrival, DecodeError> {
        let bits = reader.u8()?;
        let came = match bits & !(SUSPICIOUS | ASIDE) {
            0 => Came::Outside,
            MEMBER => Came::Member,
            FRONT => Came::Front,
            _ => return reader.error("bits of how a message came expected before this byte"),
        };
        Ok(Arrival {
            came,
            suspicious: bits & SUSPICIOUS != 0,
            aside: bits & ASIDE != 0,
            facts: reader.array()?,
            placed: (0..reader.count()?).map(|_| Placed::decode(reader)).collect::<Result<_, _>>()?,
        })
    }
}

impl Placed {
    fn encode(&self, out: &mut Vec<u8>) {
        match &self.folder {
            Folder::Inbox => out.put_u8(0),
            Folder::Junk => out.put_u8(1),
            Folder::Named(name) => {
                out.put_u8(2);
                out.put_str(name);
            }
        }
        out.put_varint(u64::from(self.flags.0));
        out.put_varint(self.keywords.len() as u64);
        self.keywords.iter().for_each(|keyword| out.put_str(keyword));
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Placed, DecodeError> {
        let folder = match reader.u8()? {
            0 => Folder::Inbox,
            1 => Folder::Junk,
            2 => Folder::Named(reader.str()?.to_owned()),
            _ => return reader.error("a folder of 0 to 2 expected before this byte"),
        };
        let Ok(flags) = u16::try_from(reader.varint_u32()?) else {
            return reader.error("flags of at most 16 bits expected before this byte");
        };
        let keywords = (0..reader.count()?).map(|_| Ok(reader.str()?.to_owned())).collect::<Result<_, _>>()?;
        Ok(Placed { folder, flags: Flags(flags), keywords })
    }
}
