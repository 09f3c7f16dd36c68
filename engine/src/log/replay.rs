//! Gives the events and dictionaries of the log from a position on to whoever folds them. Reads only those and footers, never messages.
use super::frame::Frame;
use super::segment::Segment;
use super::segments::Segments;
use super::tail::Tail;
use crate::base::{Lsn, Result};
use crate::disk::{Disk, File};
use crate::format::addresses::OWN_FRAME;
use crate::format::frame::{FRAME_HEADER_BYTES, FrameHeader, FrameKind, FrameRef};
use crate::format::segment::{SEGMENT_HEADER_BYTES, TRAILER_BYTES};
use crate::format::{Footer, FrameTable, SegmentHeader, Trailer};
use std::io;

/// Calls `apply` for every event and dictionary frame from `from` on, in order, and counts the event frames. A compacted segment that ends after
/// `from` gives all of its frames; the transactions in them say where they stood.
pub(super) fn replay(
    segments: &Segments,
    tail: &Tail,
    from: Lsn,
    apply: &mut dyn FnMut(Lsn, FrameRef<'_>) -> Result<()>,
) -> Result<u64> {
    let mut replayed = 0;
    for segment in segments.all() {
        if segment.end(segments.durable_end()).0 <= from.0 {
            continue;
        }
        let footer = segments.footer(segment.header.segment)?;
        let table: &FrameTable = footer.as_ref().map_or(tail.table.table(), |footer| &footer.table);
        for (offset, kind) in table.iter() {
            // What a compacted segment holds is older than its place in the file says; the frames themselves say how old.
            let old = segment.header.covers.is_none() && segment.header.first_lsn.0 + u64::from(offset) < from.0;
            if !matches!(kind, FrameKind::Events | FrameKind::Dictionary) || old {
                continue;
            }
            let frame = segments.read_in_file(segment.header.segment, offset)?;
            frame.check()?;
            if frame.kind != kind {
                return Err(frame.corrupt("a frame of the kind that the segment's footer says expected"));
            }
            apply(segment.log_position(segments.disk(), &frame, offset)?, frame.as_ref())?;
            replayed += u64::from(kind == FrameKind::Events);
        }
    }
    Ok(replayed)
}

impl Segment {
    /// Where a frame of this file stands in the log: of a frame that was moved, where it stood.
    pub(super) fn log_position(&self, disk: &dyn Disk, frame: &Frame, offset: u32) -> Result<Lsn> {
        if self.header.covers.is_none() || frame.kind != FrameKind::Dictionary {
            return Ok(frame.lsn);
        }
        let mut all = self.addressed(disk)?.iter();
        let found = all.find(|address| address.offset == offset && address.index == OWN_FRAME);
        let found = found.ok_or_else(|| frame.corrupt("an address of this dictionary expected"))?;
        Ok(Lsn(self.header.first_lsn.0 + found.from_start))
    }

    /// The footer of a sealed segment of `len` bytes. Touches no map, where a bad sector would end the process.
    pub(super) fn footer_of(&self, disk: &dyn Disk, len: u32) -> Result<Footer> {
        let file = self.open(disk)?;
        let unreadable = |error| self.io(error);
        let there = file.len().map_err(unreadable)?;
        if there != u64::from(len) {
            return Err(self.corrupt(there, format!("a sealed segment of {len} bytes expected")));
        }
        let Some((_, trailer)) = sealed_len(&*file, &self.header, there).map_err(unreadable)? else {
            return Err(self.corrupt(there, "the trailer of a sealed segment expected before this place"));
        };
        let footer = read_footer(&*file, &self.header, len, trailer).map_err(unreadable)?;
        footer.ok_or_else(|| {
            self.corrupt(u64::from(trailer.footer_offset), "a whole footer expected where the trailer says")
        })
    }
}

/// The footer in `bytes`, which are the whole frame.
fn footer_of(bytes: &[u8], segment: &SegmentHeader, offset: u32) -> Option<Footer> {
    let header = FrameHeader::decode(bytes, segment.salt).ok()?;
    let payload = bytes.get(FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + header.payload_len as usize)?;
    let at_home = header.lsn.0 == segment.first_lsn.0 + u64::from(offset) && header.kind == FrameKind::Footer;
    let whole = at_home && header.frame_bytes() == bytes.len() && FrameRef { header, payload }.payload_is_whole();
    if whole { Footer::decode(payload).ok() } else { None }
}

/// The length and the trailer of a file that ends as sealed segments do; `None` if it does not.
pub(super) fn sealed_len(file: &dyn File, segment: &SegmentHeader, len: u64) -> io::Result<Option<(u32, Trailer)>> {
    let Ok(short) = u32::try_from(len) else { return Ok(None) };
    if (len as usize) < SEGMENT_HEADER_BYTES + FRAME_HEADER_BYTES + TRAILER_BYTES {
        return Ok(None);
    }
    let mut bytes = [0; TRAILER_BYTES];
    file.read_exact_at(&mut bytes, len - TRAILER_BYTES as u64)?;
    Ok(Trailer::decode(&bytes, segment.salt).ok().map(|trailer| (short, trailer)))
}

/// The footer that `trailer` points to; `None` if it is not whole, as after a crash in the midst of sealing.
pub(super) fn read_footer(
    file: &dyn File,
    segment: &SegmentHeader,
    len: u32,
    trailer: Trailer,
) -> io::Result<Option<Footer>> {
    let Some(frame_len) = (len as usize - TRAILER_BYTES).checked_sub(trailer.footer_offset as usize) else {
        return Ok(None);
    };
    let mut bytes = vec![0; frame_len];
    file.read_exact_at(&mut bytes, u64::from(trailer.footer_offset))?;
    Ok(footer_of(&bytes, segment, trailer.footer_offset))
}
