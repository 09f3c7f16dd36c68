//! How a segment's header (64 bytes) and the trailer of a sealed one (16 bytes) lie in bytes. Knows nothing of what is between.
use super::frame::salted_crc;
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{Lsn, SegmentId, ShardId};

/// The first bytes of every segment.
pub const SEGMENT_MAGIC: [u8; 8] = *b"PHSEG\0\0\x01";
/// Bytes of the segment header; the first frame begins here.
pub const SEGMENT_HEADER_BYTES: usize = 64;
/// The format version that this code writes; it reads all before.
pub const SEGMENT_VERSION: u16 = 2;
/// The last-but-crc bytes of every sealed segment.
pub const TRAILER_MAGIC: [u8; 8] = *b"PHSEALED";
/// Bytes of the trailer.
pub const TRAILER_BYTES: usize = 16;

/// Offsets in the segment header, in the order of docs/format.md.
pub mod at {
    /// Magic, 8 bytes.
    pub const MAGIC: usize = 0;
    /// Format version, 2 bytes.
    pub const VERSION: usize = 8;
    /// Lowest version whose reader understands the file, 2 bytes.
    pub const READER_VERSION: usize = 10;
    /// Shard, 2 bytes.
    pub const SHARD: usize = 12;
    /// Zero, 2 bytes.
    pub const RESERVED_1: usize = 14;
    /// Epoch, 8 bytes.
    pub const EPOCH: usize = 16;
    /// Log position of the file's first byte, 8 bytes.
    pub const FIRST_LSN: usize = 24;
    /// When the file was made, milliseconds since 1970, 8 bytes.
    pub const CREATED_MS: usize = 32;
    /// Segment id, 4 bytes.
    pub const SEGMENT: usize = 40;
    /// Salt of the crcs of frame headers, footer trailer, 4 bytes.
    pub const SALT: usize = 44;
    /// Segments of the log that a compacted one stands for, its own included, 4 bytes; zero for others.
    pub const COVERED_SEGMENTS: usize = 48;
    /// Bytes of the log that a compacted one stands for, 8 bytes; zero for others.
    pub const COVERED_BYTES: usize = 52;
    /// CRC-32 of the bytes before, 4 bytes.
    pub const CRC: usize = 60;
}

/// Offsets in the trailer.
pub mod trailer_at {
    /// Offset of the footer frame in the file, 4 bytes.
    pub const FOOTER_OFFSET: usize = 0;
    /// Magic, 8 bytes.
    pub const MAGIC: usize = 4;
    /// CRC-32 of the bytes before, begun with the segment's salt, 4 bytes.
    pub const CRC: usize = 12;
}

/// What part of the log a compacted segment stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Covers {
    /// Segments, its own number being the first.
    pub segments: u32,
    /// Bytes of the log from its first one on.
    pub bytes: u64,
}

/// A segment header's fields.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentHeader {
    /// The format version of what stands in the file: a writer does not append to a file of an older one.
    pub version: u16,
    /// The shard whose log this is a part of.
    pub shard: ShardId,
    /// Grows with every change of the shard's owner.
    pub epoch: u64,
    /// The file's own number.
    pub segment: SegmentId,
    /// Log position of the file's first byte (the header counts).
    pub first_lsn: Lsn,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_ms: i64,
    /// Not to be guessed by senders of mail; begins the crc of every frame header of the file.
    pub salt: u32,
    /// Set in compacted segments.
    pub covers: Option<Covers>,
}

impl SegmentHeader {
    /// The last segment number that the file stands for.
    pub fn last_segment(&self) -> SegmentId {
        SegmentId(self.segment.0 + self.covers.map_or(0, |covers| covers.segments - 1))
    }

    /// The header as bytes.
    pub fn encode(&self) -> [u8; SEGMENT_HEADER_BYTES] {
        let mut out = Vec::with_capacity(SEGMENT_HEADER_BYTES);
        out.put(&SEGMENT_MAGIC);
        // So far each version holds what the reader before would misunderstand, so both fields are the same.
        out.put_u16(self.version);
        out.put_u16(self.version);
        out.put_u16(self.shard.0);
        out.put_u16(0);
        out.put_u64(self.epoch);
        out.put_u64(self.first_lsn.0);
        out.put_i64(self.created_ms);
        out.put_u32(self.segment.0);
        out.put_u32(self.salt);
        out.put_u32(self.covers.map_or(0, |covers| covers.segments));
        out.put_u64(self.covers.map_or(0, |covers| covers.bytes));
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        bytes[..at::CRC].copy_from_slice(&out);
        bytes[at::CRC..].copy_from_slice(&crc32fast::hash(&out).to_le_bytes());
        bytes
    }

    /// Reads the header at the front of `bytes`. Refuses files that need a newer reader.
    pub fn decode(bytes: &[u8]) -> Result<SegmentHeader, DecodeError> {
        let mut reader = Reader::new(bytes);
        let bytes: [u8; SEGMENT_HEADER_BYTES] = reader.array()?;
        let mut reader = Reader::new(&bytes);
        if reader.array()? != SEGMENT_MAGIC {
            return Err(DecodeError { at: at::MAGIC, what: "a segment header's magic expected" });
        }
        let (version, reader_version, shard, _reserved) = (reader.u16()?, reader.u16()?, reader.u16()?, reader.u16()?);
        let (epoch, first_lsn, created_ms) = (reader.u64()?, reader.u64()?, reader.i64()?);
        let (segment, salt) = (reader.u32()?, reader.u32()?);
        let covers = Covers { segments: reader.u32()?, bytes: reader.u64()? };
        let covers = Some(covers).filter(|covers| covers.segments > 0);
        if reader.u32()? != crc32fast::hash(&bytes[..at::CRC]) {
            return Err(DecodeError { at: at::CRC, what: "the segment header's crc expected" });
        }
        if reader_version > SEGMENT_VERSION {
            return Err(DecodeError {
                at: at::READER_VERSION,
                what: "a segment of format version 1 or 2 expected; this one needs a newer program",
            });
        }
        if covers.is_some_and(|covers| segment.checked_add(covers.segments).is_none()) {
            return Err(DecodeError { at: at::COVERED_SEGMENTS, what: "segment numbers of 32 bits expected" });
        }
        if covers.is_some_and(|covers| covers.bytes >> 32 > u64::from(covers.segments)) {
            return Err(DecodeError { at: at::COVERED_BYTES, what: "segments of at most 4 GiB expected" });
        }
        Ok(SegmentHeader {
            covers,
            version,
            shard: ShardId(shard),
            epoch,
            segment: SegmentId(segment),
            first_lsn: Lsn(first_lsn),
            created_ms,
            salt,
        })
    }
}

/// The last 16 bytes of a sealed segment: where its footer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trailer {
    /// Bytes from the start of the file to the footer's frame header.
    pub footer_offset: u32,
}

impl Trailer {
    /// The trailer as bytes; `salt` is the segment's.
    pub fn encode(&self, salt: u32) -> [u8; TRAILER_BYTES] {
        let mut bytes = [0; TRAILER_BYTES];
        bytes[..trailer_at::MAGIC].copy_from_slice(&self.footer_offset.to_le_bytes());
        bytes[trailer_at::MAGIC..trailer_at::CRC].copy_from_slice(&TRAILER_MAGIC);
        let crc = salted_crc(salt, &bytes[..trailer_at::CRC]);
        bytes[trailer_at::CRC..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// Reads the last bytes of a segment.
    pub fn decode(bytes: &[u8], salt: u32) -> Result<Trailer, DecodeError> {
        let mut reader = Reader::new(bytes);
        let footer_offset = reader.u32()?;
        if reader.array()? != TRAILER_MAGIC {
            return Err(DecodeError { at: trailer_at::MAGIC, what: "a sealed segment's trailer expected" });
        }
        if reader.u32()? != salted_crc(salt, &bytes[..trailer_at::CRC]) {
            return Err(DecodeError { at: trailer_at::CRC, what: "the trailer's crc expected" });
        }
        Ok(Trailer { footer_offset })
    }
}
