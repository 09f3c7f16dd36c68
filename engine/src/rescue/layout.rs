//! How one segment lies in its file: which frames are there, which bytes are not what was written, where the frames end. Reads the whole
//! segment once and hands each frame on; remembers places only. Changes nothing.
use super::contents::Contents;
use super::finding::{Finding, Kind};
use super::hole::Hole;
use super::source::Source;
use super::walk::{Frame, Piece, Walk};
use crate::base::Result;
use crate::format::frame::{FRAME_ALIGN, FrameHeader};
use crate::format::segment::{SEGMENT_HEADER_BYTES, TRAILER_BYTES};
use crate::format::{Footer, FrameKind, SegmentHeader, TableBuilder, Trailer};
use std::collections::BTreeMap;
use std::ops::Range;

/// A frame that is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Laid {
    pub(super) offset: u64,
    pub(super) header: FrameHeader,
    pub(super) header_crc: u32,
    /// Something of it has to be written anew: a mended byte, or padding.
    pub(super) rewrite: bool,
}

/// What stands in a segment.
pub(super) struct Layout {
    pub(super) header: SegmentHeader,
    /// Messages, events, dictionaries; no footer.
    pub(super) frames: Vec<Laid>,
    pub(super) holes: Vec<Hole>,
    /// Where the frames end: the footer's place, or the log's end.
    pub(super) frames_end: u64,
    /// Whether it is, or should be, sealed.
    pub(super) sealed: bool,
    /// The length that the file should have.
    pub(super) len: u64,
    /// Whether footer and trailer are what they should be for what stands before.
    pub(super) ending_good: bool,
    /// The footer's own frame, when it was read.
    pub(super) footer: Option<Footer>,
    /// Whether anything has to be written anew.
    pub(super) damaged: bool,
    /// Bytes behind the end of the log that a crash left.
    pub(super) torn: Option<(Range<u64>, String)>,
}

/// A footer that is whole.
pub(super) struct FoundFooter {
    at: u64,
    footer: Footer,
    /// The bytes behind it, if they are not zero.
    padding: Option<Range<u64>>,
}

/// What is handed on while a segment is read, in the log's order.
pub(super) enum Visit<'a> {
    Frame(&'a Frame),
    Hole(&'a Hole),
}

/// Who gets it.
pub(super) type Visitor<'a> = &'a mut dyn FnMut(Visit<'_>) -> Result<()>;

/// Reads one segment.
pub(super) struct Reading<'a> {
    pub(super) source: &'a mut Source,
    pub(super) contents: &'a Contents,
    pub(super) header: SegmentHeader,
    /// Frames whose crcs are right and whose content is not: they count as lost.
    pub(super) distrusted: &'a BTreeMap<u64, String>,
    pub(super) tell: &'a mut dyn FnMut(Finding),
    pub(super) visit: Visitor<'a>,
}

impl Reading<'_> {
    pub(super) fn damage(&mut self, kind: Kind, range: &Range<u64>, what: impl Into<String>) {
        let name = self.source.name.clone();
        (self.tell)(Finding::damage(kind, name, what).range(range));
    }

    /// A segment that others follow; `len` is what the file's length has to be, if that is known from what follows.
    pub(super) fn sealed(mut self, len: Option<u64>) -> Result<Layout> {
        let trailer_at = |len: u64| len.checked_sub(TRAILER_BYTES as u64);
        let file_len = self.source.len;
        let open_len = len.is_none();
        // Whatever a segment holds, its length is a multiple of what frames are aligned to.
        let mut len = len.unwrap_or(file_len - file_len % FRAME_ALIGN as u64);
        let trailer = trailer_at(len.min(file_len)).and_then(|at| {
            let bytes = self.source.get(at, TRAILER_BYTES)?;
            Trailer::decode(bytes, self.header.salt).ok()
        });
        if trailer.is_some() {
            len = len.min(file_len);
        }
        let footer = trailer.and_then(|trailer| self.footer(trailer, len));
        let known_end = footer.as_ref().map(|footer| footer.at);
        let open_end = footer.is_none();
        let known = footer.as_ref().map(|found| &found.footer);
        let (mut layout, mut table) = self.frames(known_end.unwrap_or(len), known, open_end)?;
        layout.sealed = true;
        layout.len = len;
        match footer {
            Some(FoundFooter { at, footer, padding }) => {
                layout.frames_end = at;
                layout.ending_good = len == file_len && padding.is_none();
                if let Some(padding) = padding {
                    self.damage(Kind::Padding, &padding, "zeros expected behind the footer; nothing reads this place");
                }
                if layout.holes.is_empty() && footer != table.footer() {
                    layout.ending_good = false;
                    let what = "a footer that says what the segment holds expected";
                    self.damage(Kind::Footer, &(at..len), what);
                }
                layout.footer = Some(footer);
            }
            None => self.without_footer(&mut layout, &mut table, open_len)?,
        }
        if file_len > layout.len {
            self.damage(
                Kind::File,
                &(layout.len..file_len),
                "bytes after the segment's end, where the next one begins",
            );
        }
        layout.damaged |= !layout.ending_good || !layout.holes.is_empty();
        Ok(layout)
    }

    /// The footer that `trailer` points to, in a file of `len` bytes.
    pub(super) fn footer(&mut self, trailer: Trailer, len: u64) -> Option<FoundFooter> {
        let at = u64::from(trailer.footer_offset);
        let end = len - TRAILER_BYTES as u64;
        let mut walk = Walk::new(self.source, self.contents, self.header, at..end);
        match walk.next()? {
            Piece::Frame(frame)
                if frame.header.kind == FrameKind::Footer && frame.end() == end && frame.mended.is_none() =>
            {
                let footer = Footer::decode(&frame.payload).ok().filter(|_| frame.whole)?;
                let padding = (!frame.padding_clean).then(|| frame.padding());
                Some(FoundFooter { at, footer, padding })
            }
            _ => None,
        }
    }

    /// Reads the frames up to `end`. A footer frame before that ends them too; and with an open end, the last bytes may be a footer's.
    pub(super) fn frames(
        &mut self,
        end: u64,
        footer: Option<&Footer>,
        open_end: bool,
    ) -> Result<(Layout, TableBuilder)> {
        let mut layout = Layout {
            header: self.header,
            frames: Vec::new(),
            holes: Vec::new(),
            frames_end: SEGMENT_HEADER_BYTES as u64,
            sealed: false,
            len: end,
            ending_good: true,
            footer: None,
            damaged: false,
            torn: None,
        };
        let mut table = TableBuilder::default();
        let mut at = SEGMENT_HEADER_BYTES as u64;
        loop {
            let piece = Walk::new(self.source, self.contents, self.header, at..end).next();
            let Some(piece) = piece else { break };
            match piece {
                Piece::Frame(frame) if frame.header.kind == FrameKind::Footer => break,
                Piece::Frame(frame) => {
                    at = frame.end();
                    self.frame(frame, &mut layout, &mut table)?;
                }
                Piece::Gap { mut range, why, cut } => {
                    // A file that is cut off is missing all that should follow.
                    if range.end == self.source.len {
                        range.end = end;
                    }
                    at = range.end;
                    if range.end == end && open_end {
                        break;
                    }
                    let hole = Hole::of_gap(range, why, cut, footer);
                    self.hole(hole, &mut layout)?;
                }
                Piece::Trailer { .. } => break,
            }
        }
        layout.frames_end = layout.end();
        Ok((layout, table))
    }

    fn frame(&mut self, frame: Frame, layout: &mut Layout, table: &mut TableBuilder) -> Result<()> {
        let range = frame.offset..frame.end();
        if !frame.whole {
            let why = if frame.payload.is_empty() && frame.header.payload_len > 0 {
                "the medium cannot be read"
            } else {
                "the frame's payload differs from its crc"
            };
            let lost = vec![(frame.offset, frame.header.kind)];
            return self.hole(Hole { range, why: why.into(), lost, complete: true }, layout);
        }
        if let Some(why) = self.distrusted.get(&frame.offset) {
            let lost = vec![(frame.offset, frame.header.kind)];
            return self.hole(Hole { range, why: why.clone(), lost, complete: true }, layout);
        }
        if let Some(what) = &frame.mended {
            self.damage(Kind::Frame, &range, format!("{what}; that can be mended"));
        }
        if !frame.padding_clean {
            self.damage(Kind::Padding, &frame.padding(), "zeros expected between two frames; nothing reads this place");
        }
        let rewrite = frame.mended.is_some() || !frame.padding_clean;
        layout.damaged |= rewrite;
        table.add(frame.offset as u32, &frame.header, frame.header_crc);
        let Frame { offset, header, header_crc, .. } = frame;
        layout.frames.push(Laid { offset, header, header_crc, rewrite });
        (self.visit)(Visit::Frame(&frame))
    }

    pub(super) fn hole(&mut self, hole: Hole, layout: &mut Layout) -> Result<()> {
        let name = self.source.name.clone();
        (self.tell)(
            Finding::damage(Kind::Frame, name, format!("{}; lost: {}", hole.why, hole.lost_words())).range(&hole.range),
        );
        (self.visit)(Visit::Hole(&hole))?;
        layout.holes.push(hole);
        Ok(())
    }

    /// Neither trailer nor footer say where the frames end: what is behind the last frame is a footer if it is just as long as one.
    fn without_footer(&mut self, layout: &mut Layout, table: &mut TableBuilder, open_len: bool) -> Result<()> {
        layout.ending_good = false;
        let end = layout.end();
        let payload = table.footer().encode();
        let ending = crate::format::frame::frame_bytes(payload.len()) as u64 + TRAILER_BYTES as u64;
        if open_len {
            // The file is cut off within the footer, and the segment that would say how long this one was is missing: there is room for one.
            layout.len = layout.len.max(end + ending);
        }
        if end + ending < layout.len {
            let range = end..layout.len - ending;
            let why = "no frame is believed up to the segment's end".to_owned();
            self.hole(Hole { range, why, lost: Vec::new(), complete: false }, layout)?;
        }
        layout.frames_end = layout.end();
        let range = layout.frames_end..layout.len;
        self.damage(
            Kind::Footer,
            &range,
            "the footer and trailer of a sealed segment expected; they can be made again",
        );
        Ok(())
    }
}

impl Layout {
    /// Where the last frame or hole ends.
    pub(super) fn end(&self) -> u64 {
        let frames = self
            .frames
            .last()
            .map_or(SEGMENT_HEADER_BYTES as u64, |frame| frame.offset + frame.header.frame_bytes() as u64);
        self.holes.last().map_or(frames, |hole| hole.range.end.max(frames))
    }
}
