//! What one account shard's log adds up to once it is mended, and what it should: planned from the files alone, before anything is changed.
use super::image::{self, Image};
use super::step::{Act, Step};
use crate::base::bytes::Reader;
use crate::base::{AccountId, Clock, Error, Locator, Lsn, Result, SegmentId, ShardId};
use crate::disk::Disk;
use crate::engine::checkpoint;
use crate::format::mending::filler_payload;
use crate::format::segment::SEGMENT_VERSION;
use crate::format::{Event, FrameKind, Mending, MessageHead, SegmentHeader};
use crate::index::Parts;
use crate::queue::Queue;
use crate::rescue::audit::digest;
use crate::rescue::contents::Contents;
use crate::rescue::finding::{Finding, Told, Watch};
use crate::rescue::fold::{Fold, Scratch};
use crate::rescue::heads::Heads;
use crate::rescue::inventory::Log;
use crate::rescue::places::Places;
use crate::rescue::references::References;
use crate::rescue::survey::{Distrusted, Done, Item, Survey, Surveyed};
use crate::rescue::walk::Frame;
use std::collections::BTreeSet;
use std::hash::{BuildHasher, RandomState};
use std::path::PathBuf;
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
    /// By how much every mailbox's uid and modseq counters are raised.
    pub(super) raise: Option<(u32, u64)>,
    /// Whether the log's fold is lenient to its end.
    pub(super) lenient: bool,
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

/// A frame that cannot be believed after all; the plan is made again without it.
struct Distrust(Locator, String);

impl Planner<'_> {
    pub(super) fn shard(
        &mut self,
        shard: ShardId,
        log: &Log,
        scratch: Scratch<'_>,
        watch: Watch<'_>,
    ) -> Result<ShardPlan> {
        let (mut plan, found, distrusted, parts) = self.state(shard, log, scratch, watch)?;
        let files = super::files(self, shard, log, &parts, &found, &distrusted)?;
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
        plan: &mut super::Files,
    ) -> Result<()> {
        let contents = Contents::default();
        let survey =
            Survey { disk: self.disk, log, contents: &contents, covered: parts.lsn(), live: false, distrusted };
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
        Ok(())
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

/// One pass over the log.
struct Attempt<'a> {
    name: String,
    fold: Fold,
    target: Option<Fold>,
    contents: Contents,
    references: References<'a>,
    lost: Places,
    parts: &'a Arc<Parts>,
    reached: bool,
    /// Bytes of events that may be lost, since the log was whole last; and those after the checkpoint.
    loses: u64,
    loses_after: u64,
    derived_bad: bool,
    distrust: Option<Distrust>,
    /// Messages whose transaction has not ended.
    pending: Vec<Locator>,
    /// Messages whose transaction is lost, and whether the checkpoint may know of them.
    orphans: Vec<(Locator, bool)>,
    findings: Vec<Finding>,
}

impl<'a> Attempt<'a> {
    fn new(disk: &'a dyn Disk, shard: ShardId, log: &'a Log, parts: &'a Arc<Parts>) -> Attempt<'a> {
        Attempt {
            name: disk.full_path(&log.dir).display().to_string(),
            fold: Fold::new(shard, "repair"),
            target: None,
            contents: Contents::default(),
            references: References::new(Heads::new(disk, log)),
            lost: Places::default(),
            parts,
            reached: false,
            loses: 0,
            loses_after: 0,
            derived_bad: false,
            distrust: None,
            pending: Vec::new(),
            orphans: Vec::new(),
            findings: Vec::new(),
        }
    }

    fn run(
        &mut self,
        done: &mut Done,
        log: &Log,
        distrusted: &Distrusted,
        scratch: Scratch<'_>,
        watch: Watch<'_>,
    ) -> Result<Surveyed> {
        let (contents, covered) = (Contents::default(), self.parts.lsn());
        let disk = self.references.heads.disk();
        let survey = Survey { disk, log, contents: &contents, covered, live: false, distrusted };
        // The sentinel only ends the pass; it is taken for what it is by the caller.
        let stop = || Error::Invalid("a frame is not believed".into());
        let mut findings = Vec::new();
        let mut quiet = |told: Told<'_>| match told {
            Told::Finding(finding) => findings.push(finding.clone()),
            told => watch(told),
        };
        let surveyed = survey.run(done, &mut quiet, &mut |item, _| {
            match item {
                Item::Frame { at, lsn, frame } => self.frame(at, lsn, frame, scratch)?,
                Item::Hole { segment, lsn, hole } => {
                    self.lost.add(segment, hole.range.clone(), &hole.why);
                    if hole.loses_events() {
                        self.reach(Lsn(lsn.start))?;
                        let known = !self.reached;
                        self.orphans.extend(self.pending.drain(..).map(|at| (at, known)));
                        self.lose(lsn.end - lsn.start)?;
                    }
                }
            }
            if self.distrust.is_some() { Err(stop()) } else { Ok(()) }
        });
        self.findings = findings;
        match surveyed {
            Err(_) if self.distrust.is_some() => Ok(Surveyed::default()),
            Err(why) => Err(why),
            Ok(found) => {
                self.reach(Lsn(u64::MAX))?;
                Ok(found)
            }
        }
    }

    fn frame(&mut self, at: Locator, lsn: Lsn, frame: &Frame, scratch: Scratch<'_>) -> Result<()> {
        let payload = frame.payload.as_slice();
        match frame.header.kind {
            FrameKind::Message => {
                if let Err(why) = self.contents.message(&frame.header, payload) {
                    self.distrust = Some(Distrust(at, why));
                } else if let Ok(head) = MessageHead::decode(payload) {
                    self.references.saw(at, head.guid, head.size_bytes);
                    self.pending.push(at);
                }
            }
            FrameKind::Events => {
                self.reach(lsn)?;
                match Event::decode_all(payload) {
                    Ok(events) => {
                        self.filed(&events);
                        self.references.check(&events, &mut self.lost);
                        self.marks(&events)?;
                    }
                    Err(why) => {
                        self.distrust = Some(Distrust(at, why.to_string()));
                        return Ok(());
                    }
                }
                if let Err(why) = self.fold.apply(lsn, payload, scratch)? {
                    self.distrust = Some(Distrust(at, why));
                } else if let Some(target) = &mut self.target
                    && target.apply(lsn, payload, scratch)?.is_err()
                {
                    self.target = None;
                }
            }
            _ => {}
        }
        if frame.header.ends_group() {
            self.pending.clear();
        }
        Ok(())
    }

    /// Messages that an event names have found their place.
    fn filed(&mut self, events: &[Event]) {
        for event in events {
            if let Event::Delivered { locator, .. } | Event::Queued { locator, .. } = event {
                self.pending.retain(|at| at != locator);
                self.orphans.retain(|(at, _)| at != locator);
            }
        }
    }

    /// Marks of a former repair, which a crash may have left unfinished.
    fn marks(&mut self, events: &[Event]) -> Result<()> {
        for event in events {
            match event {
                Event::Mending(Mending::EventsLost { len }) => self.count_loss(u64::from(*len)),
                Event::Mending(Mending::EventsWhole) => {
                    (self.loses, self.loses_after, self.target) = (0, 0, None);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn count_loss(&mut self, bytes: u64) {
        self.loses += bytes.max(1);
        if self.reached {
            self.loses_after += bytes.max(1);
        }
    }

    /// From here on the fold makes up for what is lost, as it will when a filler stands here.
    fn lose(&mut self, bytes: u64) -> Result<()> {
        self.count_loss(bytes);
        let mark = filler_payload(2, true);
        for fold in [Some(&mut self.fold), self.target.as_mut()].into_iter().flatten() {
            let marked = fold.replay.shard(&mut fold.accounts, &mut fold.queue, &mark);
            marked.map_err(|why| Error::corrupt(&self.name, 0, why.to_string()))?;
        }
        Ok(())
    }

    /// Once the fold has come to the checkpoint: what the log has lost before, the checkpoint knows; else both say the same.
    fn reach(&mut self, next: Lsn) -> Result<()> {
        if self.reached || next < self.parts.lsn() {
            return Ok(());
        }
        self.reached = true;
        let Some(part) = self.parts.list().first() else { return Ok(()) };
        let queue = Queue::decode(&mut Reader::new(part.state()));
        let mut readable = queue.is_ok();
        let mut same = queue.as_ref().is_ok_and(|queue| *queue == self.fold.queue);
        let mut ids = self.fold.accounts.ids();
        ids.extend(self.parts.list().iter().flat_map(|part| part.accounts()));
        for id in ids {
            match self.parts.load(id).and_then(|account| account.map(|one| digest(&one)).transpose()) {
                Ok(found) => {
                    let folded = self.fold.accounts.load(id)?.map(|account| digest(&account)).transpose()?;
                    same &= found == folded;
                }
                Err(_) => readable = false,
            }
        }
        self.derived_bad |= !readable || (self.loses == 0 && !same);
        if let (Ok(queue), true, true) = (queue, readable, self.loses > 0) {
            for id in self.parts.list().iter().flat_map(|part| part.accounts()).collect::<BTreeSet<_>>() {
                if let Some(account) = self.parts.load(id)? {
                    self.references.check_account(&account, &mut self.lost)?;
                }
            }
            for item in queue.iter() {
                self.references.one(item.locator, item.guid, item.size_bytes, &mut self.lost);
            }
            self.target = Some(Fold::from(self.fold.shard, "target", self.parts.clone(), queue));
        }
        Ok(())
    }

    fn into_plan(self, derived_bad: bool) -> ShardPlan {
        let lenient = self.fold.replay.is_lenient();
        let loses = if self.target.is_some() { self.loses_after } else { self.loses };
        // An event of a new entry takes 32 bytes and more, one of changed flags ten and more.
        let raise =
            (lenient && loses > 0).then(|| (u32::try_from(loses / 32).unwrap_or(u32::MAX / 4) + 1, loses / 8 + 1));
        let known = self.target.is_some();
        let orphans = self.orphans.iter().filter(|(_, before)| !(known && *before)).map(|(at, _)| *at).collect();
        ShardPlan {
            shard: self.fold.shard,
            orphans,
            findings: self.findings,
            images: Vec::new(),
            aside: Vec::new(),
            misplaced: Vec::new(),
            lenient,
            raise,
            derived_bad: derived_bad || self.derived_bad,
            opens: false,
            steps: Vec::new(),
            fold: self.fold,
            target: self.target,
            lost: self.lost,
        }
    }
}
