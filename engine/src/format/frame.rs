//! How a frame's header lies in 32 bytes and when one is believed. Knows nothing of files, groups in flight, or what a payload means.
use crate::base::bytes::{DecodeError, Reader};
use crate::base::{Lsn, limits};

/// "PHF1" at the start of every frame header.
pub const FRAME_MAGIC: [u8; 4] = *b"PHF1";
/// Bytes of a frame header.
pub const FRAME_HEADER_BYTES: usize = 32;
/// Frames begin at multiples of this; the padding between is zero.
pub const FRAME_ALIGN: usize = 8;
/// Flag: the payload's body is a zstd frame.
pub const FRAME_FLAG_ZSTD: u8 = 1;
/// Flag: the summary of a message's payload is a zstd frame.
pub const FRAME_FLAG_SUMMARY_ZSTD: u8 = 4;
/// Flag: a recipe stands before the body of a message's payload: its base64 parts are stored decoded.
pub const FRAME_FLAG_RECIPE: u8 = 8;
/// Flag: the frame ends its group. The writer sets it at the commit; a group without it was never committed.
pub const FRAME_FLAG_GROUP_END: u8 = 2;

/// Offsets in the frame header, in the order of docs/format.md.
pub mod at {
    /// Magic.
    pub const MAGIC: usize = 0;
    /// Kind, 1 byte.
    pub const KIND: usize = 4;
    /// Flags, 1 byte.
    pub const FLAGS: usize = 5;
    /// Dictionary, 2 bytes.
    pub const DICTIONARY: usize = 6;
    /// Payload length, 4 bytes.
    pub const PAYLOAD_LEN: usize = 8;
    /// CRC-32 of the payload, 4 bytes.
    pub const PAYLOAD_CRC: usize = 12;
    /// Log position of the header, 8 bytes.
    pub const LSN: usize = 16;
    /// Bytes back to the group's first header, 4 bytes.
    pub const GROUP_BACK: usize = 24;
    /// CRC-32 of the bytes before, begun with the segment's salt, 4 bytes.
    pub const CRC: usize = 28;
}

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
pub enum FrameKind {
    /// One message with its summary.
    Message = 1,
    /// The events of one transaction.
    Events = 2,
    /// The segment's footer.
    Footer = 3,
    /// A zstd dictionary that later frames of the shard refer to.
    Dictionary = 4,
    /// A decoded part that message frames of the same segment refer to.
    Part = 5,
    /// Several messages; only in compacted segments.
    Block = 6,
    /// Where everything stands now; one in each compacted segment.
    Addresses = 7,
}

impl FrameKind {
    /// The kind with this number.
    pub fn from_u8(value: u8) -> Option<FrameKind> {
        match value {
            1 => Some(FrameKind::Message),
            2 => Some(FrameKind::Events),
            3 => Some(FrameKind::Footer),
            4 => Some(FrameKind::Dictionary),
            5 => Some(FrameKind::Part),
            6 => Some(FrameKind::Block),
            7 => Some(FrameKind::Addresses),
            _ => None,
        }
    }
}

/// A frame header's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHeader {
    /// What the payload is.
    pub kind: FrameKind,
    /// `FRAME_FLAG_*`.
    pub flags: u8,
    /// The zstd dictionary of summary and body, 0 for none; of a dictionary frame its own number.
    pub dictionary: u16,
    /// Bytes of the payload, padding not counted.
    pub payload_len: u32,
    /// CRC-32 of the payload.
    pub payload_crc: u32,
    /// The header's own place in the log: catches misdirected and stale writes.
    pub lsn: Lsn,
    /// Bytes back to the first header of the group; all before that was synced when this frame was written.
    pub group_back: u32,
}

impl FrameHeader {
    /// The header as bytes; `salt` is the segment's.
    pub fn encode(&self, salt: u32) -> [u8; FRAME_HEADER_BYTES] {
        let mut bytes = [0; FRAME_HEADER_BYTES];
        bytes[at::MAGIC..at::KIND].copy_from_slice(&FRAME_MAGIC);
        bytes[at::KIND] = self.kind as u8;
        bytes[at::FLAGS] = self.flags;
        bytes[at::DICTIONARY..at::PAYLOAD_LEN].copy_from_slice(&self.dictionary.to_le_bytes());
        bytes[at::PAYLOAD_LEN..at::PAYLOAD_CRC].copy_from_slice(&self.payload_len.to_le_bytes());
        bytes[at::PAYLOAD_CRC..at::LSN].copy_from_slice(&self.payload_crc.to_le_bytes());
        bytes[at::LSN..at::GROUP_BACK].copy_from_slice(&self.lsn.0.to_le_bytes());
        bytes[at::GROUP_BACK..at::CRC].copy_from_slice(&self.group_back.to_le_bytes());
        let crc = salted_crc(salt, &bytes[..at::CRC]);
        bytes[at::CRC..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the header at the front of `bytes`, which may be longer, and believes it only if its crc under `salt` is right.
    pub fn decode(bytes: &[u8], salt: u32) -> Result<FrameHeader, DecodeError> {
        let mut reader = Reader::new(bytes);
        if reader.array()? != FRAME_MAGIC {
            return Err(DecodeError { at: at::MAGIC, what: "a frame header's magic expected" });
        }
        let (kind, flags, dictionary) = (reader.u8()?, reader.u8()?, reader.u16()?);
        let (payload_len, payload_crc) = (reader.u32()?, reader.u32()?);
        let (lsn, group_back, crc) = (Lsn(reader.u64()?), reader.u32()?, reader.u32()?);
        if crc != salted_crc(salt, &bytes[..at::CRC]) {
            return Err(DecodeError { at: at::CRC, what: "the frame header's crc expected" });
        }
        let Some(kind) = FrameKind::from_u8(kind) else {
            return Err(DecodeError { at: at::KIND, what: "a frame kind of 1 to 7 expected" });
        };
        const KNOWN: u8 = FRAME_FLAG_ZSTD | FRAME_FLAG_SUMMARY_ZSTD | FRAME_FLAG_RECIPE | FRAME_FLAG_GROUP_END;
        if flags & !KNOWN != 0 {
            return Err(DecodeError { at: at::FLAGS, what: "frame flags of this format version expected" });
        }
        if payload_len as usize > limits::FRAME_PAYLOAD_BYTES_MAX {
            return Err(DecodeError { at: at::PAYLOAD_LEN, what: "a payload within FRAME_PAYLOAD_BYTES_MAX expected" });
        }
        Ok(FrameHeader { kind, flags, dictionary, payload_len, payload_crc, lsn, group_back })
    }

    /// Bytes of the whole frame: header, payload, padding.
    pub fn frame_bytes(&self) -> usize {
        frame_bytes(self.payload_len as usize)
    }

    /// Whether the payload's body is a zstd frame.
    pub fn is_zstd(&self) -> bool {
        self.flags & FRAME_FLAG_ZSTD != 0
    }

    /// Whether the frame is the last of its group.
    pub fn ends_group(&self) -> bool {
        self.flags & FRAME_FLAG_GROUP_END != 0
    }
}

/// Bytes of a whole frame whose payload has `payload_len` bytes.
pub fn frame_bytes(payload_len: usize) -> usize {
    (FRAME_HEADER_BYTES + payload_len).next_multiple_of(FRAME_ALIGN)
}

/// CRC-32 (IEEE) of `bytes` begun with the segment's salt: bytes that a sender put into a mail never look like a header of this segment.
pub fn salted_crc(salt: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(salt);
    hasher.update(bytes);
    hasher.finalize()
}

/// A frame whose payload is borrowed.
#[derive(Clone, Copy, Debug)]
pub struct FrameRef<'a> {
    /// The checked header.
    pub header: FrameHeader,
    /// The payload without padding.
    pub payload: &'a [u8],
}

impl FrameRef<'_> {
    /// Whether the payload is what was written.
    pub fn payload_is_whole(&self) -> bool {
        self.payload.len() == self.header.payload_len as usize
            && crc32fast::hash(self.payload) == self.header.payload_crc
    }
}
