//! What the control shard's log adds up to once it is mended, and the events that bring it to what it should be: from the checkpoint where
//! that knows more, else with made-up accounts for all mail that is there.
use super::image::Image;
use super::shard::Planner;
use super::step::{Act, Step};
use crate::base::{AccountId, Error, Lsn, Result, ShardId};
use crate::directory::{Directory, Event};
use crate::engine::checkpoint;
use crate::engine::replay::Replay;
use crate::format::mending::filler_payload;
use crate::format::{FrameKind, Mending};
use crate::index::Parts;
use crate::rescue::contents::{Contents, directory_events};
use crate::rescue::finding::{Finding, Told, Watch};
use crate::rescue::inventory::Log;
use crate::rescue::survey::{Distrusted, Item, Survey, Surveyed};
use std::path::PathBuf;

/// Bytes of a directory snapshot in one event.
const PIECE_BYTES: usize = 4 << 20;

/// What is to be done with the control shard.
pub(in crate::rescue) struct ControlPlan {
    pub(super) images: Vec<Image>,
    pub(super) aside: Vec<PathBuf>,
    pub(super) misplaced: Vec<PathBuf>,
    /// The log as it will fold once it is mended.
    pub(super) folded: Directory,
    /// The directory that it should be.
    pub(in crate::rescue) wanted: Directory,
    pub(super) lenient: bool,
    /// What the survey found.
    pub(in crate::rescue) findings: Vec<Finding>,
    pub(super) derived_bad: bool,
    pub(super) opens: bool,
    pub(super) steps: Vec<Step>,
}

struct ControlFold<'a> {
    directory: Directory,
    replay: Replay,
    target: Option<(Directory, Replay)>,
    parts: &'a Parts,
    reached: bool,
    loses: bool,
    derived_bad: bool,
    findings: Vec<Finding>,
}

impl Planner<'_> {
    pub(in crate::rescue) fn control(&mut self, log: &Log, watch: Watch<'_>) -> Result<ControlPlan> {
        let (parts, bad) = checkpoint::find(self.disk, ShardId::CONTROL, &log.dir)?;
        let mut distrusted = Distrusted::new();
        let start = *self.done;
        let (fold, found) = loop {
            *self.done = start;
            let mut fold = ControlFold {
                directory: Directory::default(),
                replay: Replay::default(),
                target: None,
                parts: &parts,
                reached: false,
                loses: false,
                derived_bad: !bad.is_empty(),
                findings: Vec::new(),
            };
            match self.control_pass(log, &distrusted, &mut fold, watch)? {
                Ok(found) => break (fold, found),
                Err((segment, offset, why)) => drop(distrusted.entry(segment).or_default().insert(offset, why)),
            }
        };
        let wanted = fold.target.map_or_else(|| fold.directory.clone(), |(directory, _)| directory);
        let mut plan = self.files(ShardId::CONTROL, log, &parts, &found, &distrusted, &Contents::default())?;
        if fold.replay.is_lenient() && wanted == fold.directory {
            let what =
                "events of it are lost: what later ones needed is made up, and what nobody mentions again is gone";
            let name = self.disk.full_path(&log.dir).display().to_string();
            plan.steps.push(Step::new(Act::Directory, name, what));
        }
        Ok(ControlPlan {
            images: plan.images,
            aside: plan.aside,
            misplaced: plan.misplaced,
            lenient: fold.replay.is_lenient(),
            folded: fold.directory,
            wanted,
            findings: fold.findings,
            derived_bad: fold.derived_bad,
            opens: plan.opens,
            steps: plan.steps,
        })
    }

    fn control_pass(
        &mut self,
        log: &Log,
        distrusted: &Distrusted,
        fold: &mut ControlFold<'_>,
        watch: Watch<'_>,
    ) -> Result<std::result::Result<Surveyed, (crate::base::SegmentId, u64, String)>> {
        let contents = Contents::default();
        let covered = fold.parts.lsn();
        let survey = Survey { disk: self.disk, log, contents: &contents, covered, live: false, distrusted };
        let mut distrust = None;
        let mut findings = Vec::new();
        let mut quiet = |told: Told<'_>| match told {
            Told::Finding(finding) => findings.push(finding.clone()),
            told => watch(told),
        };
        let surveyed = survey.run(self.done, &mut quiet, &mut |item, _| {
            match item {
                Item::Frame { at, lsn, frame } => {
                    fold.reach(lsn);
                    let why = match frame.header.kind {
                        FrameKind::Events => fold.frame(&frame.payload).err(),
                        kind => Some(format!("a frame of events expected, {kind:?} found")),
                    };
                    if let Some(why) = why {
                        distrust = Some((at.segment, frame.offset, why.clone()));
                        return Err(Error::Invalid(why));
                    }
                }
                Item::Hole { lsn, hole, .. } if hole.loses_events() => {
                    fold.reach(Lsn(lsn.start));
                    fold.lose();
                }
                // The directory's log is never compacted.
                Item::Hole { .. } | Item::Block { .. } | Item::Gone { .. } => {}
            }
            Ok(())
        });
        fold.findings = findings;
        match (distrust, surveyed) {
            (Some(distrust), _) => Ok(Err(distrust)),
            (None, Err(why)) => Err(why),
            (None, Ok(found)) => {
                fold.reach(Lsn(u64::MAX));
                Ok(Ok(found))
            }
        }
    }
}

impl ControlFold<'_> {
    fn frame(&mut self, payload: &[u8]) -> std::result::Result<(), String> {
        for event in directory_events(payload)? {
            match event {
                Event::Mending(Mending::EventsLost { .. }) => self.loses = true,
                Event::Mending(Mending::EventsWhole) => (self.loses, self.target) = (false, None),
                _ => {}
            }
        }
        self.replay.control(&mut self.directory, payload).map_err(|why| why.to_string())?;
        if let Some((directory, replay)) = &mut self.target
            && replay.control(directory, payload).is_err()
        {
            self.target = None;
        }
        Ok(())
    }

    fn lose(&mut self) {
        self.loses = true;
        let mark = filler_payload(2, true);
        // A filler says nothing that could contradict.
        let _ = self.replay.control(&mut self.directory, &mark);
        if let Some((directory, replay)) = &mut self.target {
            let _ = replay.control(directory, &mark);
        }
    }

    fn reach(&mut self, next: Lsn) {
        if self.reached || next < self.parts.lsn() {
            return;
        }
        self.reached = true;
        let Some(part) = self.parts.list().first() else { return };
        match Directory::decode_snapshot(part.state()) {
            Err(_) => self.derived_bad = true,
            Ok(snapshot) if self.loses => self.target = Some((snapshot, Replay::default())),
            Ok(snapshot) => self.derived_bad |= snapshot != self.directory,
        }
    }
}

impl ControlPlan {
    /// The events that bring the mended log to the directory that it should be, with somebody for every id below `next`; a frame each.
    pub(super) fn changes(&self, name: &str, next: AccountId, steps: &mut Vec<Step>) -> Vec<Vec<Event>> {
        let mut frames = Vec::new();
        let mut directory = self.wanted.clone();
        if self.wanted != self.folded {
            let mut snapshot = Vec::new();
            directory.encode_snapshot(&mut snapshot);
            let count = snapshot.len().div_ceil(PIECE_BYTES);
            for (at, piece) in snapshot.chunks(PIECE_BYTES).enumerate() {
                frames.push(vec![Event::DirectoryPut { last: at + 1 == count, bytes: piece.to_vec() }]);
            }
            let what = format!("as the checkpoint knows it: {} accounts", directory.account_count());
            steps.push(Step::new(Act::Restore, name, what));
        }
        let made_up = directory.make_up_accounts(next);
        for event in &made_up {
            if let Event::AccountAdded(account) = event {
                let what = format!(
                    "account {} has mail and the directory never heard of it: it gets the address {}",
                    account.id, account.address
                );
                steps.push(Step::new(Act::Directory, name, what));
            }
        }
        if !made_up.is_empty() {
            frames.push(made_up);
        }
        if self.lenient {
            frames.push(vec![Event::Mending(Mending::EventsWhole)]);
        }
        frames
    }
}
