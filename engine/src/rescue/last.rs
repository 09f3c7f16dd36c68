//! How the last segment of a log lies in its file: it has no footer, and a crash may have torn its end. Judges as recovery does: what a later
//! group or a checkpoint proves to have been synced was damaged at rest; what is behind that was promised to nobody.
use super::finding::{Finding, Kind};
use super::hole::Hole;
use super::layout::{Layout, Reading};
use super::source::WINDOW_BYTES;
use super::walk::{Piece, Walk};
use crate::base::Result;
use crate::format::segment::{SEGMENT_HEADER_BYTES, TRAILER_BYTES};
use crate::format::{FrameKind, Trailer};

/// Where the log ends in the last segment.
struct End {
    at: u64,
    /// Why what is behind is not believed.
    why: String,
}

impl Reading<'_> {
    /// The last segment; a checkpoint proves that the log reached `covered` bytes of it at least. `live`: a server is writing to it.
    pub(super) fn last(mut self, covered: u64, live: bool) -> Result<Layout> {
        let trailer = self.trailer();
        let len = self.source.len;
        if trailer.is_some_and(|trailer| self.footer(trailer, len).is_some()) {
            return self.sealed(None);
        }
        let End { at, why } = self.end();
        // A checkpoint that was made after the sealing proves that footer and trailer were synced.
        if covered > at && (trailer.is_some() || self.footer_follows(at)) {
            return self.sealed(Some(covered));
        }
        let end = at.max(covered);
        let (mut layout, _) = self.frames(end, None, false)?;
        if layout.end() < end {
            let range = layout.end()..end;
            let why = "the file ends before the place that a checkpoint was made from".to_owned();
            self.hole(Hole { range, why, lost: Vec::new(), complete: false }, &mut layout)?;
        }
        layout.frames_end = end;
        layout.len = end;
        layout.damaged |= !layout.holes.is_empty();
        if self.source.len > end && !live && !self.is_zero(end)? {
            let range = end..self.source.len;
            let name = self.source.name.clone();
            let what = format!("{why}: nobody was promised what stands there; a start cuts it and keeps a copy");
            (self.tell)(Finding::note(Kind::TornTail, name, what).range(&range));
            layout.torn = Some((range, why));
        }
        Ok(layout)
    }

    /// Whether only zeros follow: what a server writes in front of a growing log.
    fn is_zero(&mut self, mut at: u64) -> Result<bool> {
        while at < self.source.len {
            let len = (self.source.len - at).min(WINDOW_BYTES as u64);
            match self.source.get(at, len as usize) {
                Some(bytes) if bytes.iter().all(|byte| *byte == 0) => at += len,
                _ => return Ok(false),
            }
        }
        Ok(true)
    }

    fn trailer(&mut self) -> Option<Trailer> {
        let at = self.source.len.checked_sub(TRAILER_BYTES as u64)?;
        Trailer::decode(self.source.get(at, TRAILER_BYTES)?, self.header.salt).ok()
    }

    fn footer_follows(&mut self, at: u64) -> bool {
        let len = self.source.len;
        let piece = Walk::new(self.source, self.contents, self.header, at..len).next();
        matches!(piece, Some(Piece::Frame(frame)) if frame.header.kind == FrameKind::Footer)
    }

    /// The end of the last whole group. A group is begun only after all before it was synced: the one that begins last is the only one
    /// that may be torn.
    fn end(&mut self) -> End {
        let (mut at, mut start) = (SEGMENT_HEADER_BYTES as u64, SEGMENT_HEADER_BYTES as u64);
        let len = self.source.len;
        while let Some(piece) = Walk::new(self.source, self.contents, self.header, at..len).next() {
            match piece {
                Piece::Frame(frame) if frame.header.kind == FrameKind::Footer => break,
                Piece::Frame(frame) => {
                    start = frame.group_start().map_or(start, |group| group.max(start));
                    at = frame.end();
                }
                Piece::Gap { range, .. } => at = range.end,
                Piece::Trailer { .. } => break,
            }
        }
        self.group_end(start, len)
    }

    fn group_end(&mut self, start: u64, len: u64) -> End {
        let mut at = start;
        loop {
            let why = match Walk::new(self.source, self.contents, self.header, at..len).next() {
                None if at == start => String::new(),
                None => "the group is not finished".into(),
                Some(Piece::Frame(frame)) if frame.header.kind == FrameKind::Footer => {
                    "the segment's sealing is not finished".into()
                }
                Some(Piece::Frame(frame)) if frame.group_start() != Some(start) => {
                    "a frame of the group before expected, another group's found".into()
                }
                Some(Piece::Frame(frame)) if !frame.whole => "the frame's payload differs from its crc".into(),
                Some(Piece::Frame(frame)) if frame.header.ends_group() => {
                    return End { at: frame.end(), why: self.behind(frame.end(), len) };
                }
                Some(Piece::Frame(frame)) => {
                    at = frame.end();
                    continue;
                }
                Some(Piece::Gap { why, .. }) => why,
                Some(Piece::Trailer { .. }) => "a trailer without a footer".into(),
            };
            return End { at: start, why };
        }
    }

    /// Why the bytes behind the last whole group are no group.
    fn behind(&mut self, at: u64, len: u64) -> String {
        match Walk::new(self.source, self.contents, self.header, at..len).next() {
            Some(Piece::Gap { why, .. }) => why,
            Some(Piece::Frame(frame)) if frame.header.kind == FrameKind::Footer => {
                "the segment's sealing is not finished".into()
            }
            _ => "no whole group".into(),
        }
    }
}
