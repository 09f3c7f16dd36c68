//! Makes everything that is derived anew from the segments alone, and proves that it says what it said before. The former files are kept until
//! the new ones are proven, and then lie in lost+found/.
use super::audit::digest;
use super::finding::{Told, Watch};
use super::fold::{Fold, Scratch};
use super::keep::{flat, move_aside};
use super::lock::lock;
use crate::base::bytes::Reader;
use crate::base::limits::SEGMENT_BYTES_DEFAULT;
use crate::base::{AccountId, Clock, Error, Lsn, Result, ShardId};
use crate::directory::Directory;
use crate::disk::Disk;
use crate::engine::replay::Replay;
use crate::engine::{checkpoint, shard_dir, store_file};
use crate::format::{FrameKind, FrameRef};
use crate::log::{self, LogOptions};
use crate::queue::Queue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Accounts named in a report.
const DIFFERENT_MAX: usize = 1000;

/// What was rebuilt, and whether it is what was there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rebuilt {
    /// Accounts in the new checkpoints.
    pub accounts: u64,
    /// Their entries.
    pub entries: u64,
    /// Bytes that they are charged.
    pub used_bytes: u64,
    /// Messages in the queue.
    pub queued: u64,
    /// Accounts in the directory.
    pub directory_accounts: u64,
    /// Event frames folded.
    pub events: u64,
    /// Accounts that were there before and were compared.
    pub compared: u64,
    /// What is not as it was before: at most 1000 lines.
    pub different: Vec<String>,
    /// Former files that could not be read, and why: nothing could be compared with them.
    pub unreadable: Vec<String>,
    /// Where the former files are now.
    pub moved: Vec<String>,
    /// What recovery cut from the ends of logs.
    pub notices: Vec<String>,
}

/// What a shard's log is opened with.
pub struct Tools<'a> {
    /// The data directory.
    pub disk: Arc<dyn Disk>,
    /// For the names of kept files.
    pub clock: Arc<dyn Clock>,
    /// Scratch files.
    pub scratch: Scratch<'a>,
}

/// Rebuilds.
///
/// # Errors
/// `Busy`: somebody has the store open. `Corrupt`: the log is damaged, so that nothing can be made from it; everything is as before then,
/// but for torn ends of logs, which every start cuts.
pub fn rebuild(tools: &mut Tools<'_>, watch: Watch<'_>) -> Result<Rebuilt> {
    let _lock = lock(&*tools.disk)?;
    rebuild_locked(tools, watch)
}

/// The same for who has the lock.
pub(super) fn rebuild_locked(tools: &mut Tools<'_>, watch: Watch<'_>) -> Result<Rebuilt> {
    let shards = store_file::read(&*tools.disk)?;
    let shards = shards.ok_or_else(|| {
        Error::NotFound(format!("a store in {}", tools.disk.full_path(std::path::Path::new("")).display()))
    })?;
    let mut report = Rebuilt::default();
    let stamp = tools.clock.now_ms();
    all_logs_fold(tools, shards, &mut report.notices)?;
    control(tools, stamp, &mut report)?;
    for shard in (0..shards).map(ShardId) {
        one_shard(tools, shard, stamp, &mut report)?;
        watch(Told::Progress { done_bytes: u64::from(shard.0) + 1, total_bytes: u64::from(shards) });
    }
    Ok(report)
}

/// One damaged log is enough to refuse: found before the first checkpoint is written, and not when half of the store has new ones.
fn all_logs_fold(tools: &mut Tools<'_>, shards: u16, notices: &mut Vec<String>) -> Result<()> {
    directory_from(tools, Directory::default(), Lsn(0), notices)?;
    let mut report = Rebuilt::default();
    for shard in (0..shards).map(ShardId) {
        folded(tools, Fold::new(shard, "check"), &mut report)?;
    }
    notices.append(&mut report.notices);
    Ok(())
}

/// Opens a shard's log, which settles its end, and gives the events from `from` on.
pub(super) fn open(
    disk: &Arc<dyn Disk>,
    clock: &Arc<dyn Clock>,
    shard: ShardId,
    from: Lsn,
    notices: &mut Vec<String>,
    apply: &mut dyn FnMut(Lsn, FrameRef<'_>) -> Result<()>,
) -> Result<(log::Writer, Lsn)> {
    let options = LogOptions {
        shard,
        dir: shard_dir(shard),
        segment_bytes_max: SEGMENT_BYTES_DEFAULT,
        epoch: 1,
        writes_ahead: false,
    };
    let mut events = |lsn: Lsn, frame: FrameRef<'_>| match frame.header.kind {
        FrameKind::Events => apply(lsn, frame),
        _ => Ok(()),
    };
    let (writer, _, recovered) = log::open(disk.clone(), clock.clone(), options, from, &mut events)?;
    notices.extend(recovered.cut.map(|cut| {
        let copy = cut.copy.map_or(String::new(), |path| format!("; a copy is in {}", path.display()));
        format!("{}: cut {} bytes of a torn tail at byte {} ({}){copy}", cut.file, cut.bytes, cut.offset, cut.reason)
    }));
    Ok((writer, recovered.end))
}

fn folded(tools: &mut Tools<'_>, mut fold: Fold, report: &mut Rebuilt) -> Result<(Fold, Lsn)> {
    let (shard, from) = (fold.shard, fold.at);
    let Tools { disk, clock, scratch } = tools;
    let name = disk.full_path(&shard_dir(shard)).display().to_string();
    let mut events = 0;
    let (_, end) = open(disk, clock, shard, from, &mut report.notices, &mut |lsn, frame| {
        events += 1;
        let done = fold.apply(lsn, frame, *scratch)?;
        done.map_err(|why| Error::corrupt(&name, lsn.0, format!("the events at this Lsn: {why}")))
    })?;
    report.events += events;
    Ok((fold, end))
}

type Digests = BTreeMap<AccountId, u64>;

fn digests(fold: &Fold, unreadable: &mut Vec<String>) -> Result<Digests> {
    let mut all = Digests::new();
    for id in fold.accounts.ids() {
        match fold.accounts.load(id).and_then(|account| account.map(|account| digest(&account)).transpose()) {
            Ok(digest) => drop(digest.map(|digest| all.insert(id, digest))),
            Err(why) => unreadable.push(format!("account {id}: {why}")),
        }
    }
    Ok(all)
}

/// The state as the former checkpoint and the events after it say; `None` when there is no checkpoint that can be read.
fn former(tools: &mut Tools<'_>, shard: ShardId, report: &mut Rebuilt) -> Result<Option<(Digests, Queue)>> {
    let (parts, bad) = checkpoint::find(&*tools.disk, shard, &shard_dir(shard))?;
    report.unreadable.extend(bad.iter().map(ToString::to_string));
    let Some(part) = parts.list().first().cloned() else { return Ok(None) };
    let queue = match Queue::decode(&mut Reader::new(part.state())) {
        Ok(queue) => queue,
        Err(why) => {
            report.unreadable.push(format!("{}: {why}", part.file_name()));
            return Ok(None);
        }
    };
    let events = report.events;
    let fold = Fold::from(shard, "former", Arc::new(parts), queue);
    let found = folded(tools, fold, report);
    report.events = events;
    match found {
        Ok((fold, _)) => Ok(Some((digests(&fold, &mut report.unreadable)?, fold.queue))),
        Err(why) => {
            report.unreadable.push(why.to_string());
            Ok(None)
        }
    }
}

fn one_shard(tools: &mut Tools<'_>, shard: ShardId, stamp: i64, report: &mut Rebuilt) -> Result<()> {
    let former = former(tools, shard, report)?;
    let (fold, end) = folded(tools, Fold::new(shard, "rebuild"), report)?;
    let mut unreadable = Vec::new();
    let now = digests(&fold, &mut unreadable)?;
    if let Some((before, queue)) = former {
        compare(&before, &now, report);
        if queue != fold.queue {
            different(report, format!("shard {shard}: the queue"));
        }
    }
    let disk = &*tools.disk;
    let part = checkpoint::write_whole(disk, shard, end, &fold.accounts, &fold.queue.encode())?;
    // What was written is read back before the former files go.
    let (parts, _) = checkpoint::find(disk, shard, &shard_dir(shard))?;
    let written = Fold::from(shard, "written", Arc::new(parts), Queue::default());
    if digests(&written, &mut unreadable)? != now || !unreadable.is_empty() {
        let name = disk.full_path(&shard_dir(shard)).display().to_string();
        return Err(Error::corrupt(name, 0, "the new checkpoint does not say what was written to it"));
    }
    report.queued += fold.queue.len() as u64;
    for id in now.keys() {
        let Some(account) = fold.accounts.load(*id)? else { continue };
        report.accounts += 1;
        report.entries += account.messages;
        report.used_bytes += account.used_bytes;
    }
    report.moved.extend(move_former(&*tools.disk, shard, part, stamp)?);
    Ok(())
}

fn compare(before: &Digests, now: &Digests, report: &mut Rebuilt) {
    report.compared += before.len() as u64;
    for (id, digest) in before {
        match now.get(id) {
            Some(found) if found == digest => {}
            Some(_) => different(report, format!("account {id}: other mailboxes, entries or counters")),
            None => different(report, format!("account {id}: not in the log")),
        }
    }
    for id in now.keys().filter(|id| !before.contains_key(id)) {
        // One whose former record could not be read is not new.
        if report.unreadable.is_empty() {
            different(report, format!("account {id}: only in the log"));
        }
    }
}

fn different(report: &mut Rebuilt, line: String) {
    if report.different.len() < DIFFERENT_MAX {
        report.different.push(line);
    }
}

fn control(tools: &mut Tools<'_>, stamp: i64, report: &mut Rebuilt) -> Result<()> {
    let shard = ShardId::CONTROL;
    let dir = shard_dir(shard);
    let (parts, bad) = checkpoint::find(&*tools.disk, shard, &dir)?;
    report.unreadable.extend(bad.iter().map(ToString::to_string));
    let former = match parts.list().first() {
        Some(part) => {
            let snapshot = Directory::decode_snapshot(part.state());
            let found = snapshot.and_then(|start| directory_from(tools, start, parts.lsn(), &mut report.notices));
            found.map_err(|why| report.unreadable.push(format!("{}: {why}", part.file_name()))).ok()
        }
        None => None,
    };
    let (directory, end, events) = directory_from(tools, Directory::default(), Lsn(0), &mut report.notices)?;
    report.events += events;
    if former.is_some_and(|(former, _, _)| former != directory) {
        different(report, "the directory".into());
    }
    let mut state = Vec::new();
    directory.encode_snapshot(&mut state);
    let part = checkpoint::write_whole(&*tools.disk, shard, end, &crate::index::Accounts::default(), &state)?;
    report.directory_accounts = directory.account_count() as u64;
    report.moved.extend(move_former(&*tools.disk, shard, part, stamp)?);
    Ok(())
}

fn directory_from(
    tools: &Tools<'_>,
    mut directory: Directory,
    from: Lsn,
    notices: &mut Vec<String>,
) -> Result<(Directory, Lsn, u64)> {
    let (mut replay, mut events) = (Replay::default(), 0);
    let name = tools.disk.full_path(&shard_dir(ShardId::CONTROL)).display().to_string();
    let (_, end) = open(&tools.disk, &tools.clock, ShardId::CONTROL, from, notices, &mut |lsn, frame| {
        events += 1;
        let done = replay.control(&mut directory, frame.payload);
        done.map_err(|why| Error::corrupt(&name, lsn.0, format!("the events at this Lsn: {why}")))
    })?;
    Ok((directory, end, events))
}

/// All index parts but `keep` go to lost+found/.
pub(super) fn move_former(disk: &dyn Disk, shard: ShardId, keep: u32, stamp: i64) -> Result<Vec<String>> {
    let dir = shard_dir(shard);
    let mut moved = Vec::new();
    let names = disk.list(&dir).map_err(|why| Error::io(format!("list {}", disk.full_path(&dir).display()), why))?;
    for name in names.iter().filter(|name| checkpoint::part_number(name).is_some_and(|number| number != keep)) {
        let path = dir.join(name);
        let kept = move_aside(disk, &path, &format!("{}-{stamp}.former", flat(&path)))?;
        moved.push(kept.display().to_string());
    }
    Ok(moved)
}
