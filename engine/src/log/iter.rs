//! Walks the log frame by frame from a position to the durable end. Never waits for more.
use super::frame::Frame;
use super::segment::Segment;
use super::segments::Segments;
use crate::base::{Locator, Lsn, Result};
use crate::format::FrameKind;
use crate::format::segment::SEGMENT_HEADER_BYTES;
use std::sync::Arc;

/// See `Segments::frames`. Ends after the first error.
pub struct Frames {
    segments: Arc<Segments>,
    next: Lsn,
    /// The compacted segment that is being walked, and the offset of the next frame in its file.
    compacted: Option<(Arc<Segment>, u32)>,
    failed: bool,
}

impl Frames {
    pub(super) fn new(segments: Arc<Segments>, from: Lsn) -> Frames {
        Frames { segments, next: from, compacted: None, failed: false }
    }

    /// Where the next frame will be read: the place to go on from later. A compacted segment is walked as a whole.
    pub fn position(&self) -> Lsn {
        self.next
    }

    fn step(&mut self) -> Result<Option<(Lsn, Locator, Frame)>> {
        loop {
            if let Some((segment, offset)) = self.compacted.take()
                && let Some(found) = self.in_compacted(&segment, offset)?
            {
                return Ok(Some(found));
            }
            if self.next >= self.segments.durable_end() {
                return Ok(None);
            }
            let (segment, after) = self.segments.around(self.next);
            let Some(segment) = segment.or_else(|| after.clone()) else { return Ok(None) };
            let first = segment.header.first_lsn;
            if segment.header.covers.is_some() {
                self.next = segment.end(self.segments.durable_end());
                self.compacted = Some((segment, SEGMENT_HEADER_BYTES as u32));
                continue;
            }
            let frames_at = Lsn(first.0 + SEGMENT_HEADER_BYTES as u64);
            if self.next < frames_at {
                self.next = frames_at;
                continue;
            }
            let Some(at) = self.segments.locate(self.next) else { return Ok(None) };
            let frame = self.segments.read(at)?;
            if frame.kind == FrameKind::Footer {
                let Some(after) = after else { return Ok(None) };
                self.next = after.header.first_lsn;
                continue;
            }
            self.next = Lsn(frame.lsn.0 + frame.frame_bytes() as u64);
            return Ok(Some((frame.lsn, at, frame)));
        }
    }

    /// The frame at an offset of a compacted segment's file; `None` at its end.
    fn in_compacted(&mut self, segment: &Arc<Segment>, offset: u32) -> Result<Option<(Lsn, Locator, Frame)>> {
        let frame = segment.frame(self.segments.disk(), offset, self.segments.durable_end())?;
        let next = offset + frame.frame_bytes() as u32;
        if frame.kind == FrameKind::Addresses {
            // The short one is followed by blocks, the last one by the footer.
            return self.in_compacted(segment, next);
        }
        if frame.kind == FrameKind::Footer {
            return Ok(None);
        }
        self.compacted = Some((segment.clone(), next));
        Ok(Some((frame.lsn, Locator { segment: segment.header.segment, offset }, frame)))
    }
}

impl Iterator for Frames {
    type Item = Result<(Lsn, Locator, Frame)>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let step = self.step();
        self.failed = step.is_err();
        step.transpose()
    }
}
