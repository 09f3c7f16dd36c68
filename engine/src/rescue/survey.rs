//! Goes through one shard's log from its first byte to its last and says what is there, in the log's order, over damage and missing files
//! alike. Everything that looks at a closed or damaged log goes through here. Changes nothing.
use super::cold::Cold;
use super::contents::Contents;
use super::finding::{Finding, Kind, Told, Watch};
use super::groups;
use super::hole::Hole;
use super::inventory::{Log, Segment};
use super::layout::{Layout, Reading, Visit};
use super::source::Source;
use crate::base::{Locator, Lsn, Result, SegmentId};
use crate::disk::Disk;
use crate::format::block::Block;
use crate::format::segment::SEGMENT_HEADER_BYTES;
use crate::format::{FrameKind, packed};
use std::collections::BTreeMap;
use std::ops::Range;

/// By how much packed events are smaller than those that were packed, at most.
const PACKED_RATIO: u64 = 32;
/// Bytes between two lines of progress.
const PROGRESS_BYTES: u64 = 8 << 20;

/// How far the whole work is.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Done {
    pub(super) bytes: u64,
    pub(super) total_bytes: u64,
    told: u64,
}

impl Done {
    pub(super) fn new(total_bytes: u64) -> Done {
        Done { total_bytes, ..Done::default() }
    }

    pub(super) fn at(&mut self, bytes: u64, watch: Watch<'_>) {
        if bytes >= self.told + PROGRESS_BYTES {
            self.told = bytes;
            watch(Told::Progress { done_bytes: bytes, total_bytes: self.total_bytes });
        }
    }
}

/// Segments that are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    /// The first one's number.
    pub(super) id: SegmentId,
    pub(super) lsn: Range<u64>,
}

/// What a log looks like, beyond what was handed on.
#[derive(Default)]
pub(super) struct Surveyed {
    pub(super) missing: Vec<Missing>,
    /// Segments of which something has to be written anew.
    pub(super) damaged: Vec<SegmentId>,
    /// Those of which something is lost.
    pub(super) lossy: Vec<SegmentId>,
    /// The last segment and what a crash left at its end.
    pub(super) torn: Option<(SegmentId, Range<u64>, String)>,
    /// The end of the log.
    pub(super) end: Lsn,
    /// Whether events are lost, and the first place where.
    pub(super) events_lost_at: Option<Lsn>,
}

/// A place in the log that is handed on.
pub(super) enum Item<'a> {
    /// Of a compacted segment's frames `at` is the place in the file but for dictionaries, and `lsn` where what it holds stood first.
    Frame {
        at: Locator,
        lsn: Lsn,
        frame: &'a super::walk::Frame,
    },
    Hole {
        segment: SegmentId,
        lsn: Range<u64>,
        hole: &'a Hole,
    },
    /// The messages that follow, each with the place where it stood: a block of a compacted segment.
    Block {
        at: Locator,
        frame: &'a super::walk::Frame,
        places: &'a [Option<Locator>],
    },
    /// The messages at these places are lost with a block of a compacted segment.
    Gone {
        places: &'a [Locator],
        why: &'a str,
    },
}

/// One survey.
pub(super) struct Survey<'a> {
    pub(super) disk: &'a dyn Disk,
    pub(super) log: &'a Log,
    pub(super) contents: &'a Contents,
    /// A checkpoint proves that the log reached this place.
    pub(super) covered: Lsn,
    /// A server is writing to the log meanwhile.
    pub(super) live: bool,
    /// Frames that count as lost although their crcs are right.
    pub(super) distrusted: &'a Distrusted,
}

/// A compacted segment on its way.
struct ColdVisit {
    cold: Cold,
    /// Where the events that were met last stood.
    lsn: Lsn,
}

impl ColdVisit {
    fn frame(
        &mut self,
        id: SegmentId,
        frame: &super::walk::Frame,
        item: &mut dyn FnMut(Item<'_>) -> Result<()>,
    ) -> Result<()> {
        let at = Locator { segment: id, offset: frame.offset as u32 };
        match frame.header.kind {
            FrameKind::Block => {
                let places = Block::decode(&frame.payload).map(|block| self.cold.places(&block)).unwrap_or_default();
                return item(Item::Block { at, frame, places: &places });
            }
            FrameKind::Events if frame.header.is_zstd() => {
                if let Ok((first, ..)) = packed::decode_head(&frame.payload) {
                    self.lsn = first;
                }
            }
            FrameKind::Dictionary => {
                let at = self.cold.dictionary(frame.offset).unwrap_or(at);
                return item(Item::Frame { at, lsn: self.lsn, frame });
            }
            _ => {}
        }
        item(Item::Frame { at, lsn: self.lsn, frame })
    }

    fn hole(&mut self, id: SegmentId, hole: &Hole, item: &mut dyn FnMut(Item<'_>) -> Result<()>) -> Result<()> {
        let places = self.cold.gone(&hole.range);
        item(Item::Gone { places: &places, why: &hole.why })?;
        // Packed events take a small part of the log that they stood in.
        let lsn = self.lsn.0..self.lsn.0 + (hole.range.end - hole.range.start) * PACKED_RATIO;
        item(Item::Hole { segment: id, lsn, hole })
    }
}

/// By segment and offset, with the reason.
pub(super) type Distrusted = BTreeMap<SegmentId, BTreeMap<u64, String>>;

impl Survey<'_> {
    pub(super) fn run(
        &self,
        done: &mut Done,
        watch: Watch<'_>,
        item: &mut dyn FnMut(Item<'_>, Watch<'_>) -> Result<()>,
    ) -> Result<Surveyed> {
        let mut found = Surveyed::default();
        let before = done.bytes;
        for (at, segment) in self.log.segments.iter().enumerate() {
            let expected = found.end.0;
            let first = segment.first_lsn().0;
            if first > expected {
                self.missing(self.missing_id(at), expected..first, &mut found, watch, item)?;
            }
            let next = self.log.segments.get(at + 1);
            let layout = self.segment(segment, next, done, watch, &mut found, item)?;
            found.end = segment.end(layout.len);
            done.bytes += segment.len;
        }
        let last = self.log.segments.last();
        // What is compacted was sealed, so that another segment followed it.
        let least = last.filter(|last| last.is_compacted()).map_or(0, |_| SEGMENT_HEADER_BYTES as u64);
        let covered = self.covered.0.max(found.end.0 + least);
        if found.end.0 < covered {
            let id = last.map_or(SegmentId(1), |last| SegmentId(last.unit.last.0 + 1));
            self.missing(id, found.end.0..covered, &mut found, watch, item)?;
            found.end = Lsn(covered);
        }
        done.bytes = before + self.log.segments.iter().map(|segment| segment.len).sum::<u64>();
        Ok(found)
    }

    /// The first number that is free before the segment at `at`.
    fn missing_id(&self, at: usize) -> SegmentId {
        at.checked_sub(1).map_or(SegmentId(1), |before| SegmentId(self.log.segments[before].unit.last.0 + 1))
    }

    fn missing(
        &self,
        id: SegmentId,
        lsn: Range<u64>,
        found: &mut Surveyed,
        watch: Watch<'_>,
        item: &mut dyn FnMut(Item<'_>, Watch<'_>) -> Result<()>,
    ) -> Result<()> {
        let name = self.disk.full_path(&crate::log::segment_path(&self.log.dir, id)).display().to_string();
        let what =
            format!("missing: the log from lsn {} to {} is lost with its messages and events", lsn.start, lsn.end);
        watch(Told::Finding(&Finding::damage(Kind::File, name, what)));
        let hole = Hole { range: 0..lsn.end - lsn.start, why: "missing".into(), lost: Vec::new(), complete: false };
        found.events_lost_at = found.events_lost_at.or(Some(Lsn(lsn.start)));
        found.missing.push(Missing { id, lsn: lsn.clone() });
        item(Item::Hole { segment: id, lsn, hole: &hole }, watch)
    }

    fn segment(
        &self,
        segment: &Segment,
        next: Option<&Segment>,
        done: &mut Done,
        watch: Watch<'_>,
        found: &mut Surveyed,
        item: &mut dyn FnMut(Item<'_>, Watch<'_>) -> Result<()>,
    ) -> Result<Layout> {
        let (first, id) = (segment.first_lsn().0, segment.id);
        let mut cold = self.cold(segment)?;
        let shared = std::cell::RefCell::new(&mut *watch);
        let mut visit = |visit: Visit<'_>| {
            let mut watch = shared.borrow_mut();
            match visit {
                Visit::Frame(frame) if cold.is_some() => {
                    done.at(done.bytes + frame.offset, *watch);
                    let Some(cold) = &mut cold else { return Ok(()) };
                    cold.frame(id, frame, &mut |one| item(one, *watch))
                }
                Visit::Hole(hole) if cold.is_some() => {
                    let Some(cold) = &mut cold else { return Ok(()) };
                    if hole.loses_events() {
                        found.events_lost_at = found.events_lost_at.or(Some(cold.lsn));
                    }
                    cold.hole(id, hole, &mut |one| item(one, *watch))
                }
                Visit::Frame(frame) => {
                    done.at(done.bytes + frame.offset, *watch);
                    let at = Locator { segment: id, offset: frame.offset as u32 };
                    item(Item::Frame { at, lsn: Lsn(first + frame.offset), frame }, *watch)
                }
                Visit::Hole(hole) => {
                    let lsn = first + hole.range.start..first + hole.range.end;
                    if hole.loses_events() {
                        found.events_lost_at = found.events_lost_at.or(Some(Lsn(lsn.start)));
                    }
                    item(Item::Hole { segment: id, lsn, hole }, *watch)
                }
            }
        };
        let mut tell = |finding: Finding| (shared.borrow_mut())(Told::Finding(&finding));
        let layout = self.layout(segment, next, &mut tell, &mut visit)?;
        for (offset, what) in groups::broken(&layout) {
            tell(Finding::damage(Kind::Group, &segment.name, what).at(offset));
        }
        if let Some((range, why)) = &layout.torn {
            found.torn = Some((id, range.clone(), why.clone()));
        }
        if !layout.holes.is_empty() {
            found.lossy.push(id);
        }
        if layout.damaged || segment.identity.damage.is_some() || segment.misplaced {
            found.damaged.push(id);
        }
        Ok(layout)
    }

    fn cold(&self, segment: &Segment) -> Result<Option<ColdVisit>> {
        if !segment.is_compacted() {
            return Ok(None);
        }
        let mut source = Source::open(self.disk, &segment.path)?;
        let (header, len) = (segment.identity.header, source.len);
        let cold = Cold::load(&mut source, self.contents, &header, len);
        Ok(Some(ColdVisit { cold, lsn: header.first_lsn }))
    }

    /// Reads one segment of the log; `next` is the one that follows.
    pub(super) fn layout(
        &self,
        segment: &Segment,
        next: Option<&Segment>,
        tell: &mut dyn FnMut(Finding),
        visit: super::layout::Visitor<'_>,
    ) -> Result<Layout> {
        let mut source = Source::open(self.disk, &segment.path)?;
        let (header, first) = (segment.identity.header, segment.first_lsn().0);
        let nothing = BTreeMap::new();
        let distrusted = self.distrusted.get(&segment.id).unwrap_or(&nothing);
        let reading = Reading { source: &mut source, contents: self.contents, header, distrusted, tell, visit };
        match next {
            _ if segment.is_compacted() => reading.sealed(None),
            // What follows says how long this one has to be, if nothing is missing between.
            Some(next) if next.id.0 == segment.id.0 + 1 => reading.sealed(Some(next.first_lsn().0 - first)),
            Some(_) => reading.sealed(None),
            None => {
                let covered = self.covered.0.saturating_sub(first);
                let covered = if covered <= SEGMENT_HEADER_BYTES as u64 { 0 } else { covered };
                reading.last(covered, self.live)
            }
        }
    }
}
