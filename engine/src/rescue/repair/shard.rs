//! What one account shard's log adds up to once it is mended, and what it should: planned from the files alone, before anything is changed.
use super::Files;
use super::attempt::{Attempt, Distrust};
use super::image::{self, Image};
use super::step::{Act, Step};
use crate::base::{AccountId, Clock, Locator, Lsn, Result, SegmentId, ShardId};
use crate::disk::Disk;
use crate::engine::checkpoint;
use crate::format::SegmentHeader;
use crate::format::segment::SEGMENT_VERSION;
use crate::index::Parts;
use crate::rescue::contents::Contents;
use crate::rescue::finding::{Finding, Watch};
use crate::rescue::fold::{Fold, Scratch};
use crate::rescue::inventory::Log;
use crate::rescue::places::Places;
use crate::rescue::survey::{Distrusted, Done, Survey, Surveyed};
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
        let (mut plan, found, distrusted, parts) = self.state(shard, log, scratch, watch)?;
        let files = self.files(shard, log, &parts, &found, &distrusted, &plan.contents)?;
        (plan.images, plan.aside, plan.misplaced) = (files.images, files.aside, files.misplaced);
        (plan.opens, plan.steps) = (files.opens, files.steps);
        Ok(plan)
    }

    /// The best that is known of a shard's state, and what its log looks like.
    pub(in crate::rescue) fn state(
        &mut self,
        shard: ShardId,
        log: &Log,
        scratch: Scratch<'_>,
        watch: Watch<'_>,
    ) -> Result<(ShardPlan, Surveyed, Distrusted, Arc<Parts>)> {
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
            let layout = survey.layout(segment, log.segments.get(at + 1), &mut |_| {}, &mut |_| Ok(()))?;
            let to = crate::log::segment_path(&log.dir, segment.id);
            let mut image = image::of_layout(segment, to.clone(), layout)?;
            if segment.misplaced {
                let what = format!("it is copied to its place, {}", self.disk.full_path(&to).display());
                image.steps.insert(0, Step::new(Act::Place, &segment.name, what));
                plan.misplaced.push(segment.path.clone());
            }
            plan.images.push(image);
        }
        for missing in &found.missing {
            let last = missing.lsn.end == found.end.0;
            let made = self.make(shard, log, missing.id, missing.lsn.clone(), last);
            plan.images.extend(made);
        }
        if let Some((id, range, why)) = &found.torn
            && !found.damaged.contains(id)
        {
            let name = self.disk.full_path(&crate::log::segment_path(&log.dir, *id)).display().to_string();
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
        for path in &log.strangers {
            let len = self.disk.open(path).and_then(|file| file.len()).unwrap_or(0);
            let in_the_way = plan.images.iter().any(|image| image.to == *path);
            if in_the_way || len > crate::format::segment::SEGMENT_HEADER_BYTES as u64 {
                let name = self.disk.full_path(path).display().to_string();
                plan.steps.push(Step::new(Act::Aside, name, "it is none of this log's segments: moved to lost+found"));
                plan.aside.push(path.clone());
                plan.opens = true;
            }
        }
        Ok(plan)
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
            let header = SegmentHeader { version, shard, epoch, segment: id, first_lsn, created_ms, salt };
            let sealed = !last || at + len < lsn.end;
            images.push(image::of_nothing(header, len, sealed, to, Step::new(Act::Make, name, what)));
            (at, id) = (at + len, SegmentId(id.0 + 1));
        }
        images
    }
}
