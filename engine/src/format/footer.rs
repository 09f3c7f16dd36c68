//! How the footer of a sealed segment lies in bytes: counts, a hash over all frames, and the table of frames. Builds it frame by frame.
use super::frame::{FRAME_ALIGN, FrameHeader, FrameKind};
use super::segment::SEGMENT_HEADER_BYTES;
use crate::base::bytes::{DecodeError, Put, Reader};

/// Bytes before the frame table.
pub const FOOTER_FIXED_BYTES: usize = 72;
/// Hash kind: CRC-32 over the frames' header crcs, in the first four bytes of the hash field.
pub const HASH_CRC_OF_CRCS: u8 = 1;

/// Offsets in the footer's payload.
pub mod at {
    /// Message frames, 4 bytes.
    pub const MESSAGES: usize = 0;
    /// Event frames, 4 bytes.
    pub const EVENTS: usize = 4;
    /// Dictionary frames, 4 bytes.
    pub const DICTIONARIES: usize = 8;
    /// Which hash the hash field holds, 1 byte.
    pub const HASH_KIND: usize = 12;
    /// Zero, 3 bytes.
    pub const RESERVED: usize = 13;
    /// Payload bytes of all message frames, 8 bytes.
    pub const MESSAGE_BYTES: usize = 16;
    /// Payload bytes of all event frames, 8 bytes.
    pub const EVENT_BYTES: usize = 24;
    /// Hash over all frames, 32 bytes.
    pub const HASH: usize = 32;
    /// Bytes of the frame table, 8 bytes.
    pub const TABLE_LEN: usize = 64;
    /// The frame table.
    pub const TABLE: usize = 72;
}

/// A sealed segment's footer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Footer {
    /// Message frames.
    pub messages: u32,
    /// Event frames.
    pub events: u32,
    /// Dictionary frames.
    pub dictionaries: u32,
    /// Payload bytes of the message frames, as stored.
    pub message_bytes: u64,
    /// Payload bytes of the event frames.
    pub event_bytes: u64,
    /// CRC-32 over the header crcs of all frames, in order.
    pub crc_of_crcs: u32,
    /// Where the frames are.
    pub table: FrameTable,
}

/// Offset and kind of every frame, in order; each entry is `varint(delta / 8 << 3 | kind)`, the first delta counting from the header's end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameTable(Vec<u8>);

impl FrameTable {
    /// Every frame's offset in the file and its kind. Stops at the first entry that makes no sense, which only an unchecked table has.
    pub fn iter(&self) -> impl Iterator<Item = (u32, FrameKind)> + '_ {
        let mut reader = Reader::new(&self.0);
        let mut at = SEGMENT_HEADER_BYTES as u64;
        std::iter::from_fn(move || if reader.is_empty() { None } else { next_entry(&mut reader, &mut at).ok() })
    }
}

fn next_entry(reader: &mut Reader<'_>, at: &mut u64) -> Result<(u32, FrameKind), DecodeError> {
    let entry = reader.varint()?;
    let delta = (entry >> 3).checked_mul(FRAME_ALIGN as u64);
    let offset = delta.and_then(|delta| at.checked_add(delta)).and_then(|offset| u32::try_from(offset).ok());
    match (offset, FrameKind::from_u8((entry & 7) as u8)) {
        (Some(offset), Some(kind)) => {
            *at = u64::from(offset);
            Ok((offset, kind))
        }
        _ => reader.error("a frame table entry expected"),
    }
}

impl Footer {
    /// Reads a footer frame's payload; the table is checked whole and agrees with the counts.
    pub fn decode(payload: &[u8]) -> Result<Footer, DecodeError> {
        let mut reader = Reader::new(payload);
        let (messages, events, dictionaries) = (reader.u32()?, reader.u32()?, reader.u32()?);
        let hash_kind = reader.u8()?;
        reader.take(3)?;
        let (message_bytes, event_bytes) = (reader.u64()?, reader.u64()?);
        let hash: [u8; 32] = reader.array()?;
        if hash_kind != HASH_CRC_OF_CRCS {
            return Err(DecodeError { at: at::HASH_KIND, what: "hash kind 1 expected" });
        }
        let crc_of_crcs = Reader::new(&hash).u32()?;
        let table_len = reader.u64()?;
        if table_len > reader.remaining() as u64 {
            return Err(DecodeError { at: at::TABLE_LEN, what: "a frame table within the footer expected" });
        }
        let table = reader.take(table_len as usize)?;
        // Repair keeps a segment's length when it cannot know how many frames there were.
        if reader.take(reader.remaining())?.iter().any(|byte| *byte != 0) {
            return Err(DecodeError { at: at::TABLE, what: "zeros behind the frame table expected" });
        }
        let mut entries = Reader::new(table);
        let (mut offset, mut counts) = (SEGMENT_HEADER_BYTES as u64, [0u32; FrameKind::Addresses as usize + 1]);
        while !entries.is_empty() {
            let (_, kind) = next_entry(&mut entries, &mut offset)?;
            counts[kind as usize] += 1;
        }
        if counts[1..FrameKind::Part as usize] != [messages, events, 0, dictionaries] {
            return Err(DecodeError { at: at::TABLE, what: "as many frames in the table as counted expected" });
        }
        let table = FrameTable(table.to_vec());
        Ok(Footer { messages, events, dictionaries, message_bytes, event_bytes, crc_of_crcs, table })
    }

    /// The footer as a frame's payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(FOOTER_FIXED_BYTES + self.table.0.len());
        out.put_u32(self.messages);
        out.put_u32(self.events);
        out.put_u32(self.dictionaries);
        out.put(&[HASH_CRC_OF_CRCS, 0, 0, 0]);
        out.put_u64(self.message_bytes);
        out.put_u64(self.event_bytes);
        out.put_u32(self.crc_of_crcs);
        out.put(&[0; 28]);
        out.put_u64(self.table.0.len() as u64);
        out.put(&self.table.0);
        out
    }
}

/// Gathers a footer while frames are written or scanned.
#[derive(Clone, Debug)]
pub struct TableBuilder {
    footer: Footer,
    last_offset: u32,
    hasher: crc32fast::Hasher,
}

impl Default for TableBuilder {
    fn default() -> TableBuilder {
        let table = FrameTable::default();
        TableBuilder {
            footer: Footer {
                messages: 0,
                events: 0,
                dictionaries: 0,
                message_bytes: 0,
                event_bytes: 0,
                crc_of_crcs: 0,
                table,
            },
            last_offset: SEGMENT_HEADER_BYTES as u32,
            hasher: crc32fast::Hasher::new(),
        }
    }
}

impl TableBuilder {
    /// Adds the frame whose header stands at `offset` with the crc `header_crc`. Frames come in order of their offsets.
    pub fn add(&mut self, offset: u32, header: &FrameHeader, header_crc: u32) {
        assert!(offset >= self.last_offset, "frames are added in order");
        let bytes = u64::from(header.payload_len);
        match header.kind {
            FrameKind::Message => {
                (self.footer.messages, self.footer.message_bytes) =
                    (self.footer.messages + 1, self.footer.message_bytes + bytes)
            }
            FrameKind::Events => {
                (self.footer.events, self.footer.event_bytes) =
                    (self.footer.events + 1, self.footer.event_bytes + bytes)
            }
            FrameKind::Dictionary => self.footer.dictionaries += 1,
            FrameKind::Part | FrameKind::Block | FrameKind::Addresses => {}
            FrameKind::Footer => return,
        }
        let delta = u64::from(offset - self.last_offset) / FRAME_ALIGN as u64;
        self.footer.table.0.put_varint(delta << 3 | header.kind as u64);
        self.hasher.update(&header_crc.to_le_bytes());
        self.last_offset = offset;
    }

    /// Where the frames added so far are.
    pub fn table(&self) -> &FrameTable {
        &self.footer.table
    }

    /// The footer over all frames added.
    pub fn footer(&self) -> Footer {
        Footer { crc_of_crcs: self.hasher.clone().finalize(), ..self.footer.clone() }
    }
}
