//! What one account shard's log adds up to once it is mended, and what it should: planned from the files alone, before anything is changed.
use super::Files;
use super::attempt::{Attempt, Distrust};
use super::image::{self, Image};
use super::step::{Act, Step};
use crate::base::{AccountId, Clock, Locator, Lsn, Result, SegmentId, ShardId};
use crate::disk::Disk;
use crate::engine::checkpoint;
use crate::format::frame::FRAME_HEADER_BYTES;
use crate::format::segment::SEGMENT_VERSION;
use crate::format::{FrameKind, SegmentHeader};
use crate::index::Parts;
use crate::log::Unit;
use crate::rescue::cold::Cold;
use crate::rescue::contents::Contents;
use crate::rescue::finding::{Finding, Watch};
use crate::rescue::fold::{Fold, Scratch};
use crate::rescue::hole::Hole;
use crate::rescue::inventory::{Log, Segment};
use crate::rescue::layout::{Laid, Layout};
use crate::rescue::places::Places;
use crate::rescue::source::Source;
use crate::rescue::survey::{Distrusted, Done, Survey, Surveyed};
use crate::rescue::undo::replaced;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// Longest file that is made for segments that are missing.
const MADE_BYTES_MAX: u64 = 2 << 30;

/// What is to be done with a shard.
pub(in crate::rescue) struct ShardPlan {
    pub(super) shard: ShardId,
    pub(super) images: Vec<Image>,
    /// Files that are none of the log's.
    pub(super) aside: Vec<PathBuf>,
    /// Misplaced files, which go once their bytes are in their place.
    pub(super) misplaced: Vec<PathBuf>,
    /// The log as it will fold once it is mended.
    pub(in crate::rescue) fold: Fold,
    /// The state that it should have, when a checkpoint knows more than the log.
    pub(in crate::rescue) target: Option<Fold>,
    /// Where messages are missing.
    pub(in crate::rescue) lost: Places,
    /// Messages that are there, whose events are lost with nobody else who knows of them.
    pub(in crate::rescue) orphans: Vec<Locator>,
    /// What the survey found.
    pub(in crate::rescue) findings: Vec<Finding>,
    /// Has seen every dictionary of the log.
    pub(in crate::rescue) contents: Rc<Contents>,
    /// By how much every mailbox's uid and modseq counters are raised.
    pub(super) raise: Option<(u32, u64)>,
    /// Whether the log's fold is lenient to its end.
    pub(super) lenient: bool,
    /// Whether events have to be written.
    pub(super) changes: bool,
    /// Whether index parts are damaged or say something else than the log.
    pub(super) derived_bad: bool,
    /// The log has to be opened, which settles its end, although nothing else is to be done.
    pub(super) opens: bool,
    pub(super) steps: Vec<Step>,
}

impl ShardPlan {
    /// Every account that the shard will have.
    pub(in crate::rescue) fn accounts(&self) -> BTreeSet<AccountId> {
        let mut ids = self.fold.accounts.ids();
        ids.extend(self.target.iter().flat_map(|target| target.accounts.ids()));
        ids
    }
}

/// A shard's state and what its log looks like.
pub(in crate::rescue) type State = (ShardPlan, Surveyed, Distrusted, Arc<Parts>);

/// The log without the compacted segments that have lost something, but with what they replaced; `None`: nothing can be had back like this.
fn before_compaction(log: &Log, found: &Surveyed) -> Option<Log> {
    let lossy = log.segments.iter().filter(|one| one.is_compacted() && found.lossy.contains(&one.id));
    let back: Vec<_> = lossy.filter_map(|cold| Some((cold.clone(), replaced(log, cold)?))).collect();
    if back.is_empty() {
        return None;
    }
    let mut before = log.clone();
    for (cold, old) in back {
        before.segments.retain(|segment| segment.id != cold.id);
        before.retired.retain(|segment| !old.iter().any(|old| old.unit == segment.unit));
        before.segments.extend(old.into_iter().cloned());
        before.undone.push(cold.path);
    }
    before.segments.sort_by_key(|segment| segment.id);
    Some(before)
}

/// What planning needs.
pub(in crate::rescue) struct Planner<'a> {
    pub(in crate::rescue) disk: &'a dyn Disk,
    pub(in crate::rescue) clock: &'a dyn Clock,
    pub(in crate::rescue) done: &'a mut Done,
}

impl Planner<'_> {
    pub(super) fn shard(
        &mut self,
        shard: ShardId,
        log: &Log,
        scratch: Scratch<'_>,
        watch: Watch<'_>,
    ) -> Result<ShardPlan> {
        let (instead, (mut plan, found, distrusted, parts)) = self.settled(shard, log, scratch, watch)?;
        let log = instead.as_ref().unwrap_or(log);
        let files = self.files(shard, log, &parts, &found, &distrusted, &plan.contents)?;
        (plan.images, plan.aside, plan.misplaced) = (files.images, files.aside, files.misplaced);
        (plan.opens, plan.steps) = (files.opens, files.steps);
        Ok(plan)
    }

    /// The same as `state`; where a compacted segment has lost something and what it replaced is still kept, that takes its place again. The
    /// log as it is then, if it is not as given.
    pub(in crate::rescue) fn settled(
        &mut self,
        shard: ShardId,
        log: &Log,
        scratch: Scratch<'_>,
        watch: Watch<'_>,
    ) -> Result<(Option<Log>, State)> {
        let mut instead: Option<Log> = None;
        loop {
            let now = instead.as_ref().unwrap_or(log);
            let state = self.state(shard, now, scratch, watch)?;
            match before_compaction(now, &state.1) {
                Some(before) => instead = Some(before),
                None => return Ok((instead, state)),
            }
        }
    }

    /// The best that is known of a shard's state, and what its log looks like.
    fn state(&mut self, shard: ShardId, log: &Log, scratch: Scratch<'_>, watch: Watch<'_>) -> Result<State> {
        let (parts, bad) = checkpoint::find(self.disk, shard, &log.dir)?;
        let parts = Arc::new(parts);
        let mut distrusted = Distrusted::new();
        let start = *self.done;
        loop {
            *self.done = start;
            let mut attempt = Attempt::new(self.disk, shard, log, &parts);
            let found = attempt.run(self.done, log, &distrusted, scratch, watch)?;
            if let Some(Distrust(at, why)) = attempt.distrust {
                distrusted.entry(at.segment).or_default().insert(u64::from(at.offset), why);
                continue;
            }
            let plan = attempt.into_plan(!bad.is_empty());
            return Ok((plan, found, distrusted, parts));
        }
    }

    /// The images of segments that are damaged, misplaced or missing.
    pub(super) fn files(
        &self,
        shard: ShardId,
        log: &Log,
        parts: &Parts,
        found: &Surveyed,
        distrusted: &Distrusted,
        contents: &Contents,
    ) -> Result<Files> {
        let mut plan = Files::default();
        let survey = Survey { disk: self.disk, log, contents, covered: parts.lsn(), live: false, distrusted };
        for (at, segment) in log.segments.iter().enumerate().filter(|(_, one)| found.damaged.contains(&one.id)) {
            let mut layout = survey.layout(segment, log.segments.get(at + 1), &mut |_| {}, &mut |_| Ok(()))?;
            let to = segment.unit.path(&log.dir);
            let table = self.table(segment, contents, &mut layout)?;
            let mut image = image::of_layout(segment, to.clone(), layout, table)?;
            if segment.misplaced {
                let what = format!("it is copied to its place, {}", self.disk.full_path(&to).display());
                image.steps.insert(0, Step::new(Act::Place, &segment.name, what));
                plan.misplaced.push(segment.path.clone());
            }
            plan.images.push(image);
        }
        for missing in &found.missing {
            let last = missing.lsn.end == found.end.0;
            let id = unused(missing.id, log, parts);
            let made = self.make(shard, log, id, missing.lsn.clone(), last);
            plan.images.extend(made);
        }
        if let Some((id, range, why)) = &found.torn
            && !found.damaged.contains(id)
        {
            let name = log.name_of(self.disk, *id);
            let what = format!("{why}: nobody was promised these bytes; cut, as every start does it, and kept");
            plan.steps.push(Step::new(Act::Torn, name, what).range(range));
            plan.opens = true;
        }
        let unmade = !log.strangers.is_empty() && log.parts.is_empty();
        if log.segments.is_empty() && found.missing.is_empty() && !unmade {
            let name = self.disk.full_path(&log.dir).display().to_string();
            let what =
                "all its segments are missing, and there is no checkpoint: it begins anew, and what was in it is lost";
            plan.steps.push(Step::new(Act::Make, name, what));
            plan.opens = true;
        }
        for path in &log.undone {
            let name = self.disk.full_path(path).display().to_string();
            let what =
                "something of it is lost, and what it replaced is still there and counts again: moved to lost+found";
            plan.steps.push(Step::new(Act::Aside, name, what));
            plan.aside.push(path.clone());
            plan.opens = true;
        }
        for path in &log.strangers {
            let len = self.disk.open(path).and_then(|file| file.len()).unwrap_or(0);
            let in_the_way = plan.images.iter().any(|image| image.to == *path);
            // A start takes a compacted segment for what its name says.
            let compacted =
                path.file_name().and_then(|name| Unit::parse(name.to_str()?)).is_some_and(|unit| unit.generation > 0);
            if in_the_way || compacted || len > crate::format::segment::SEGMENT_HEADER_BYTES as u64 {
                let name = self.disk.full_path(path).display().to_string();
                plan.steps.push(Step::new(Act::Aside, name, "it is none of this log's segments: moved to lost+found"));
                plan.aside.push(path.clone());
                plan.opens = true;
            }
        }
        Ok(plan)
    }

    /// The address table that a compacted segment has lost, made again from what is left of its blocks; the layout gets room for it.
    fn table(&self, segment: &Segment, contents: &Contents, layout: &mut Layout) -> Result<Option<image::Made>> {
        // The short table may be the last frame that is left, with a hole behind it.
        let ends = |frame: &Laid| frame.offset + frame.header.frame_bytes() as u64 == layout.frames_end;
        let last = layout.frames.last().filter(|frame| frame.header.kind == FrameKind::Addresses);
        let has = last.is_some_and(ends);
        if !segment.is_compacted() || has {
            return Ok(None);
        }
        let mut source = Source::open(self.disk, &segment.path)?;
        let cold = Cold::load(&mut source, contents, &layout.header, layout.frames_end);
        let Some((header, _)) = cold.table(&layout.header, 0, None) else { return Ok(None) };
        let bytes = header.frame_bytes() as u64;
        let hole = layout.holes.last_mut().filter(|hole| hole.range.end == layout.frames_end);
        // It takes its own place where that is known, else the end of the hole that it left, or stands behind everything: nothing follows but
        // the footer. What is known of a hole stays known: a filler that says "events may be lost" where none are would not be as planned.
        let at = match hole {
            Some(hole) if hole.complete => match own_place(hole) {
                Some(at) => {
                    hole.range.end = at;
                    hole.lost.retain(|lost| lost.0 < at);
                    at
                }
                None => layout.frames_end,
            },
            // The filler that stays is longer than its header, so that it can say what it stands for.
            Some(hole) if hole.range.end - hole.range.start > bytes + FRAME_HEADER_BYTES as u64 => {
                hole.range.end -= bytes;
                let end = hole.range.end;
                hole.lost.retain(|lost| lost.0 < end);
                end
            }
            _ => layout.frames_end,
        };
        layout.holes.retain(|hole| !hole.range.is_empty());
        Ok(cold.table(&layout.header, at, None).map(|(header, payload)| image::Made { offset: at, header, payload }))
    }

    /// Files for a stretch of the log that is missing; all but the last of the log are sealed.
    fn make(&self, shard: ShardId, log: &Log, id: SegmentId, lsn: std::ops::Range<u64>, last: bool) -> Vec<Image> {
        let mut images = Vec::new();
        let (mut at, mut id) = (lsn.start, id);
        while at < lsn.end {
            let rest = lsn.end - at;
            let len = if rest > MADE_BYTES_MAX + (1 << 20) { MADE_BYTES_MAX } else { rest };
            let to = crate::log::segment_path(&log.dir, id);
            let name = self.disk.full_path(&to).display().to_string();
            let what =
                format!("it is missing: made anew, empty; its messages and events, {len} bytes of log, are lost");
            let salt = RandomState::new().hash_one(id.0) as u32;
            let created_ms = self.clock.now_ms();
            let (epoch, version, first_lsn) = (1, SEGMENT_VERSION, Lsn(at));
            let header =
                SegmentHeader { version, shard, epoch, segment: id, first_lsn, created_ms, salt, covers: None };
            let sealed = !last || at + len < lsn.end;
            images.push(image::of_nothing(header, len, sealed, to, Step::new(Act::Make, name, what)));
            (at, id) = (at + len, SegmentId(id.0 + 1));
        }
        images
    }
}

/// The number of a segment that is made anew, where `id` is the first that is free. Without any segment only the checkpoint knows which were used, and no
/// place of a message is given again.
fn unused(id: SegmentId, log: &Log, parts: &Parts) -> SegmentId {
    let mut last = id;
    if !log.segments.is_empty() {
        return last;
    }
    for id in parts.list().iter().flat_map(|part| part.accounts()).collect::<BTreeSet<_>>() {
        // A record that cannot be read is told by who restores it.
        let Ok(Some(account)) = parts.load(id) else { continue };
        for mailbox in &account.mailboxes {
            for entry in mailbox.entries.range(0..mailbox.entries.len()).flatten() {
                last = last.max(entry.locator.segment);
            }
        }
    }
    last
}

/// Where the address table stood in a hole of which all frames are known and which it ended.
fn own_place(hole: &Hole) -> Option<u64> {
    let before = hole.lost.iter().rposition(|(_, kind)| *kind != FrameKind::Addresses);
    match before {
        None => Some(hole.range.start),
        Some(at) => hole.lost.get(at + 1).map(|(offset, _)| *offset),
    }
}
