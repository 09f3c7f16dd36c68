//! Goes through a segment's bytes frame by frame and over whatever stands between: after bytes that are no frame it goes on at the next
//! header that is believed by magic, salted crc and own log position. Needs neither footer nor trailer. Changes nothing.
use super::cold::Cold;
use super::contents::Contents;
use super::mend;
use super::source::{SKIP_BYTES, Source};
use crate::base::Lsn;
use crate::format::frame::{FRAME_ALIGN, FRAME_HEADER_BYTES, FRAME_MAGIC, FrameHeader, FrameKind, FrameRef, at};
use crate::format::segment::SEGMENT_HEADER_BYTES;
use crate::format::{SegmentHeader, Trailer};
use std::ops::Range;

/// A frame whose header is believed.
pub(super) struct Frame {
    /// Bytes from the file's start.
    pub(super) offset: u64,
    pub(super) header: FrameHeader,
    /// The header's own crc, for the footer's hash.
    pub(super) header_crc: u32,
    /// Empty when it cannot be read.
    pub(super) payload: Vec<u8>,
    /// Whether the payload is what was written.
    pub(super) whole: bool,
    /// Whether the bytes after the payload are zero.
    pub(super) padding_clean: bool,
    /// What was wrong with it before it was mended here, in memory.
    pub(super) mended: Option<String>,
}

impl Frame {
    pub(super) fn as_ref(&self) -> FrameRef<'_> {
        FrameRef { header: self.header, payload: &self.payload }
    }

    pub(super) fn end(&self) -> u64 {
        self.offset + self.header.frame_bytes() as u64
    }

    /// The bytes between the payload and the next frame.
    pub(super) fn padding(&self) -> Range<u64> {
        self.offset + FRAME_HEADER_BYTES as u64 + u64::from(self.header.payload_len)..self.end()
    }

    /// Where the frame's group begins; `None` when that would be before the file.
    pub(super) fn group_start(&self) -> Option<u64> {
        self.offset.checked_sub(u64::from(self.header.group_back)).filter(|at| *at >= SEGMENT_HEADER_BYTES as u64)
    }
}

/// What stands in a segment after its header.
pub(super) enum Piece {
    Frame(Frame),
    /// Bytes that are no frame; with the header of a frame that is cut off.
    Gap {
        range: Range<u64>,
        why: String,
        cut: Option<FrameHeader>,
    },
    /// The last bytes of a sealed segment, after its footer frame.
    Trailer {
        range: Range<u64>,
        good: bool,
    },
}

/// The walk itself.
pub(super) struct Walk<'a> {
    pub(super) source: &'a mut Source,
    contents: &'a Contents,
    segment: SegmentHeader,
    pub(super) at: u64,
    end: u64,
    footer_at: Option<u64>,
    /// Whether a compacted segment's address table may be made again.
    makes: bool,
}

impl<'a> Walk<'a> {
    /// Over `range`, which begins at a frame or at the header's end.
    pub(super) fn new(
        source: &'a mut Source,
        contents: &'a Contents,
        segment: SegmentHeader,
        range: Range<u64>,
    ) -> Walk<'a> {
        let end = range.end.min(source.len);
        contents.reads(source.file(), &segment);
        let makes = segment.covers.is_some();
        Walk { source, contents, segment, at: range.start, end, footer_at: None, makes }
    }

    /// The same; what is damaged in an address table stays so.
    pub(super) fn plain(
        source: &'a mut Source,
        contents: &'a Contents,
        segment: SegmentHeader,
        range: Range<u64>,
    ) -> Walk<'a> {
        Walk { makes: false, ..Walk::new(source, contents, segment, range) }
    }

    pub(super) fn next(&mut self) -> Option<Piece> {
        if self.at >= self.end {
            return None;
        }
        if let Some(footer_at) = self.footer_at {
            return Some(self.trailer(footer_at));
        }
        match self.header(self.at) {
            Ok((header, crc)) => Some(self.frame_or_gap(header, crc, None)),
            Err(why) => Some(match self.mended_header(&why) {
                Some((header, crc, what)) => self.frame_or_gap(header, crc, Some(what)),
                None => self.made_table(&why).unwrap_or_else(|| self.gap(why, None)),
            }),
        }
    }

    fn frame_or_gap(&mut self, header: FrameHeader, crc: u32, mended: Option<String>) -> Piece {
        if self.at + header.frame_bytes() as u64 > self.end {
            return self.gap("the frame is longer than the file".into(), Some(header));
        }
        let mut frame = self.frame(header, crc);
        if !frame.whole
            && let Some(what) = mend::payload(&mut frame, self.segment.shard, self.contents)
        {
            frame.mended = Some(what);
        }
        if !frame.whole && self.makes && header.kind == FrameKind::Addresses {
            let cold = Cold::load(self.source, self.contents, &self.segment, self.at);
            let made = cold.table(&self.segment, self.at, Some(header.payload_len as usize));
            if let Some((_, payload)) = made.filter(|(made, _)| made.payload_crc == header.payload_crc) {
                (frame.payload, frame.whole) = (payload, true);
                frame.mended = Some("the address table was damaged; it is made again from the blocks".into());
            }
        }
        if let Some(header) = mended {
            frame.mended = Some(frame.mended.map_or(header.clone(), |payload| format!("{header}; {payload}")));
        }
        if frame.whole || frame.mended.is_some() {
            self.contents.saw(self.segment.segment, &frame);
        }
        self.at = frame.end();
        self.footer_at = (header.kind == FrameKind::Footer).then_some(frame.offset);
        Piece::Frame(frame)
    }

    /// The address table, if that is what stood here before the footer: made again from the blocks before it.
    fn made_table(&mut self, why: &str) -> Option<Piece> {
        if !self.makes {
            return None;
        }
        let start = self.at;
        let behind = self.resume(start).unwrap_or(self.end);
        let followed = match self.header(behind) {
            Ok((next, _)) => next.kind == FrameKind::Footer,
            Err(_) => behind == self.end && self.end < self.source.len,
        };
        if !followed {
            return None;
        }
        let cold = Cold::load(self.source, self.contents, &self.segment, start);
        let (header, payload) = cold.table_of(&self.segment, start, behind - start)?;
        let crc = crc_in(&header.encode(self.segment.salt));
        let mended = Some(format!("{why}; the address table is made again from the blocks"));
        let frame = Frame { offset: start, header, header_crc: crc, payload, whole: true, padding_clean: true, mended };
        self.at = frame.end();
        Some(Piece::Frame(frame))
    }

    fn mended_header(&mut self, why: &str) -> Option<(FrameHeader, u32, String)> {
        let (at, lsn) = (self.at, Lsn(self.segment.first_lsn.0 + self.at));
        let bytes = self.source.get(at, FRAME_HEADER_BYTES)?;
        let (header, byte, old, new) = mend::header(bytes, self.segment.salt, lsn)?;
        let crc = crc_in(&header.encode(self.segment.salt));
        let place = at + byte as u64;
        Some((header, crc, format!("{why}: the byte at {place} was changed from {new:02x} to {old:02x}")))
    }

    /// What follows a footer: sixteen bytes and the end.
    fn trailer(&mut self, footer_at: u64) -> Piece {
        let range = self.at..self.end;
        self.at = self.end;
        let bytes = self.source.get(range.start, (range.end - range.start).min(64) as usize).unwrap_or_default();
        let expected = Trailer { footer_offset: footer_at as u32 }.encode(self.segment.salt);
        Piece::Trailer { range, good: bytes == expected }
    }

    fn frame(&mut self, header: FrameHeader, header_crc: u32) -> Frame {
        let len = header.payload_len as usize;
        let mut payload = self.source.read(self.at + FRAME_HEADER_BYTES as u64, len).unwrap_or_default();
        let whole = FrameRef { header, payload: &payload }.payload_is_whole();
        if payload.len() != len {
            payload.clear();
        }
        let padding = header.frame_bytes() - FRAME_HEADER_BYTES - len;
        let bytes = self.source.get(self.at + (FRAME_HEADER_BYTES + len) as u64, padding);
        let padding_clean = bytes.is_some_and(|bytes| bytes.iter().all(|byte| *byte == 0));
        Frame { offset: self.at, header, header_crc, payload, whole, padding_clean, mended: None }
    }

    /// Bytes from here to the next believable header.
    fn gap(&mut self, why: String, cut: Option<FrameHeader>) -> Piece {
        let start = self.at;
        self.at = self.resume(start).unwrap_or(self.end);
        Piece::Gap { range: start..self.at, why, cut }
    }

    /// The next place after `at` with a believable header.
    fn resume(&mut self, at: u64) -> Option<u64> {
        let mut at = (at + 1).next_multiple_of(FRAME_ALIGN as u64);
        while at + FRAME_HEADER_BYTES as u64 <= self.end {
            match self.source.get(at, FRAME_MAGIC.len()).map(|bytes| bytes == FRAME_MAGIC) {
                None => at = (at + 1).next_multiple_of(SKIP_BYTES),
                Some(true) if self.header(at).is_ok() => return Some(at),
                Some(_) => at += FRAME_ALIGN as u64,
            }
        }
        None
    }

    /// The header at `at` with its crc, if it is believed, or why it is not.
    fn header(&mut self, at: u64) -> Result<(FrameHeader, u32), String> {
        if at + FRAME_HEADER_BYTES as u64 > self.end {
            return Err("the frame's header is cut off".into());
        }
        let lsn = Lsn(self.segment.first_lsn.0 + at);
        let Some(bytes) = self.source.get(at, FRAME_HEADER_BYTES) else {
            return Err("the medium cannot be read".into());
        };
        match FrameHeader::decode(bytes, self.segment.salt) {
            Ok(header) if header.lsn != lsn => {
                Err(format!("the frame of lsn {lsn} expected, lsn {} found", header.lsn))
            }
            Ok(header) => Ok((header, crc_in(bytes))),
            Err(error) => Err(error.what.into()),
        }
    }
}

/// The crc field of a frame header's bytes.
pub(super) fn crc_in(header: &[u8]) -> u32 {
    header.get(at::CRC..at::CRC + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}
