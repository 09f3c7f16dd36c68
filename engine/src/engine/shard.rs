//! One account shard: its committer, its views, its log for reading.
use super::bytes::Bytes;
use super::checkpoint;
use super::committer::{Committer, Core, Counters, Shared};
use super::published::Published;
use super::replay::{DecodeOrState, Replay};
use super::types::{Options, ShardStatus};
use super::watch::Watchers;
use crate::base::{Error, Locator, Lsn, Result, ShardId};
use crate::delivery::unstage;
use crate::format::{MESSAGE_HEAD_BYTES, MessageHead};
use crate::index::{Accounts, Part, Parts};
use crate::log::{self, FrameKind, FrameRef, LogOptions, Segments, Writer};
use crate::queue::Queue;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Bytes read at once for a summary: holds nearly every one, so the tail needs one positioned read.
const SUMMARY_READ_BYTES: usize = 2048;

pub(crate) struct Shard {
    pub(super) shared: Arc<Shared>,
    pub(super) segments: Arc<Segments>,
    pub(super) committer: Committer,
    latch: Arc<crate::disk::Latch>,
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

/// Opens a shard's log from `parts` on.
pub(super) fn open_log(
    options: &Options,
    shard: ShardId,
    from: Lsn,
    apply: &mut dyn FnMut(FrameRef<'_>) -> Result<(), DecodeOrState>,
) -> Result<Opened> {
    let log = LogOptions { shard, dir: dir(shard), segment_bytes_max: options.segment_bytes_max, epoch: 1 };
    let name = options.disk.full_path(&dir(shard)).display().to_string();
    let mut fold = |lsn: Lsn, frame: FrameRef<'_>| {
        apply(frame).map_err(|why| Error::corrupt(&name, lsn.0, format!("the events at this Lsn: {why}")))
    };
    let (writer, segments, recovered) = log::open(options.disk.clone(), options.clock.clone(), log, from, &mut fold)?;
    let mut notices = Vec::new();
    if let Some(cut) = &recovered.cut {
        let copy = cut.copy.as_ref().map_or(String::new(), |path| format!("; a copy is in {}", path.display()));
        let (file, offset, bytes, reason) = (&cut.file, cut.offset, cut.bytes, &cut.reason);
        notices.push(format!("{file}: cut {bytes} bytes of a torn tail at byte {offset} ({reason}){copy}"));
    }
    Ok(Opened { writer, segments, notices })
}

impl Shard {
    pub(super) fn open(options: &Options, shard: ShardId) -> Result<(Shard, Vec<String>)> {
        let disk = &options.disk;
        let (parts, mut notices) = checkpoint::load(&**disk, shard, &dir(shard))?;
        let parts = Arc::new(parts);
        let state = parts.list().first().map(|part| part.state()).unwrap_or_default();
        let mut queue = Queue::decode(state).map_err(|why| Error::corrupt("checkpoint", 0, why.to_string()))?;
        let mut accounts = Accounts::new(parts.clone());
        let mut replay = Replay::default();
        let opened =
            open_log(options, shard, parts.lsn(), &mut |frame| replay.shard(&mut accounts, &mut queue, frame.payload))?;
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
            counters: Counters::default(),
        });
        shared.counters.checkpoint_lsn.store(parts.lsn().0, Ordering::Relaxed);
        let latch = opened.writer.latch().clone();
        let core = Core {
            shared: shared.clone(),
            writer: opened.writer,
            accounts,
            queue,
            checkpoint_log_bytes: options.checkpoint_log_bytes,
            checkpoint_running: false,
            checkpoint_not_before: Lsn(0),
        };
        let committer = Committer::start(&format!("commit-{shard}"), core)
            .map_err(|why| Error::io(format!("start the committer of shard {shard}"), why))?;
        Ok((Shard { shared, segments: opened.segments, committer, latch }, notices))
    }

    /// The summary of the message at `at`.
    pub(super) fn summary(&self, at: Locator) -> Result<Bytes> {
        let corrupt = |what: &str| Error::corrupt(self.segments.file_name(at.segment), at.offset.into(), what);
        let missing = |why| missing(&self.segments, at, why);
        let mut bytes = self.segments.read_part(at, 0..SUMMARY_READ_BYTES).map_err(missing)?;
        let head = MessageHead::decode(&bytes).map_err(|why| corrupt(&why.to_string()))?;
        if head.body_start() > bytes.len() {
            bytes = self.segments.read_part(at, 0..head.body_start())?;
        }
        let range = MESSAGE_HEAD_BYTES..head.body_start();
        let proven = bytes.get(range.clone()).is_some_and(|summary| crc32fast::hash(summary) == head.summary_crc);
        let summary = Bytes::of_frame(bytes, range).filter(|_| proven);
        summary.ok_or_else(|| corrupt("a summary that fits its crc expected"))
    }

    pub(super) fn status(&self) -> ShardStatus {
        let files = self.segments.files();
        let counters = &self.shared.counters;
        ShardStatus {
            name: self.shared.shard.to_string(),
            latched: self.latch.reason().map(str::to_owned),
            log_bytes: files.iter().map(|file| file.len_bytes).sum(),
            segments: files.len() as u64,
            groups: counters.groups.load(Ordering::Relaxed),
            requests: counters.requests.load(Ordering::Relaxed),
            syncs: counters.syncs.load(Ordering::Relaxed),
            checkpoint_lsn: counters.checkpoint_lsn.load(Ordering::Relaxed),
            queued: self.shared.published.queue().len() as u64,
        }
    }
}

/// An entry's segment that is not there is damage, and not a wrong question.
fn missing(segments: &Segments, at: Locator, why: Error) -> Error {
    match why {
        Error::NotFound(_) => {
            Error::corrupt(segments.file_name(at.segment), at.offset.into(), "a message expected; the file is missing")
        }
        why => why,
    }
}

/// The message at `at`: read, proven, decompressed. May wait for the disk.
pub(super) fn message(segments: &Segments, at: Locator) -> Result<Bytes> {
    let frame = segments.read(at).map_err(|why| missing(segments, at, why))?;
    if frame.kind != FrameKind::Message {
        return Err(frame.corrupt("a message frame expected"));
    }
    unstage(frame.payload(), frame.is_zstd()).map(Bytes::owned).map_err(|why: String| frame.corrupt(&why))
}

/// The newest checkpoint of the control shard.
pub(super) fn newest(parts: &Parts) -> Option<&Arc<Part>> {
    parts.list().first()
}
