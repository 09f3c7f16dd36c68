//! One appearance of a message in a mailbox, and its 64 bytes in an index part. Never changes in place.
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{Flags, Guid, Keywords, Locator, ModSeq, SegmentId, Uid};

/// One appearance of a message in a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Entry {
    /// Its number in the mailbox.
    pub uid: Uid,
    /// RFC822.SIZE in bytes: what the quota is charged and what BODY[] yields.
    pub size_bytes: u32,
    /// The mailbox's counter at the entry's last change.
    pub modseq: ModSeq,
    /// System flags.
    pub flags: Flags,
    /// Bits of the mailbox's keyword table.
    pub keywords: Keywords,
    /// INTERNALDATE, seconds since 1970 UTC.
    pub internal_date: i64,
    /// When it came into this mailbox, seconds since 1970 UTC (RFC 8514).
    pub save_date: u32,
    /// Where the message frame stands.
    pub locator: Locator,
    /// The content's name.
    pub guid: Guid,
}

impl Entry {
    /// Bytes of an encoded entry.
    pub const BYTES: usize = 64;

    /// Appends the 64 bytes of docs/format.md, "Entry".
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32(self.uid.0);
        out.put_u32(self.size_bytes);
        out.put_u64(self.modseq.0);
        out.put_u64(self.keywords.0);
        out.put_i64(self.internal_date);
        out.put_u32(self.save_date);
        out.put_u32(self.locator.segment.0);
        out.put_u32(self.locator.offset);
        out.put_u16(self.flags.0);
        out.put_u16(0);
        out.put(&self.guid.0);
    }

    /// Reads the 64 bytes back.
    pub fn decode(bytes: &[u8]) -> Result<Entry, DecodeError> {
        let mut reader = Reader::new(bytes);
        let (uid, size_bytes) = (Uid(reader.u32()?), reader.u32()?);
        let (modseq, keywords) = (ModSeq(reader.u64()?), Keywords(reader.u64()?));
        let (internal_date, save_date) = (reader.i64()?, reader.u32()?);
        let locator = Locator { segment: SegmentId(reader.u32()?), offset: reader.u32()? };
        let flags = Flags(reader.u16()?);
        reader.u16()?;
        let guid = Guid(reader.array()?);
        Ok(Entry { uid, size_bytes, modseq, flags, keywords, internal_date, save_date, locator, guid })
    }
}
