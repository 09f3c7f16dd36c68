//! Which message stands at a place of the log: read by position, a few bytes each. Never reads a body.
use super::inventory::Log;
use super::source::Source;
use crate::base::{Guid, Locator, SegmentId};
use crate::disk::Disk;
use crate::format::frame::FRAME_HEADER_BYTES;
use crate::format::{FrameHeader, FrameKind, MESSAGE_HEAD_BYTES, MessageHead};
use std::collections::HashMap;

/// Files held open.
const SOURCES_MAX: usize = 32;

/// Looks messages up.
pub(super) struct Heads<'a> {
    disk: &'a dyn Disk,
    log: &'a Log,
    sources: HashMap<SegmentId, Source>,
}

impl<'a> Heads<'a> {
    pub(super) fn new(disk: &'a dyn Disk, log: &'a Log) -> Heads<'a> {
        Heads { disk, log, sources: HashMap::new() }
    }

    /// The frame header and the bytes of the payload's front, or why there is no message.
    pub(super) fn front(&mut self, at: Locator, bytes: usize) -> Result<(FrameHeader, Vec<u8>), String> {
        let segment = self.log.segments.iter().find(|segment| segment.id == at.segment);
        let segment = segment.ok_or_else(|| format!("segment {} is missing", at.segment))?;
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&at.segment) {
            self.sources.clear();
        }
        let source = match self.sources.entry(at.segment) {
            std::collections::hash_map::Entry::Occupied(held) => held.into_mut(),
            std::collections::hash_map::Entry::Vacant(free) => {
                free.insert(Source::open(self.disk, &segment.path).map_err(|why| why.to_string())?)
            }
        };
        let offset = u64::from(at.offset);
        let header = source.peek(offset, FRAME_HEADER_BYTES).ok_or("no frame within the file")?;
        let header = FrameHeader::decode(&header, segment.identity.header.salt).map_err(|why| why.what.to_owned())?;
        if header.lsn.0 != segment.first_lsn().0 + offset {
            return Err(format!("a frame of lsn {} at another's place", header.lsn));
        }
        let len = bytes.min(header.payload_len as usize);
        let payload = source.peek(offset + FRAME_HEADER_BYTES as u64, len).ok_or("the frame is cut off")?;
        Ok((header, payload))
    }

    /// Guid and size of the message at `at`, or why there is none.
    pub(super) fn message(&mut self, at: Locator) -> Result<(Guid, u32), String> {
        let (header, payload) = self.front(at, MESSAGE_HEAD_BYTES)?;
        if header.kind != FrameKind::Message {
            return Err("a frame that is no message stands there".into());
        }
        let head = MessageHead::decode(&payload).map_err(|why| why.to_string())?;
        Ok((head.guid, head.size_bytes))
    }

    /// The whole frame's payload.
    pub(super) fn payload(&mut self, at: Locator) -> Result<(FrameHeader, Vec<u8>), String> {
        self.front(at, usize::MAX)
    }
}
