//! What stands in a compacted segment: its messages by the places where they stood, found in its blocks, so that nothing depends on the address
//! table; and that table made again from them. Changes nothing.
use super::contents::Contents;
use super::source::Source;
use super::walk::{Frame, Piece, Walk};
use crate::base::{Guid, Locator, Lsn, SegmentId};
use crate::format::addresses::{self, Address, AddressTable, OWN_FRAME};
use crate::format::block::Block;
use crate::format::frame::{FRAME_ALIGN, FRAME_FLAG_GROUP_END, FRAME_HEADER_BYTES};
use crate::format::segment::SEGMENT_HEADER_BYTES;
use crate::format::{FrameHeader, FrameKind, SegmentHeader};
use std::collections::BTreeMap;
use std::ops::Range;

/// Where a message of a block stood and where it stands, by which it is known.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub(super) address: Address,
    pub(super) guid: Guid,
    pub(super) size_bytes: u32,
}

/// The contents of one compacted segment.
#[derive(Debug, Default)]
pub(super) struct Cold {
    first: SegmentId,
    starts: Vec<u64>,
    /// By where they stood.
    messages: BTreeMap<u64, Held>,
    /// Dictionaries, by the offset of their frames in the file.
    own: BTreeMap<u32, Address>,
    /// What the address table says of blocks that may be gone.
    addressed: Vec<Address>,
}

impl Cold {
    /// Reads the segment's frames before `end`, over damage.
    pub(super) fn load(source: &mut Source, contents: &Contents, header: &SegmentHeader, end: u64) -> Cold {
        let covered = header.covers.map_or(1, |covers| covers.segments);
        let mut cold = Cold { first: header.segment, ..Cold::default() };
        let mut at = SEGMENT_HEADER_BYTES as u64;
        while let Some(piece) = Walk::plain(source, contents, *header, at..end).next() {
            match piece {
                Piece::Frame(frame) if frame.header.kind == FrameKind::Footer => break,
                Piece::Frame(frame) => {
                    at = frame.end();
                    if frame.whole {
                        cold.frame(&frame, covered);
                    }
                }
                Piece::Gap { range, .. } | Piece::Trailer { range, .. } => at = range.end,
            }
        }
        if cold.starts.is_empty() && covered == 1 {
            cold.starts.push(0);
        }
        cold
    }

    fn frame(&mut self, frame: &Frame, covered: u32) {
        let offset = frame.offset as u32;
        match frame.header.kind {
            FrameKind::Block => {
                let Ok(block) = Block::decode(&frame.payload) else { return };
                for (index, row) in block.rows.iter().enumerate() {
                    let from_start = u64::from(row.stood) * FRAME_ALIGN as u64;
                    let address = Address { from_start, offset, index: index as u32 };
                    self.messages.insert(from_start, Held { address, guid: row.guid, size_bytes: row.size_bytes });
                }
            }
            FrameKind::Addresses => {
                let Ok(table) = AddressTable::decode(&frame.payload) else { return };
                if table.starts.len() != covered as usize {
                    return;
                }
                for address in table.iter(&frame.payload) {
                    match address.index {
                        OWN_FRAME => drop(self.own.insert(address.offset, address)),
                        _ => self.addressed.push(address),
                    }
                }
                self.starts = table.starts;
            }
            _ => {}
        }
    }

    /// Bytes from the first covered segment's start to `at`.
    fn bytes_from_start(&self, at: Locator) -> Option<u64> {
        let number = at.segment.0.checked_sub(self.first.0)? as usize;
        Some(self.starts.get(number)? + u64::from(at.offset))
    }

    fn locator(&self, from_start: u64) -> Option<Locator> {
        let number = self.starts.partition_point(|start| *start <= from_start).checked_sub(1)?;
        let offset = u32::try_from(from_start - self.starts[number]).ok()?;
        Some(Locator { segment: SegmentId(self.first.0 + number as u32), offset })
    }

    /// The message that stood at `at`.
    pub(super) fn find(&self, at: Locator) -> Option<Held> {
        self.messages.get(&self.bytes_from_start(at)?).copied()
    }

    /// Where the messages of the block at an offset of the file stood, in its order.
    pub(super) fn places(&self, block: &Block) -> Vec<Option<Locator>> {
        block.rows.iter().map(|row| self.locator(u64::from(row.stood) * FRAME_ALIGN as u64)).collect()
    }

    /// Where a dictionary's frame stood.
    pub(super) fn dictionary(&self, offset: u64) -> Option<Locator> {
        self.locator(self.own.get(&u32::try_from(offset).ok()?)?.from_start)
    }

    /// Where the messages stood that the address table has in a range of the file.
    pub(super) fn gone(&self, range: &Range<u64>) -> Vec<Locator> {
        let inside = self.addressed.iter().filter(|address| range.contains(&u64::from(address.offset)));
        inside.filter_map(|address| self.locator(address.from_start)).collect()
    }

    /// The last address table's frame at an offset of the file, of `len` bytes of payload or as many as it takes.
    pub(super) fn table(
        &self,
        header: &SegmentHeader,
        offset: u64,
        len: Option<usize>,
    ) -> Option<(FrameHeader, Vec<u8>)> {
        if self.starts.is_empty() {
            return None;
        }
        let mut all: Vec<Address> = self.messages.values().map(|held| held.address).collect();
        all.extend(self.own.values());
        all.sort_unstable();
        let mut payload = Vec::new();
        addresses::encode(&self.starts, &all, &mut payload);
        if let Some(len) = len {
            if len < payload.len() {
                return None;
            }
            // Zeros may follow the rows.
            payload.resize(len, 0);
        }
        let header = FrameHeader {
            kind: FrameKind::Addresses,
            flags: FRAME_FLAG_GROUP_END,
            dictionary: 0,
            payload_len: payload.len() as u32,
            payload_crc: crc32fast::hash(&payload),
            lsn: Lsn(header.first_lsn.0 + offset),
            group_back: 0,
        };
        Some((header, payload))
    }

    /// The frame at `offset` when it has to be `frame_bytes` long; `None` when what is known does not fill it exactly.
    pub(super) fn table_of(
        &self,
        header: &SegmentHeader,
        offset: u64,
        frame_bytes: u64,
    ) -> Option<(FrameHeader, Vec<u8>)> {
        let (made, payload) = self.table(header, offset, None)?;
        let room = frame_bytes.checked_sub(FRAME_HEADER_BYTES as u64)?;
        (made.frame_bytes() as u64 == frame_bytes && payload.len() as u64 <= room).then_some((made, payload))
    }
}
