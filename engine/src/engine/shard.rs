//! One account shard: its committer, its views, its log for reading.
use super::bytes::Bytes;
use super::checkpoint;
use super::committer::{Committer, Core, Counters, Shared, Waiting};
use super::pace::{Coming, Pace};
use super::parts::TailParts;
use super::published::Published;
use super::queue_watch::QueueFeed;
use super::replay::{DecodeOrState, Replay};
use super::reserve::{Need, Reserve};
use super::turning::Turning;
use super::types::{Options, ShardStatus};
use super::watch::Watchers;
use crate::base::bytes::{DecodeError, Reader};
use crate::base::limits::RESERVE_SLACK_BYTES;
use crate::base::{Error, Locator, Lsn, Result, ShardId};
use crate::delivery::{Dictionaries, Dictionary, MessageReader};
use crate::index::{Accounts, Part, Parts};
use crate::log::{self, FrameKind, FrameRef, LogOptions, Segments, Writer};
use crate::queue::Queue;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

pub(crate) struct Shard {
    pub(super) shared: Arc<Shared>,
    pub(super) segments: Arc<Segments>,
    pub(super) reader: MessageReader,
    pub(super) committer: Committer,
    pub(super) latch: Arc<crate::disk::Latch>,
    /// What its start had to say.
    notes: Vec<String>,
}

pub(crate) fn dir(shard: ShardId) -> PathBuf {
    match shard {
        ShardId::CONTROL => PathBuf::from("shards/control"),
        ShardId(number) => PathBuf::from(format!("shards/{number:05}")),
    }
}

/// A shard's log with the newest checkpoint under it; `apply` gets the events after it.
pub(super) struct Opened {
    pub(super) writer: Writer,
    pub(super) segments: Arc<Segments>,
    pub(super) notices: Vec<String>,
}

/// Opens a shard over the newest checkpoint that can be used: one that the log's events do not fit, as a record or a chunk of it is damaged,
/// is passed over for the one before it, and at last for the log alone. `open` gets the checkpoint and a position up to which the log is
/// known to be whole.
pub(super) fn over_checkpoints<T>(
    options: &Options,
    shard: ShardId,
    open: &mut dyn FnMut(Arc<Parts>, Lsn) -> Result<T>,
) -> Result<(T, Vec<String>)> {
    let (disk, dir) = (&*options.disk, dir(shard));
    let (mut parts, mut notices) = checkpoint::load(disk, shard, &dir)?;
    let covered = parts.lsn();
    let mut first = None;
    loop {
        let number = parts.list().first().map(|part| part.id());
        let why = match open(Arc::new(parts), covered) {
            Ok(opened) => return Ok((opened, notices)),
            Err(why) => why,
        };
        // What is wrong with the log itself is wrong over every checkpoint.
        let of_state = matches!(&why, Error::Corrupt { file, .. } if !file.ends_with(".phl"));
        let Some(number) = number.filter(|_| of_state) else { return Err(first.unwrap_or(why)) };
        let (older, bad) = checkpoint::find_below(disk, shard, &dir, number)?;
        notices.push(checkpoint::passed_over(&why));
        notices.extend(bad.iter().map(checkpoint::passed_over));
        let from = match older.list().first() {
            Some(part) => format!("the checkpoint before it, {}", part.file_name()),
            None => "its beginning".to_owned(),
        };
        notices.push(format!("{}: the log is replayed from {from}", options.disk.full_path(&dir).display()));
        first.get_or_insert(why);
        parts = older;
    }
}

/// Opens a shard's log from `from` on; up to `covered` it is known to be whole.
pub(super) fn open_log(
    options: &Options,
    shard: ShardId,
    from: Lsn,
    covered: Lsn,
    apply: &mut dyn FnMut(Lsn, FrameRef<'_>) -> Result<(), DecodeOrState>,
) -> Result<Opened> {
    // The directory seldom changes.
    let writes_ahead = shard != ShardId::CONTROL;
    let segment_bytes_max = options.segment_bytes_max;
    let log = LogOptions { shard, dir: dir(shard), segment_bytes_max, epoch: 1, writes_ahead };
    let name = options.disk.full_path(&dir(shard)).display().to_string();
    let mut fold = |lsn: Lsn, frame: FrameRef<'_>| {
        apply(lsn, frame).map_err(|why| Error::corrupt(&name, lsn.0, format!("the events at this Lsn: {why}")))
    };
    let (writer, segments, recovered) =
        log::open_covered(options.disk.clone(), options.clock.clone(), log, from, covered, &mut fold)?;
    let mut notices = Vec::new();
    if let Some(cut) = &recovered.cut {
        let copy = cut.copy.as_ref().map_or(String::new(), |path| format!("; a copy is in {}", path.display()));
        let (file, offset, bytes, reason) = (&cut.file, cut.offset, cut.bytes, &cut.reason);
        notices.push(format!("{file}: cut {bytes} bytes of a torn tail at byte {offset} ({reason}){copy}"));
    }
    Ok(Opened { writer, segments, notices })
}

/// What the next checkpoint needs, and room for it when there is something to write already. A full disk keeps no store closed.
fn room(shared: &Shared, accounts: &Accounts, queue: &Queue, notices: &mut Vec<String>) -> (Need, Reserve) {
    let mut dictionaries = Vec::new();
    shared.dictionaries.encode(&mut dictionaries);
    let mut need = Need::default();
    need.state_bytes = queue.encoded_bytes() + dictionaries.len() as u64;
    need.measure_all(accounts);
    let mut reserve = Reserve::new(shared.disk.clone(), &shared.dir);
    if accounts.dirty_ids().next().is_some() && reserve.hold(need.bytes() + RESERVE_SLACK_BYTES).is_err() {
        let dir = shared.disk.full_path(&shared.dir);
        notices.push(format!("{}: the disk is full; no change is taken before there is room", dir.display()));
    }
    (need, reserve)
}

/// A shard's state after the last event of its log.
struct Folded {
    parts: Arc<Parts>,
    accounts: Accounts,
    queue: Queue,
    dictionaries: Arc<Dictionaries>,
    opened: Opened,
}

impl Folded {
    /// Folds the events behind the checkpoint `parts` into it.
    fn open(options: &Options, shard: ShardId, parts: Arc<Parts>, covered: Lsn) -> Result<Folded> {
        let state = parts.list().first().map(|part| part.state()).unwrap_or_default();
        let mut state = Reader::new(state);
        let corrupt = |why: DecodeError| Error::corrupt("checkpoint", 0, why.to_string());
        let mut queue = Queue::decode(&mut state).map_err(corrupt)?;
        let dictionaries = Dictionaries::decode(&mut state).map_err(corrupt)?;
        let mut accounts = Accounts::new(parts.clone());
        let (mut newer, mut replay) = (Vec::new(), Replay::default());
        let opened = open_log(options, shard, parts.lsn(), covered, &mut |lsn, frame| match frame.header.kind {
            FrameKind::Dictionary => {
                newer.push((frame.header.dictionary, lsn));
                Ok(())
            }
            _ => replay.shard(&mut accounts, &mut queue, (parts.lsn(), lsn), frame),
        })?;
        let dictionaries = match dictionaries {
            Some(dictionaries) => dictionaries,
            None => Dictionaries::scan(&opened.segments)?,
        };
        let dictionaries = Arc::new(dictionaries);
        for (id, lsn) in newer {
            let at = opened.segments.locate(lsn);
            dictionaries
                .found(id, at.ok_or_else(|| Error::corrupt("log", lsn.0, "a dictionary within the log expected"))?);
        }
        Ok(Folded { parts, accounts, queue, dictionaries, opened })
    }
}

impl Shard {
    pub(super) fn open(
        options: &Options,
        shard: ShardId,
        feed: &Arc<QueueFeed>,
        coming: &Coming,
    ) -> Result<(Shard, Vec<String>)> {
        let disk = &options.disk;
        let (folded, mut notices) =
            over_checkpoints(options, shard, &mut |parts, covered| Folded::open(options, shard, parts, covered))?;
        let Folded { parts, mut accounts, queue, dictionaries, opened } = folded;
        notices.extend(opened.notices);
        let dirty = accounts.take_dirty();
        accounts.keep_dirty(&dirty);
        let shared = Arc::new(Shared {
            disk: disk.clone(),
            clock: options.clock.clone(),
            shard,
            dir: dir(shard),
            published: Published::new(dirty, parts.clone(), queue.clone()),
            watchers: Watchers::default(),
            queue_feed: feed.clone(),
            counters: Counters::default(),
            dictionaries: dictionaries.clone(),
            promises: Arc::default(),
        });
        shared.counters.checkpoint_lsn.store(parts.lsn().0, Ordering::Relaxed);
        let latch = opened.writer.latch().clone();
        let (need, reserve) = room(&shared, &accounts, &queue, &mut notices);
        let core = Core {
            shared: shared.clone(),
            writer: opened.writer,
            accounts,
            queue,
            parts: TailParts::default(),
            checkpoint_log_bytes: options.checkpoint_log_bytes,
            checkpoint_running: false,
            checkpoint_not_before: Lsn(0),
            next_part: checkpoint::next_number(&**disk, &dir(shard))?,
            need,
            reserve,
            pace: Pace::new(coming.clone()),
            turning: Turning::default(),
            waiting: Waiting::default(),
        };
        let committer = Committer::start(&format!("commit-{shard}"), core)
            .map_err(|why| Error::io(format!("start the committer of shard {shard}"), why))?;
        let reader = MessageReader::new(opened.segments.clone(), dictionaries);
        let notes = notices.clone();
        Ok((Shard { shared, segments: opened.segments, reader, committer, latch, notes }, notices))
    }

    /// The summary of the message at `at`.
    pub(super) fn summary(&self, at: Locator) -> Result<Bytes> {
        self.reader.summary(at).map(Bytes::from)
    }

    /// What the shard's mail was compressed with last; what cannot be read is said, and hinders only those who read that mail.
    pub(super) fn newest_dictionary(&self, notices: &mut Vec<String>) -> Option<Arc<Dictionary>> {
        let newest = self.shared.dictionaries.newest(&self.segments);
        newest.unwrap_or_else(|why| {
            notices.push(format!("a dictionary cannot be read, nor the mail that was compressed with it: {why}"));
            None
        })
    }

    pub(super) fn status(&self) -> ShardStatus {
        let files = self.segments.files();
        let counters = &self.shared.counters;
        ShardStatus {
            name: self.shared.shard.to_string(),
            latched: self.latch.reason().map(str::to_owned),
            notes: self.notes.clone(),
            log_bytes: files.iter().map(|file| file.len_bytes).sum(),
            segments: files.len() as u64,
            groups: counters.groups.load(Ordering::Relaxed),
            requests: counters.requests.load(Ordering::Relaxed),
            syncs: counters.syncs.load(Ordering::Relaxed),
            checkpoint_lsn: counters.checkpoint_lsn.load(Ordering::Relaxed),
            queue: self.shared.published.queue().counts(),
        }
    }
}

/// The newest checkpoint of the control shard.
pub(super) fn newest(parts: &Parts) -> Option<&Arc<Part>> {
    parts.list().first()
}
