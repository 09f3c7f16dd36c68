//! Carries a plan out, in an order that a crash at any point leaves fit for the next attempt: first proven files beside the damaged ones, then
//! renames, then events at the logs' ends, then new checkpoints.
use super::control::ControlPlan;
use super::shard::ShardPlan;
use super::state::{self, Group, Words};
use super::{Repair, Repaired, write};
use crate::base::{Error, Lsn, Result, ShardId};
use crate::directory::{self, Directory};
use crate::disk::Disk;
use crate::engine::replay::Replay;
use crate::engine::{checkpoint, shard_dir, store_file};
use crate::format::{Event, FrameKind, Mending};
use crate::index::mime;
use crate::log::Writer;
use crate::rescue::audit::digest;
use crate::rescue::contents::Contents;
use crate::rescue::describe::describe;
use crate::rescue::finding::{Told, Watch};
use crate::rescue::fold::{Fold, Scratch};
use crate::rescue::heads::Heads;
use crate::rescue::inventory::Log;
use crate::rescue::keep::{flat, move_aside};
use crate::rescue::rebuild::{Tools, move_former, open};
use std::rc::Rc;

/// Bytes of events in one frame.
const FRAME_BYTES: usize = 4 << 20;
/// Bytes of events after which they are made durable.
const COMMIT_BYTES: usize = 8 << 20;

/// What is known of messages by their places, for the words of steps.
pub(super) fn describer<'a>(
    disk: &'a dyn Disk,
    log: &'a Log,
    contents: Rc<Contents>,
) -> impl FnMut(crate::base::Locator) -> Option<String> + 'a {
    let mut heads = Heads::new(disk, log);
    move |at| {
        let summary = heads.summary(at, &contents)?;
        describe(mime::envelope(&summary).ok()?)
    }
}

impl Repair {
    /// Does what the plan says.
    ///
    /// # Errors
    /// `Corrupt`: what was mended is not what was planned; nothing more is done then. `Io`, `NoSpace`: it can be tried again.
    pub fn apply(self, tools: &mut Tools<'_>, watch: Watch<'_>) -> Result<Repaired> {
        let mut done = Repaired { steps: self.steps.clone(), ..Repaired::default() };
        if self.steps.is_empty() {
            return Ok(done);
        }
        let stamp = tools.clock.now_ms();
        self.files(&*tools.disk, stamp, &mut done)?;
        if let Some(count) = self.store {
            for shard in (0..count).map(ShardId).chain([ShardId::CONTROL]) {
                // A shard of which nothing is left begins anew.
                open(&tools.disk, &tools.clock, shard, Lsn(0), &mut done.notices, &mut |_, _| Ok(()))?;
            }
            store_file::write(&*tools.disk, count)?;
        }
        let total = self.shards.len() as u64 + 1;
        self.control.finish(tools, self.account_next, stamp, &mut done)?;
        for (at, plan) in self.shards.iter().enumerate() {
            watch(Told::Progress { done_bytes: at as u64 + 1, total_bytes: total });
            plan.finish(tools, &self.control.wanted, stamp, &mut done)?;
        }
        Ok(done)
    }

    /// Every image is written and proven before the first one goes to its place.
    fn files(&self, disk: &dyn Disk, stamp: i64, done: &mut Repaired) -> Result<()> {
        let images = || self.shards.iter().flat_map(|plan| &plan.images).chain(&self.control.images);
        let none = Rc::default();
        let of_control = self.control.images.iter().map(|image| (image, &none));
        let of_shards = self.shards.iter().flat_map(|plan| plan.images.iter().map(|image| (image, &plan.contents)));
        for (image, contents) in of_shards.chain(of_control) {
            let kept = write::write(disk, image, contents, stamp)?;
            done.kept.extend(kept.iter().map(|path| path.display().to_string()));
        }
        let aside = self.shards.iter().flat_map(|plan| &plan.aside).chain(&self.control.aside);
        for path in aside {
            let kept = move_aside(disk, path, &format!("{}-{stamp}.aside", flat(path)))?;
            done.kept.push(kept.display().to_string());
        }
        // The images' names are durable before the first one takes the place of what another was made from, and all are in their places for
        // good before anything that they were made from goes.
        self.sync(disk)?;
        images().try_for_each(|image| write::place(disk, image))?;
        self.sync(disk)?;
        let misplaced = self.shards.iter().flat_map(|plan| &plan.misplaced).chain(&self.control.misplaced);
        for path in misplaced.filter(|path| images().all(|image| image.to != **path)) {
            disk.remove(path).map_err(|why| Error::io(format!("remove {}", disk.full_path(path).display()), why))?;
        }
        self.sync(disk)
    }

    /// The names in all directories.
    fn sync(&self, disk: &dyn Disk) -> Result<()> {
        for dir in self.shards.iter().map(|plan| shard_dir(plan.shard)).chain([shard_dir(ShardId::CONTROL)]) {
            match disk.sync_dir(&dir) {
                Err(why) if why.kind() != std::io::ErrorKind::NotFound => {
                    return Err(Error::io(format!("sync {}", disk.full_path(&dir).display()), why));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// What was put back carries no time by itself: a restore to a later one must know that it was there by then.
fn dated(stamp_ms: i64) -> Mending {
    Mending::Dated { when: stamp_ms.div_euclid(1000) }
}

/// Adds events that belong together at the log's end. Durable with the next commit, all of them or none.
fn push(writer: &mut Writer, fold: &mut Fold, group: &Group, scratch: Scratch<'_>, name: &str) -> Result<()> {
    let mut frames: Vec<Vec<u8>> = vec![Vec::new()];
    for event in group {
        if frames.last().is_some_and(|frame| frame.len() >= FRAME_BYTES) {
            frames.push(Vec::new());
        }
        if let Some(frame) = frames.last_mut() {
            event.encode(frame);
        }
    }
    for frame in frames.iter().filter(|frame| !frame.is_empty()) {
        let lsn = writer.end();
        let applied = fold.transaction(lsn, frame, scratch)?;
        applied.map_err(|why| Error::corrupt(name, lsn.0, format!("a planned event contradicts the state: {why}")))?;
        writer.push(FrameKind::Events, 0, 0, &[frame])?;
    }
    if writer.group_bytes() >= COMMIT_BYTES {
        writer.commit()?;
    }
    Ok(())
}

impl ShardPlan {
    fn finish(&self, tools: &mut Tools<'_>, directory: &Directory, stamp: i64, done: &mut Repaired) -> Result<()> {
        let name = tools.disk.full_path(&shard_dir(self.shard)).display().to_string();
        if !self.changes && self.images.is_empty() && !self.derived_bad && !self.opens {
            return Ok(());
        }
        let mut fold = Fold::new(self.shard, "mended");
        let Tools { disk, clock, scratch } = tools;
        let (mut writer, _) = open(disk, clock, self.shard, Lsn(0), &mut done.notices, &mut |lsn, frame| {
            let applied = fold.apply(lsn, frame, *scratch)?;
            applied.map_err(|why| Error::corrupt(&name, lsn.0, format!("the events at this Lsn: {why}")))
        })?;
        self.is_as_planned(&fold, &name)?;
        let (mut steps, mut nothing) = (Vec::new(), |_| None);
        let mut words = Words { name: &name, directory, describe: &mut nothing, steps: &mut steps };
        state::changes(self, &mut words, &mut |group| push(&mut writer, &mut fold, &group, *scratch, &name))?;
        if self.changes {
            push(&mut writer, &mut fold, &vec![Event::Mending(dated(stamp))], *scratch, &name)?;
        }
        writer.commit()?;
        let state = fold.queue.encode();
        let part = checkpoint::write_whole(&**disk, self.shard, writer.end(), &fold.accounts, &state)?;
        done.kept.extend(move_former(&**disk, self.shard, part, stamp)?);
        Ok(())
    }

    /// The mended log adds up to what was planned with.
    fn is_as_planned(&self, fold: &Fold, name: &str) -> Result<()> {
        let wrong = |what: String| Err(Error::corrupt(name, 0, format!("the mended log is not as planned: {what}")));
        if fold.accounts.ids() != self.fold.accounts.ids() {
            return wrong("other accounts".into());
        }
        for id in fold.accounts.ids() {
            let of = |fold: &Fold| fold.accounts.load(id)?.map(|account| digest(&account)).transpose();
            if of(fold)? != of(&self.fold)? {
                return wrong(format!("account {id}"));
            }
        }
        if fold.queue != self.fold.queue || fold.replay.is_lenient() != self.lenient {
            return wrong("the queue or the marks of lost events".into());
        }
        Ok(())
    }
}

impl ControlPlan {
    fn finish(
        &self,
        tools: &mut Tools<'_>,
        account_next: crate::base::AccountId,
        stamp: i64,
        done: &mut Repaired,
    ) -> Result<()> {
        let shard = ShardId::CONTROL;
        let name = tools.disk.full_path(&shard_dir(shard)).display().to_string();
        let mut frames = self.changes(&name, account_next, &mut Vec::new());
        if !frames.is_empty() {
            frames.push(vec![directory::Event::Mending(dated(stamp))]);
        }
        if frames.is_empty() && self.images.is_empty() && !self.derived_bad && !self.opens {
            return Ok(());
        }
        let (mut directory, mut replay) = (Directory::default(), Replay::default());
        let (disk, clock) = (&tools.disk, &tools.clock);
        let (mut writer, _) = open(disk, clock, shard, Lsn(0), &mut done.notices, &mut |lsn, frame| {
            let applied = replay.control(&mut directory, frame.payload);
            applied.map_err(|why| Error::corrupt(&name, lsn.0, format!("the events at this Lsn: {why}")))
        })?;
        if directory != self.folded || replay.is_lenient() != self.lenient {
            return Err(Error::corrupt(name, 0, "the mended directory is not as planned"));
        }
        for events in &frames {
            let mut payload = Vec::new();
            events.iter().for_each(|event| event.encode(&mut payload));
            let applied = replay.control(&mut directory, &payload);
            applied.map_err(|why| Error::corrupt(&name, 0, format!("a planned event contradicts: {why}")))?;
            writer.push(FrameKind::Events, 0, 0, &[&payload])?;
        }
        writer.commit()?;
        let mut state = Vec::new();
        directory.encode_snapshot(&mut state);
        let accounts = crate::index::Accounts::default();
        let part = checkpoint::write_whole(&*tools.disk, shard, writer.end(), &accounts, &state)?;
        done.kept.extend(move_former(&*tools.disk, shard, part, stamp)?);
        Ok(())
    }
}
