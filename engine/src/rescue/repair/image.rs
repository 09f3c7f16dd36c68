//! How a damaged segment will look: which bytes of its file stay and which are written anew. The length stays, and with it every log position
//! behind it. Pure, but for reading the frames that are mended.
use super::fill::{Filler, fillers};
use super::step::{Act, Step};
use crate::base::Lsn;
use crate::base::Result;
use crate::format::frame::{FRAME_FLAG_GROUP_END, frame_bytes};
use crate::format::segment::{SEGMENT_HEADER_BYTES, SEGMENT_VERSION, TRAILER_BYTES};
use crate::format::{FrameHeader, FrameKind, SegmentHeader, TableBuilder, Trailer};
use crate::rescue::groups::stretches;
use crate::rescue::inventory::Segment;
use crate::rescue::layout::{Laid, Layout};
use crate::rescue::walk::crc_in;
use std::ops::Range;
use std::path::PathBuf;

/// A segment as it will be.
pub(super) struct Image {
    /// The file that what is good comes from; none for a segment that is missing.
    pub(super) from: Option<PathBuf>,
    /// Where it goes.
    pub(super) to: PathBuf,
    pub(super) header: SegmentHeader,
    pub(super) len: u64,
    pub(super) fillers: Vec<Filler>,
    /// Frames that are written anew as they are mended.
    pub(super) mended: Vec<Laid>,
    /// A frame that is made again.
    pub(super) made: Option<Made>,
    /// The footer's place, its payload and the trailer follow; none in the last segment.
    pub(super) footer: Option<(u64, Vec<u8>)>,
    /// Bytes of the old file that are kept before they go.
    pub(super) cut: Vec<Range<u64>>,
    pub(super) steps: Vec<Step>,
}

/// The address table of a compacted segment, made again.
pub(super) struct Made {
    pub(super) offset: u64,
    pub(super) header: FrameHeader,
    pub(super) payload: Vec<u8>,
}

/// Adds it where nothing stands behind it.
fn add(layout: &mut Layout, made: &Made) {
    let header_crc = crc_in(&made.header.encode(layout.header.salt));
    layout.frames.push(Laid { offset: made.offset, header: made.header, header_crc, rewrite: false });
    layout.frames_end = made.offset + made.header.frame_bytes() as u64;
    layout.ending_good = false;
}

/// What a segment that is there will look like.
pub(super) fn of_layout(segment: &Segment, to: PathBuf, mut layout: Layout, made: Option<Made>) -> Result<Image> {
    let first_lsn = segment.first_lsn();
    let mut steps = Vec::new();
    let mut cut: Vec<Range<u64>> = Vec::new();
    if let Some(what) = &segment.identity.damage {
        let range = 0..SEGMENT_HEADER_BYTES as u64;
        steps.push(Step::new(Act::Mend, &segment.name, format!("the header: {what}")).range(&range));
        cut.push(range);
    }
    if let Some(made) = &made {
        add(&mut layout, made);
        let what = "the address table is made again from the blocks that are left";
        steps.push(Step::new(Act::Mend, &segment.name, what));
    }
    let (fillers, footer) = fit(&mut layout, first_lsn);
    for frame in layout.frames.iter().filter(|frame| frame.rewrite) {
        let range = frame.offset..frame.offset + frame.header.frame_bytes() as u64;
        let what = "a frame of which little was changed is put right, as its crcs prove";
        steps.push(Step::new(Act::Mend, &segment.name, what).range(&range));
        cut.push(range);
    }
    for hole in &layout.holes {
        let what = format!("{}: cut out, with {}", hole.why, hole.lost_words());
        steps.push(Step::new(Act::Cut, &segment.name, what).range(&hole.range));
        cut.push(hole.range.clone());
    }
    if layout.sealed && (!layout.ending_good || !layout.holes.is_empty()) {
        let range = layout.frames_end..layout.len;
        steps.push(Step::new(Act::Mend, &segment.name, "footer and trailer are made again").range(&range));
        cut.push(range);
    }
    if let Some((range, why)) = &layout.torn {
        steps.push(Step::new(Act::Torn, &segment.name, format!("{why}: cut, as every start does it")).range(range));
        cut.push(range.clone());
    }
    if segment.len > layout.len && segment.is_compacted() {
        cut.push(layout.len..segment.len);
    } else if segment.len > layout.len && layout.torn.is_none() {
        let range = layout.len..segment.len;
        steps.push(Step::new(Act::Cut, &segment.name, "bytes behind the segment's end, nobody's").range(&range));
        cut.push(range);
    }
    let mended = layout.frames.iter().filter(|frame| frame.rewrite).copied().collect();
    cut.extend(made.iter().map(|made| made.offset..made.offset + made.header.frame_bytes() as u64));
    cut.iter_mut().for_each(|range| range.end = range.end.min(segment.len));
    cut.retain(|range| !range.is_empty());
    let (mut header, len) = (layout.header, layout.len);
    // A reader of an older version does not know what stands in the holes.
    if !fillers.is_empty() && header.version < SEGMENT_VERSION {
        header.version = SEGMENT_VERSION;
        let range = 0..SEGMENT_HEADER_BYTES as u64;
        if !cut.contains(&range) {
            let what = format!("the header says format version {SEGMENT_VERSION} from now on");
            steps.push(Step::new(Act::Mend, &segment.name, what).range(&range));
            cut.push(range);
        }
    }
    Ok(Image { from: Some(segment.path.clone()), to, header, len, fillers, mended, made, footer, cut, steps })
}

/// What a segment that is missing will look like; `sealed` unless it is the last one.
pub(super) fn of_nothing(header: SegmentHeader, len: u64, sealed: bool, to: PathBuf, step: Step) -> Image {
    let hole = crate::rescue::hole::Hole {
        range: SEGMENT_HEADER_BYTES as u64..len,
        why: "missing".into(),
        lost: Vec::new(),
        complete: false,
    };
    let mut layout = Layout {
        header,
        frames: Vec::new(),
        holes: Vec::new(),
        frames_end: len,
        sealed,
        len,
        ending_good: !sealed,
        footer: None,
        damaged: true,
        torn: None,
    };
    if len > SEGMENT_HEADER_BYTES as u64 {
        layout.holes.push(hole);
    }
    let (fillers, footer) = fit(&mut layout, header.first_lsn);
    let (mended, cut) = (Vec::new(), Vec::new());
    Image { from: None, to, header, len, fillers, mended, made: None, footer, cut, steps: vec![step] }
}

type Footer = Option<(u64, Vec<u8>)>;

/// Fillers and, for a sealed segment, a footer that end exactly where the segment does.
fn fit(layout: &mut Layout, first_lsn: Lsn) -> (Vec<Filler>, Footer) {
    loop {
        let fillers = fillers(&stretches(layout));
        if !layout.sealed {
            return (fillers, None);
        }
        let payload = table(layout, &fillers, first_lsn).footer().encode();
        if layout.header.covers.is_some() {
            // No log position depends on a compacted segment's length.
            layout.len = layout.frames_end + (frame_bytes(payload.len()) + TRAILER_BYTES) as u64;
            return (fillers, Some((layout.frames_end, payload)));
        }
        let room = layout.len - layout.frames_end;
        let needed = frame_bytes(payload.len()) as u64 + TRAILER_BYTES as u64;
        if needed <= room {
            // What is left over is zeros behind the frame table.
            let mut payload = payload;
            payload.resize(payload.len() + (room - needed) as usize, 0);
            return (fillers, Some((layout.frames_end, payload)));
        }
        // Only a hole whose end nobody knows can be too long: its own fillers need room in the footer.
        let Some(hole) = layout.holes.last_mut().filter(|hole| hole.range.end == layout.frames_end) else {
            return (fillers, Some((layout.frames_end, payload)));
        };
        let end = layout.len.saturating_sub(needed).max(hole.range.start);
        hole.range.end = if end < hole.range.start + 32 { hole.range.start } else { end };
        layout.frames_end = hole.range.end;
        layout.holes.retain(|hole| !hole.range.is_empty());
    }
}

fn table(layout: &Layout, fillers: &[Filler], first_lsn: Lsn) -> TableBuilder {
    let mut rows: Vec<(u64, FrameHeader, u32)> =
        layout.frames.iter().map(|frame| (frame.offset, frame.header, frame.header_crc)).collect();
    for filler in fillers {
        let header = filler.header(first_lsn, &filler.payload());
        rows.push((filler.offset, header, crc_in(&header.encode(layout.header.salt))));
    }
    rows.sort_by_key(|(offset, ..)| *offset);
    let mut table = TableBuilder::default();
    rows.iter().for_each(|(offset, header, crc)| table.add(*offset as u32, header, *crc));
    table
}

impl Image {
    /// The bytes from the footer's header to the file's end.
    pub(super) fn ending(&self) -> Option<(u64, Vec<u8>)> {
        let (at, payload) = self.footer.as_ref()?;
        let header = FrameHeader {
            kind: FrameKind::Footer,
            flags: FRAME_FLAG_GROUP_END,
            dictionary: 0,
            payload_len: payload.len() as u32,
            payload_crc: crc32fast::hash(payload),
            lsn: Lsn(self.header.first_lsn.0 + at),
            group_back: 0,
        };
        let mut bytes = header.encode(self.header.salt).to_vec();
        bytes.extend_from_slice(payload);
        bytes.resize(header.frame_bytes(), 0);
        bytes.extend_from_slice(&Trailer { footer_offset: *at as u32 }.encode(self.header.salt));
        Some((*at, bytes))
    }
}
