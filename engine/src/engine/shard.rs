//! One account shard: its committer, its views, its log for reading.
use super::bytes::Bytes;
use super::checkpoint;
use super::committer::{Committer, Core, Counters, Shared};
use super::parts::TailParts;
use super::published::Published;
use super::types::{Options, ShardStatus};
use super::watch::Watchers;
use crate::base::bytes::{DecodeError, Reader};
use crate::base::{Error, Locator, Lsn, Result, ShardId};
use crate::delivery::{self, Dictionaries, Dictionary, Found, MessageReader};
use crate::format::Event;
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
    latch: Arc<crate::disk::Latch>,
}

pub(super) fn dir(shard: ShardId) -> PathBuf {
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
    apply: &mut dyn FnMut(Lsn, FrameRef<'_>) -> Result<(), DecodeOrState>,
) -> Result<Opened> {
    let log = LogOptions { shard, dir: dir(shard), segment_bytes_max: options.segment_bytes_max, epoch: 1 };
    let name = options.disk.full_path(&dir(shard)).display().to_string();
    let mut fold = |lsn: Lsn, frame: FrameRef<'_>| {
        apply(lsn, frame).map_err(|why| Error::corrupt(&name, lsn.0, format!("the events at this Lsn: {why}")))
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

/// Why an event frame cannot be folded in.
#[derive(Debug)]
pub(super) enum DecodeOrState {
    Decode(DecodeError),
    State(Error),
}

impl std::fmt::Display for DecodeOrState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            DecodeOrState::Decode(why) => why.fmt(f),
            DecodeOrState::State(why) => why.fmt(f),
        }
    }
}

/// Folds the transactions of a frame at `lsn` in, from `from` on.
fn replay(
    accounts: &mut Accounts,
    queue: &mut Queue,
    (from, lsn): (Lsn, Lsn),
    frame: FrameRef<'_>,
) -> Result<(), DecodeOrState> {
    let all = delivery::transactions(lsn, frame.header.flags, frame.payload);
    let all = all.map_err(|why| DecodeOrState::State(Error::corrupt("event frame", lsn.0, why)))?;
    for (_, events) in all.iter().filter(|(lsn, _)| *lsn >= from) {
        for event in Event::decode_all(events).map_err(DecodeOrState::Decode)? {
            accounts.apply(&event).and_then(|()| queue.apply(&event)).map_err(DecodeOrState::State)?;
        }
    }
    Ok(())
}

impl Shard {
    pub(super) fn open(options: &Options, shard: ShardId) -> Result<(Shard, Vec<String>)> {
        let disk = &options.disk;
        let (parts, mut notices) = checkpoint::load(&**disk, &dir(shard))?;
        let parts = Arc::new(parts);
        let state = parts.list().first().map(|part| part.state()).unwrap_or_default();
        let mut state = Reader::new(state);
        let corrupt = |why: DecodeError| Error::corrupt("checkpoint", 0, why.to_string());
        let mut queue = Queue::decode(&mut state).map_err(corrupt)?;
        let dictionaries = Arc::new(Dictionaries::decode(&mut state).map_err(corrupt)?);
        let mut accounts = Accounts::new(parts.clone());
        let mut newer = Vec::new();
        let opened = open_log(options, shard, parts.lsn(), &mut |lsn, frame| match frame.header.kind {
            FrameKind::Dictionary => {
                newer.push((frame.header.dictionary, lsn));
                Ok(())
            }
            _ => replay(&mut accounts, &mut queue, (parts.lsn(), lsn), frame),
        })?;
        for (id, lsn) in newer {
            let at = opened.segments.locate(lsn);
            dictionaries
                .found(id, at.ok_or_else(|| Error::corrupt("log", lsn.0, "a dictionary within the log expected"))?);
        }
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
            dictionaries: dictionaries.clone(),
        });
        shared.counters.checkpoint_lsn.store(parts.lsn().0, Ordering::Relaxed);
        let latch = opened.writer.latch().clone();
        let core = Core {
            shared: shared.clone(),
            writer: opened.writer,
            accounts,
            queue,
            parts: TailParts::default(),
            checkpoint_log_bytes: options.checkpoint_log_bytes,
            checkpoint_running: false,
            checkpoint_not_before: Lsn(0),
        };
        let committer = Committer::start(&format!("commit-{shard}"), core)
            .map_err(|why| Error::io(format!("start the committer of shard {shard}"), why))?;
        let reader = MessageReader::new(opened.segments.clone(), dictionaries);
        Ok((Shard { shared, segments: opened.segments, reader, committer, latch }, notices))
    }

    /// The summary of the message at `at`.
    pub(super) fn summary(&self, at: Locator) -> Result<Bytes> {
        match self.reader.summary(at)? {
            Found::Owned(summary) => Ok(Bytes::owned(summary)),
            Found::InFrame(bytes, range) => Bytes::of_frame(bytes, range)
                .ok_or_else(|| Error::corrupt(format!("message {at}"), 0, "a summary within the frame expected")),
        }
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

/// The newest checkpoint of the control shard.
pub(super) fn newest(parts: &Parts) -> Option<&Arc<Part>> {
    parts.list().first()
}
