//! One pass over a shard's log, damaged as it may be: folds what is there, counts what is lost, and meets the checkpoint on the way. A frame
//! that cannot be believed after all ends the pass, and the next one goes without it. Changes nothing.
use super::shard::ShardPlan;
use crate::base::bytes::Reader;
use crate::base::{AccountId, Error, Locator, Lsn, Result, ShardId};
use crate::disk::Disk;
use crate::format::mending::filler_payload;
use crate::format::{Event, FrameKind, Mending, MessageHead};
use crate::index::{Account, Mailbox, Parts};
use crate::queue::Queue;
use crate::rescue::audit::digest;
use crate::rescue::contents::{Contents, Unread, transactions};
use crate::rescue::finding::{Finding, Told, Watch};
use crate::rescue::fold::{Fold, Scratch};
use crate::rescue::heads::Heads;
use crate::rescue::inventory::{Log, Segment};
use crate::rescue::places::Places;
use crate::rescue::references::References;
use crate::rescue::survey::{Distrusted, Done, Item, Survey, Surveyed};
use crate::rescue::walk::Frame;
use std::collections::{BTreeSet, HashSet};
use std::rc::Rc;
use std::sync::Arc;

/// A frame that cannot be believed after all; the plan is made again without it.
pub(super) struct Distrust(pub(super) Locator, pub(super) String);

/// One pass over the log.
pub(super) struct Attempt<'a> {
    name: String,
    fold: Fold,
    target: Option<Fold>,
    contents: Rc<Contents>,
    references: References<'a>,
    lost: Places,
    parts: &'a Arc<Parts>,
    reached: bool,
    /// Bytes of events that may be lost, since the log was whole last; and those after the checkpoint.
    loses: u64,
    loses_after: u64,
    derived_bad: bool,
    is_compacted: bool,
    /// Accounts that differ from the checkpoint where it stands, perhaps only by what compaction has taken out of the log since; and the
    /// checkpoint with what follows it.
    later: Option<Box<(Vec<AccountId>, Fold)>>,
    pub(super) distrust: Option<Distrust>,
    /// Messages whose transaction has not ended.
    pending: Vec<Locator>,
    /// Messages whose transaction is lost, and whether the checkpoint may know of them.
    orphans: Vec<(Locator, bool)>,
    findings: Vec<Finding>,
    /// Messages that events of compacted segments name, and whether such events are lost.
    cold_filed: HashSet<Locator>,
    cold_events_lost: bool,
}

impl<'a> Attempt<'a> {
    pub(super) fn new(disk: &'a dyn Disk, shard: ShardId, log: &'a Log, parts: &'a Arc<Parts>) -> Attempt<'a> {
        Attempt {
            name: disk.full_path(&log.dir).display().to_string(),
            fold: Fold::new(shard, "repair"),
            target: None,
            contents: Rc::default(),
            references: References::new(Heads::new(disk, log)),
            lost: Places::default(),
            parts,
            reached: false,
            loses: 0,
            loses_after: 0,
            derived_bad: false,
            is_compacted: log.segments.iter().any(Segment::is_compacted),
            later: None,
            distrust: None,
            pending: Vec::new(),
            orphans: Vec::new(),
            findings: Vec::new(),
            cold_filed: HashSet::new(),
            cold_events_lost: false,
        }
    }

    pub(super) fn run(
        &mut self,
        done: &mut Done,
        log: &Log,
        distrusted: &Distrusted,
        scratch: Scratch<'_>,
        watch: Watch<'_>,
    ) -> Result<Surveyed> {
        let (contents, covered) = (self.contents.clone(), self.parts.lsn());
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
                Item::Block { at, frame, places } => self.block(at, frame, places),
                Item::Gone { places, why } => places.iter().for_each(|at| self.lost.add_message(*at, why)),
                Item::Hole { segment, lsn, hole } => {
                    let compacted = log.segment(segment).is_some_and(Segment::is_compacted);
                    if compacted {
                        self.cold_events_lost |= hole.loses_events();
                    } else {
                        self.lost.add(segment, hole.range.clone(), &hole.why);
                    }
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
                self.compare_later()?;
                Ok(found)
            }
        }
    }

    fn frame(&mut self, at: Locator, lsn: Lsn, frame: &Frame, scratch: Scratch<'_>) -> Result<()> {
        let payload = frame.payload.as_slice();
        match frame.header.kind {
            FrameKind::Message => {
                match self.contents.message(&frame.header, payload) {
                    // Its own bytes are as they were written: none of them is cut.
                    Err(Unread::Needs(why)) => self.lost.add(at.segment, frame.offset..frame.end(), &why),
                    Err(Unread::Damaged(why)) => {
                        self.distrust = Some(Distrust(at, why));
                        return Ok(());
                    }
                    Ok(_) => {}
                }
                if let Ok(head) = MessageHead::decode(payload) {
                    self.references.saw(at, head.guid, head.size_bytes);
                    self.pending.push(at);
                }
            }
            FrameKind::Events => {
                let all = match transactions(lsn, &frame.header, payload) {
                    Ok(all) => all,
                    Err(why) => {
                        self.distrust = Some(Distrust(at, why));
                        return Ok(());
                    }
                };
                let bytes = payload.len() / all.len().max(1);
                for (lsn, events) in &all {
                    self.reach(*lsn)?;
                    self.filed(events, frame.header.is_zstd());
                    self.references.check(events, &mut self.lost);
                    self.marks(events)?;
                    if let Err(why) = self.fold.events(*lsn, events, bytes, scratch)? {
                        self.distrust = Some(Distrust(at, why));
                        return Ok(());
                    }
                    if let Some(target) = &mut self.target
                        && target.events(*lsn, events, bytes, scratch)?.is_err()
                    {
                        self.target = None;
                    }
                    if let Some(later) = &mut self.later {
                        // Where it does not fit, the accounts differ in the end.
                        let _ = later.1.events(*lsn, events, bytes, scratch)?;
                    }
                }
            }
            _ => {}
        }
        if frame.header.ends_group() {
            self.pending.clear();
        }
        Ok(())
    }

    /// The messages of a block; those whose events are lost have nobody who is known to own them.
    fn block(&mut self, at: Locator, frame: &Frame, places: &[Option<Locator>]) {
        let known = !self.reached;
        for (index, place) in places.iter().enumerate() {
            match (self.contents.block_message(&frame.header, &frame.payload, index), place) {
                (Err(Unread::Needs(why)), Some(place)) => self.lost.add_message(*place, &why),
                (Err(Unread::Needs(_)), None) => {}
                (Err(Unread::Damaged(why)), _) => {
                    self.distrust = Some(Distrust(at, format!("message {index} of the block: {why}")));
                    return;
                }
                (Ok((guid, bytes)), Some(place)) => {
                    self.references.saw(*place, guid, bytes.len() as u32);
                    if self.cold_events_lost && !self.cold_filed.contains(place) {
                        self.orphans.push((*place, known));
                    }
                }
                (Ok(_), None) => {}
            }
        }
        if places.is_empty() {
            self.distrust = Some(Distrust(at, "the rows of a block expected".into()));
        }
    }

    /// Messages that an event names have found their place.
    fn filed(&mut self, events: &[Event], packed: bool) {
        for event in events {
            if let Event::Delivered { locator, .. } | Event::Queued { locator, .. } = event {
                if packed {
                    self.cold_filed.insert(*locator);
                }
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
        let later = self.later.as_mut().map(|later| &mut later.1);
        for fold in [Some(&mut self.fold), self.target.as_mut(), later].into_iter().flatten() {
            let marked = fold.replay.transaction(&mut fold.accounts, &mut fold.queue, &mark);
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
        let same_queue = queue.as_ref().is_ok_and(|queue| *queue == self.fold.queue);
        let (mut behind, mut differ) = (false, Vec::new());
        let mut ids = self.fold.accounts.ids();
        ids.extend(self.parts.list().iter().flat_map(|part| part.accounts()));
        for id in ids {
            let folded = self.fold.accounts.load(id)?;
            let known = self.parts.load(id);
            behind |= matches!((&known, &folded), (Ok(known), Some(folded)) if is_behind(known.as_ref(), folded));
            match known.and_then(|account| account.map(|one| digest(&one)).transpose()) {
                Ok(found) if found == folded.map(|account| digest(&account)).transpose()? => {}
                Ok(_) => differ.push(id),
                Err(_) => readable = false,
            }
        }
        // What is lost only makes the log know less: a checkpoint that has given out fewer uids than the log is of another log.
        self.derived_bad |= !readable || behind || (self.loses == 0 && !same_queue);
        if self.loses == 0 && !differ.is_empty() && !self.derived_bad {
            match self.is_compacted {
                true => {
                    let checkpoint =
                        Fold::from(self.fold.shard, "checkpoint", self.parts.clone(), self.fold.queue.clone());
                    self.later = Some(Box::new((differ, checkpoint)));
                }
                false => self.derived_bad = true,
            }
        }
        if let (Ok(queue), true, true, false) = (queue, readable, self.loses > 0, behind) {
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

    /// What was expunged after the checkpoint and then compacted away is in the checkpoint and not in the log: both agree where the log ends.
    fn compare_later(&mut self) -> Result<()> {
        let Some(later) = self.later.take() else { return Ok(()) };
        let (ids, checkpoint) = *later;
        let digest_in = |fold: &Fold, id| fold.accounts.load(id)?.map(|account| digest(&account)).transpose();
        for id in ids {
            self.derived_bad |= digest_in(&checkpoint, id)? != digest_in(&self.fold, id)?;
        }
        Ok(())
    }

    pub(super) fn into_plan(self, derived_bad: bool) -> ShardPlan {
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
            contents: self.contents,
            images: Vec::new(),
            aside: Vec::new(),
            misplaced: Vec::new(),
            lenient,
            raise,
            derived_bad: derived_bad || self.derived_bad,
            changes: false,
            opens: false,
            steps: Vec::new(),
            fold: self.fold,
            target: self.target,
            lost: self.lost,
        }
    }
}

/// Whether the checkpoint's account has given out less than the log's, which it cannot as of the same place.
fn is_behind(known: Option<&Account>, folded: &Account) -> bool {
    let Some(known) = known else { return !folded.is_purged() };
    let behind = |mailbox: &Arc<Mailbox>| {
        known
            .mailbox(mailbox.id)
            .is_some_and(|known| known.uid_next < mailbox.uid_next || known.highest_modseq < mailbox.highest_modseq)
    };
    known.mailbox_next < folded.mailbox_next || folded.mailboxes.iter().any(behind)
}
