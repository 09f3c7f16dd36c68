//! Which message stands at a place of the log: read by position, a few bytes each. Never reads a body.
use super::cold::Cold;
use super::contents::Contents;
use super::inventory::Log;
use super::source::Source;
use super::walk::{Frame, Piece, Walk};
use crate::base::{Guid, Locator, SegmentId};
use crate::disk::Disk;
use crate::format::addresses::Address;
use crate::format::frame::FRAME_HEADER_BYTES;
use crate::format::{FrameHeader, FrameKind, MESSAGE_HEAD_BYTES, MessageHead, SegmentHeader};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::rc::Rc;

/// Files held open.
const SOURCES_MAX: usize = 32;
/// Compacted segments whose contents are held.
const COLDS_MAX: usize = 16;
/// Bytes of a message frame's front that hold nearly every summary.
const SUMMARY_READ_BYTES: usize = 4096;

/// Looks messages up.
pub(super) struct Heads<'a> {
    disk: &'a dyn Disk,
    log: &'a Log,
    sources: HashMap<SegmentId, Source>,
    colds: HashMap<SegmentId, Rc<Cold>>,
}

impl<'a> Heads<'a> {
    pub(super) fn new(disk: &'a dyn Disk, log: &'a Log) -> Heads<'a> {
        Heads { disk, log, sources: HashMap::new(), colds: HashMap::new() }
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
        let segment = self.log.segment(id).ok_or_else(|| format!("segment {id} is missing"))?;
        let id = segment.id;
        if self.sources.len() >= SOURCES_MAX && !self.sources.contains_key(&id) {
            self.sources.clear();
        }
        let source = match self.sources.entry(id) {
            Entry::Occupied(held) => held.into_mut(),
            Entry::Vacant(free) => free.insert(Source::open(self.disk, &segment.path).map_err(|why| why.to_string())?),
        };
        Ok((source, segment.identity.header))
    }

    /// What a compacted segment holds; `None` for others.
    fn cold(&mut self, id: SegmentId) -> Option<Rc<Cold>> {
        let segment = self.log.segment(id).filter(|segment| segment.is_compacted())?;
        if let Some(cold) = self.colds.get(&segment.id) {
            return Some(cold.clone());
        }
        let contents = Contents::default();
        let (source, header) = self.source(id).ok()?;
        let len = source.len;
        let cold = Rc::new(Cold::load(source, &contents, &header, len));
        if self.colds.len() >= COLDS_MAX {
            self.colds.clear();
        }
        self.colds.insert(segment.id, cold.clone());
        Some(cold)
    }

    /// The block frame that holds the message that stood at `at`, and which of its messages that is; `None`: it is a frame of its own.
    fn block(&mut self, at: Locator, contents: &Contents) -> Option<Result<(Frame, usize), String>> {
        let cold = self.cold(at.segment)?;
        let Some(held) = cold.find(at) else { return Some(Err("no whole block has it".into())) };
        let Address { offset, index, .. } = held.address;
        let frame = self.frame_in_file(Locator { offset, ..at }, contents);
        Some(frame.map(|frame| (frame, index as usize)))
    }

    /// Bytes and size of the message at `at`, proven; or why it cannot be read.
    pub(super) fn read(&mut self, at: Locator, contents: &Contents) -> Result<Vec<u8>, String> {
        match self.block(at, contents) {
            Some(found) => {
                let (frame, index) = found?;
                let read = contents.block_message(&frame.header, &frame.payload, index);
                read.map(|(_, bytes)| bytes).map_err(|why| why.to_string())
            }
            None => {
                let frame = self.frame_in_file(at, contents)?;
                contents.message(&frame.header, &frame.payload).map_err(|why| why.to_string())
            }
        }
    }

    /// The summary of the message at `at`, if it can still be read.
    pub(super) fn summary(&mut self, at: Locator, contents: &Contents) -> Option<Vec<u8>> {
        if let Some(found) = self.block(at, contents) {
            let (frame, index) = found.ok()?;
            return contents.block_summary(&frame.header, &frame.payload, index).ok();
        }
        let (header, mut payload) = self.front(at, SUMMARY_READ_BYTES).ok()?;
        let head = MessageHead::decode(&payload).ok()?;
        if head.body_start() > payload.len() {
            payload = self.front(at, head.body_start()).ok()?.1;
        }
        contents.summary(&header, &payload).ok()
    }

    /// The frame header and the bytes of the payload's front, or why there is no message.
    fn front(&mut self, at: Locator, bytes: usize) -> Result<(FrameHeader, Vec<u8>), String> {
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
        if let Some(cold) = self.cold(at.segment) {
            let held = cold.find(at).ok_or("no whole block has it")?;
            return Ok((held.guid, held.size_bytes));
        }
        let (header, payload) = self.front(at, MESSAGE_HEAD_BYTES)?;
        if header.kind != FrameKind::Message {
            return Err("a frame that is no message stands there".into());
        }
        let head = MessageHead::decode(&payload).map_err(|why| why.to_string())?;
        Ok((head.guid, head.size_bytes))
    }

    /// The whole frame, mended if little of it was changed.
    fn frame_in_file(&mut self, at: Locator, contents: &Contents) -> Result<Frame, String> {
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
