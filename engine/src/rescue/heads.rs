//! Which message stands at a place of the log: read by position, a few bytes each. Never reads a body.
use super::contents::Contents;
use super::inventory::Log;
use super::source::Source;
use super::walk::{Frame, Piece, Walk};
use crate::base::{Guid, Locator, SegmentId};
use crate::disk::Disk;
use crate::format::frame::FRAME_HEADER_BYTES;
use crate::format::{FrameHeader, FrameKind, MESSAGE_HEAD_BYTES, MessageHead, SegmentHeader};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

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

    pub(super) fn disk(&self) -> &'a dyn Disk {
        self.disk
    }

    /// Every message frame that is believed in a range of a segment.
    pub(super) fn messages(&mut self, id: SegmentId, range: Range<u64>) -> Vec<Locator> {
        let Ok((source, segment)) = self.source(id) else { return Vec::new() };
        let (contents, mut found, mut at) = (Contents::default(), Vec::new(), range.start);
        while let Some(piece) = Walk::new(source, &contents, segment, at..range.end).next() {
            match piece {
                Piece::Frame(frame) => {
                    if frame.header.kind == FrameKind::Message && frame.whole {
                        found.push(Locator { segment: id, offset: frame.offset as u32 });
                    }
                    at = frame.end();
                }
                Piece::Gap { range, .. } | Piece::Trailer { range, .. } => at = range.end,
            }
        }
        found
    }

    fn source(&mut self, id: SegmentId) -> Result<(&mut Source, SegmentHeader), String> {
        let segment = self.log.segments.iter().find(|segment| segment.id == id);
        let segment = segment.ok_or_else(|| format!("segment {id} is missing"))?;
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&id) {
            self.sources.clear();
        }
        let source = match self.sources.entry(id) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(free) => free.insert(Source::open(self.disk, &segment.path).map_err(|why| why.to_string())?),
        };
        Ok((source, segment.identity.header))
    }

    /// The frame header and the bytes of the payload's front, or why there is no message.
    pub(super) fn front(&mut self, at: Locator, bytes: usize) -> Result<(FrameHeader, Vec<u8>), String> {
        let (source, segment) = self.source(at.segment)?;
        let offset = u64::from(at.offset);
        let header = source.peek(offset, FRAME_HEADER_BYTES).ok_or("no frame within the file")?;
        let header = FrameHeader::decode(&header, segment.salt).map_err(|why| why.what.to_owned())?;
        if header.lsn.0 != segment.first_lsn.0 + offset {
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

    /// The whole frame, mended if little of it was changed.
    pub(super) fn frame(&mut self, at: Locator, contents: &Contents) -> Result<Frame, String> {
        let (source, segment) = self.source(at.segment)?;
        let range = u64::from(at.offset)..source.len;
        match Walk::new(source, contents, segment, range).next() {
            Some(Piece::Frame(frame)) if frame.whole => Ok(frame),
            Some(Piece::Frame(_)) => Err("the frame's payload differs from its crc".into()),
            Some(Piece::Gap { why, .. }) => Err(why),
            _ => Err("no frame within the file".into()),
        }
    }
}
