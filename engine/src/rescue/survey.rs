//! Goes through one shard's log from its first byte to its last and says what is there, in the log's order, over damage and missing files
//! alike. Everything that looks at a closed or damaged log goes through here. Changes nothing.
use super::contents::Contents;
use super::finding::{Finding, Kind, Told, Watch};
use super::groups;
use super::hole::Hole;
use super::inventory::{Log, Segment};
use super::layout::{Layout, Reading, Visit};
use super::source::Source;
use crate::base::{Locator, Lsn, Result, SegmentId};
use crate::disk::Disk;
use crate::format::segment::SEGMENT_HEADER_BYTES;
use std::collections::BTreeMap;
use std::ops::Range;

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
    /// The last segment and what a crash left at its end.
    pub(super) torn: Option<(SegmentId, Range<u64>, String)>,
    /// The end of the log.
    pub(super) end: Lsn,
    /// Whether events are lost, and the first place where.
    pub(super) events_lost_at: Option<Lsn>,
}

/// A place in the log that is handed on.
pub(super) enum Item<'a> {
    Frame { at: Locator, lsn: Lsn, frame: &'a super::walk::Frame },
    Hole { segment: SegmentId, lsn: Range<u64>, hole: &'a Hole },
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
            found.end = Lsn(first + layout.len);
            done.bytes += segment.len;
        }
        if found.end < self.covered {
            let id = self.log.segments.last().map_or(SegmentId(1), |last| SegmentId(last.id.0 + 1));
            self.missing(id, found.end.0..self.covered.0, &mut found, watch, item)?;
            found.end = self.covered;
        }
        done.bytes = before + self.log.segments.iter().map(|segment| segment.len).sum::<u64>();
        Ok(found)
    }

    /// The first number that is free before the segment at `at`.
    fn missing_id(&self, at: usize) -> SegmentId {
        at.checked_sub(1).map_or(SegmentId(1), |before| SegmentId(self.log.segments[before].id.0 + 1))
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
        let shared = std::cell::RefCell::new(&mut *watch);
        let mut visit = |visit: Visit<'_>| {
            let mut watch = shared.borrow_mut();
            match visit {
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
        if layout.damaged || segment.identity.damage.is_some() || segment.misplaced {
            found.damaged.push(id);
        }
        Ok(layout)
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
