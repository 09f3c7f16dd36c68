//! Walks the log frame by frame from a position to the durable end. Never waits for more.
use super::frame::Frame;
use super::segments::Segments;
use crate::base::{Locator, Lsn, Result};
use crate::format::FrameKind;
use crate::format::segment::SEGMENT_HEADER_BYTES;
use std::sync::Arc;

/// See `Segments::frames`. Ends after the first error.
pub struct Frames {
    segments: Arc<Segments>,
    next: Lsn,
    failed: bool,
}

impl Frames {
    pub(super) fn new(segments: Arc<Segments>, from: Lsn) -> Frames {
        Frames { segments, next: from, failed: false }
    }

    /// Where the next frame will be read: the place to go on from later.
    pub fn position(&self) -> Lsn {
        self.next
    }

    fn step(&mut self) -> Result<Option<(Lsn, Locator, Frame)>> {
        loop {
            if self.next >= self.segments.durable_end() {
                return Ok(None);
            }
            let (segment, after) = self.segments.around(self.next);
            let first = match (&segment, &after) {
                (Some(segment), _) | (None, Some(segment)) => segment.header.first_lsn,
                (None, None) => return Ok(None),
            };
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
