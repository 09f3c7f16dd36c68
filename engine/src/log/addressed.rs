//! Finds what locators mean in a compacted segment: its address table says where a frame or a message of a block stands now. Never writes.
use super::frame::Frame;
use super::segment::{Bytes, Segment};
use super::segments::Segments;
use crate::base::{Error, Locator, Result, SegmentId};
use crate::disk::{Disk, Map};
use crate::format::addresses::{Address, AddressTable, OWN_FRAME};
use crate::format::frame::{FRAME_HEADER_BYTES, FrameHeader, FrameKind};
use std::ops::Range;
use std::sync::{Arc, PoisonError};

/// What a locator leads to.
pub enum Stored {
    /// A frame of its own.
    Frame(Frame),
    /// A message in a block.
    InBlock {
        /// The block.
        block: Frame,
        /// Which of its messages.
        index: u32,
        /// Where its parts stand too.
        file: InFile,
    },
}

/// Log position and payload crc of a block.
pub type BlockName = (u64, u32);

/// Where a message lies, as far as that can be said without a look at it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// In a frame of its own, or nowhere.
    Frame,
    /// In a block: which one, if its header is in memory, and which of its messages.
    InBlock(Option<(BlockName, u32)>),
}

/// The file that a block was read from.
#[derive(Clone)]
pub struct InFile(Arc<Segment>);

impl InFile {
    /// The frame at an offset of that file, its payload proven. Errors as `Segments::read`.
    pub fn frame(&self, segments: &Segments, offset: u32) -> Result<Frame> {
        let frame = self.0.frame(segments.disk(), offset, segments.durable_end())?;
        frame.check()?;
        Ok(frame)
    }
}

/// A compacted segment's address table, read once; its rows are looked up in the map.
pub(super) struct Addressed {
    map: Arc<Map>,
    payload: Range<usize>,
    table: AddressTable,
}

impl Addressed {
    pub(super) fn find(&self, from_start: u64) -> Option<Address> {
        self.table.find(&self.map[self.payload.clone()], from_start)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Address> + '_ {
        self.table.iter(&self.map[self.payload.clone()])
    }

    pub(super) fn starts(&self) -> &[u64] {
        &self.table.starts
    }
}

impl Segment {
    /// The address table of a compacted segment.
    pub(super) fn addressed(&self, disk: &dyn Disk) -> Result<&Addressed> {
        if let Some(addressed) = self.addressed.get() {
            return Ok(addressed);
        }
        let Bytes::Map(map) = self.bytes(disk, 0)? else {
            return Err(self.corrupt(0, "a compacted segment is sealed"));
        };
        let footer = self.footer_of(disk, map.len() as u32)?;
        let last = footer.table.iter().last().filter(|(_, kind)| *kind == FrameKind::Addresses);
        let Some((offset, _)) = last else {
            return Err(self.corrupt(map.len() as u64, "an address table before the footer expected"));
        };
        // All of it is read before the map is touched, by a call where it is not in memory: a bad sector is an error.
        let frame = self.frame(disk, offset, self.header.first_lsn)?;
        frame.check()?;
        if frame.kind != FrameKind::Addresses {
            return Err(self.corrupt(u64::from(offset), "an address table expected"));
        }
        let start = offset as usize + FRAME_HEADER_BYTES;
        let payload = start..start + frame.payload().len();
        let table = AddressTable::decode(frame.payload()).map_err(|why| self.corrupt(start as u64, why.to_string()))?;
        let segments = self.header.covers.map_or(0, |covers| covers.segments as usize);
        if table.starts.len() != segments {
            return Err(self.corrupt(payload.start as u64, format!("the starts of {segments} segments expected")));
        }
        Ok(self.addressed.get_or_init(|| Addressed { map, payload, table }))
    }

    /// Bytes from this segment's first position of the log to the start of segment `id`.
    pub(super) fn start_of(&self, disk: &dyn Disk, id: SegmentId) -> Option<u64> {
        let number = id.0.checked_sub(self.header.segment.0)? as usize;
        match self.header.covers {
            None => (number == 0).then_some(0),
            Some(_) => self.addressed(disk).ok()?.starts().get(number).copied(),
        }
    }

    /// The locator of a position of the log, in bytes from this segment's first.
    pub(super) fn locator(&self, disk: &dyn Disk, from_start: u64) -> Option<Locator> {
        let first = self.header.segment;
        if self.header.covers.is_none() {
            return Some(Locator { segment: first, offset: u32::try_from(from_start).ok()? });
        }
        let starts = self.addressed(disk).ok()?.starts();
        let number = starts.partition_point(|start| *start <= from_start).checked_sub(1)?;
        let offset = u32::try_from(from_start - starts[number]).ok()?;
        Some(Locator { segment: SegmentId(first.0 + number as u32), offset })
    }

    /// The name of the block at an offset of the file, if its header is in memory.
    fn block_at(&self, disk: &dyn Disk, offset: u32) -> Option<BlockName> {
        let Bytes::Map(map) = self.bytes(disk, 0).ok()? else { return None };
        let start = offset as usize;
        let header = start..start + FRAME_HEADER_BYTES;
        let bytes = if map.is_resident(header.clone()) { map.get(header)? } else { return None };
        let header = FrameHeader::decode(bytes, self.header.salt).ok()?;
        Some((header.lsn.0, header.payload_crc))
    }

    /// Where in the file what `at` means stands, or the block that it is in.
    pub(super) fn offset_of(&self, disk: &dyn Disk, at: Locator) -> Option<u32> {
        if self.header.covers.is_none() {
            return Some(at.offset);
        }
        let from_start = self.start_of(disk, at.segment)? + u64::from(at.offset);
        self.addressed(disk).ok()?.find(from_start).map(|address| address.offset)
    }
}

impl Segments {
    /// Where the message at `at` lies. A hint.
    pub fn place(&self, at: Locator) -> Place {
        let found = self.get(at.segment).ok().filter(|segment| segment.header.covers.is_some());
        let address = found.and_then(|segment| {
            let from_start = segment.start_of(self.disk(), at.segment)? + u64::from(at.offset);
            let address = segment.addressed(self.disk()).ok()?.find(from_start)?;
            Some((segment, address)).filter(|(_, address)| address.index != OWN_FRAME)
        });
        let Some((segment, address)) = address else { return Place::Frame };
        Place::InBlock(segment.block_at(self.disk(), address.offset).map(|name| (name, address.index)))
    }

    /// The places of the log where messages of a sealed segment stand, as its footer or address table says.
    pub fn messages_in(&self, id: SegmentId) -> Result<Vec<Locator>> {
        let segment = self.get(id)?;
        if segment.header.covers.is_some() {
            let all = segment.addressed(self.disk())?.iter().filter(|address| address.index != OWN_FRAME);
            return Ok(all.filter_map(|address| segment.locator(self.disk(), address.from_start)).collect());
        }
        let footer = self.footer(id)?;
        let table = footer.as_ref().into_iter().flat_map(|footer| footer.table.iter());
        let messages = table.filter(|(_, kind)| *kind == FrameKind::Message);
        Ok(messages.map(|(offset, _)| Locator { segment: id, offset }).collect())
    }

    /// A dictionary frame of a sealed segment at an offset of its file, and the place of the log where it stood when it was written.
    pub fn moved_frame(&self, id: SegmentId, offset: u32) -> Result<(Locator, Frame)> {
        let segment = self.get(id)?;
        let frame = segment.frame(self.disk(), offset, self.durable_end())?;
        let lsn = segment.log_position(self.disk(), &frame, offset)?;
        let at = segment.locator(self.disk(), lsn.0 - segment.header.first_lsn.0);
        Ok((at.ok_or_else(|| frame.corrupt("a place within the log expected"))?, frame))
    }

    /// What stands at `at`, for which the compacted `segment` answers.
    pub(super) fn stored_in(&self, segment: &Arc<Segment>, at: Locator) -> Result<Stored> {
        let addressed = segment.addressed(self.disk())?;
        let number = (at.segment.0 - segment.header.segment.0) as usize;
        let start = addressed.starts().get(number).copied().unwrap_or_default();
        let Some(address) = addressed.find(start + u64::from(at.offset)) else {
            return self.stored_before(segment, at);
        };
        let frame = segment.frame(self.disk(), address.offset, self.durable_end())?;
        match (frame.kind, address.index) {
            (FrameKind::Block, index) if index != OWN_FRAME => {
                Ok(Stored::InBlock { block: frame, index, file: InFile(Arc::clone(segment)) })
            }
            (kind, OWN_FRAME) if kind != FrameKind::Block => Ok(Stored::Frame(frame)),
            _ => Err(frame.corrupt("the frame that the address table says expected")),
        }
    }

    /// A view may be older than a compaction, and refer to what nothing newer does.
    fn stored_before(&self, segment: &Arc<Segment>, at: Locator) -> Result<Stored> {
        let former = segment.former.read().unwrap_or_else(PoisonError::into_inner);
        let found = former
            .iter()
            .find(|former| former.header.segment <= at.segment && at.segment <= former.header.last_segment());
        let missing = || Error::NotFound(format!("message {at}: compaction has removed what nothing refers to; it"));
        let found = found.cloned().ok_or_else(missing)?;
        drop(former);
        match found.header.covers {
            None => found.frame(self.disk(), at.offset, self.durable_end()).map(Stored::Frame),
            Some(_) => self.stored_in(&found, at),
        }
    }
}
