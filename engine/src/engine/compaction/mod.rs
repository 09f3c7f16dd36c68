//! Compaction of account shards while they serve: on one thread, at a pace, to be paused and stopped. What it writes is proven before it takes
//! the place of anything; what it replaces stays for a time. A run that was stopped or crashed is simply run again.
mod events;
mod group;
mod live;
mod plan;
mod sort_key;

use super::committer::Turner;
use super::shard::{Shard, dir};
use crate::base::{Clock, Error, Result};
use crate::disk::{Latch, yield_to_others};
use crate::format::segment::SEGMENT_VERSION;
use crate::log::LogOptions;
use plan::Group;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// How far a run may fall behind its pace and still make up for it.
const HASTE_MAX: Duration = Duration::from_secs(1);
/// Room beside that of the segments that are rewritten, for tables and names.
const ROOM_BYTES: u64 = 1 << 20;
/// Events, packed, take less than this part of the segments that they are in.
const EVENTS_OF: u64 = 4;

/// What a compaction is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compact {
    /// Sealed segments that are older are rewritten as cold mail, whatever is dead in them; milliseconds.
    pub cold_after_ms: i64,
    /// Segments of which so many percent of the messages are dead are rewritten, however old they are.
    pub dead_percent: u8,
    /// Bytes of mail a second at most; 0: as fast as it goes.
    pub bytes_per_second: u64,
    /// What was replaced so long ago is removed; milliseconds.
    pub keep_ms: i64,
    /// Bytes that stay free on the disk: segments are rewritten only while there is room for what they become and for this besides.
    pub leave_free_bytes: u64,
}

impl Default for Compact {
    fn default() -> Compact {
        let day_ms = 24 * 60 * 60 * 1000;
        Compact {
            cold_after_ms: day_ms,
            dead_percent: 25,
            bytes_per_second: 20 << 20,
            keep_ms: day_ms,
            leave_free_bytes: 1 << 30,
        }
    }
}

/// How far compaction is, or what the last run did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompactStatus {
    /// Whether one runs now.
    pub running: bool,
    /// Whether it waits to be told to go on.
    pub paused: bool,
    /// Segments that were chosen.
    pub segments_chosen: u64,
    /// Of these, replaced so far.
    pub segments_done: u64,
    /// Messages moved so far.
    pub messages: u64,
    /// Bytes of them, uncompressed.
    pub message_bytes: u64,
    /// Messages that were read back from what was written and found to be the same.
    pub proven: u64,
    /// Bytes of the files that were replaced.
    pub bytes_before: u64,
    /// Bytes of the files that replaced them.
    pub bytes_after: u64,
    /// Files that were replaced and are still kept, bytes of all.
    pub retired_bytes: u64,
    /// Bytes of replaced files that were removed.
    pub removed_bytes: u64,
    /// Whether the last run was stopped before its end.
    pub stopped: bool,
    /// Why the last run failed, if it did.
    pub failed: Option<String>,
    /// Why it left segments that were chosen as they were, if it did: the disk has too little room.
    pub left: Option<String>,
}

/// Shared by the thread that compacts and by who asks.
#[derive(Default)]
pub(super) struct Compaction {
    running: AtomicBool,
    stop: AtomicBool,
    /// The run that is under way is to end; the next one may begin.
    cancelled: AtomicBool,
    paused: Mutex<bool>,
    changed: Condvar,
    progress: Mutex<CompactStatus>,
    thread: Mutex<Option<std::thread::JoinHandle<()>>>,
}

/// Holds a run to its pace.
struct Pace {
    bytes_per_second: u64,
    began: Instant,
    bytes: u64,
}

impl Compaction {
    /// Starts a run over these shards; `done` hears how it ended.
    pub(super) fn start(
        self: &Arc<Self>,
        work: Vec<Work>,
        request: Compact,
        done: impl FnOnce(Result<CompactStatus>) + Send + 'static,
    ) {
        if self.running.swap(true, Ordering::SeqCst) {
            return done(Err(Error::Busy));
        }
        self.cancelled.store(false, Ordering::SeqCst);
        self.note(|progress| *progress = CompactStatus::default());
        let own = Arc::clone(self);
        let run = move || {
            yield_to_others();
            // However this thread ends, another run may begin after it.
            let running = Running(Arc::clone(&own));
            let ran = own.all(&work, &request);
            own.note(|progress| {
                progress.stopped = matches!(ran, Err(Error::Closed));
                progress.failed =
                    ran.as_ref().err().filter(|why| !matches!(why, Error::Closed)).map(ToString::to_string);
            });
            drop(running);
            if let Err(why) = &ran
                && !matches!(why, Error::Closed)
            {
                tracing::error!(%why, "compaction has left something as it was: run posthouse verify");
            }
            done(ran.map(|()| own.status()));
        };
        // A closure that is not run answers nobody; the caller's ticket says so.
        match std::thread::Builder::new().name("compaction".into()).spawn(run) {
            Ok(thread) => *self.thread.lock().unwrap_or_else(PoisonError::into_inner) = Some(thread),
            Err(_) => self.running.store(false, Ordering::SeqCst),
        }
    }

    pub(super) fn status(&self) -> CompactStatus {
        let progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let paused = *self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        CompactStatus { running: self.running.load(Ordering::SeqCst), paused, ..progress }
    }

    /// Makes a run wait between two messages, now or when there is one; or go on.
    pub(super) fn pause(&self, pause: bool) {
        *self.paused.lock().unwrap_or_else(PoisonError::into_inner) = pause;
        self.wake();
    }

    /// Who waits has looked at the flags under the lock, and so either before they were set and hears this, or after.
    fn wake(&self) {
        let _paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        self.changed.notify_all();
    }

    /// Ends the run that is under way between two messages; what it has replaced stays so, and the next run goes on from there.
    pub(super) fn cancel(&self) {
        self.cancelled.store(true, Ordering::SeqCst);
        self.wake();
    }

    /// Stops a run between two messages and waits for it.
    pub(super) fn close(&self) {
        self.stop.store(true, Ordering::SeqCst);
        self.wake();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let _ = thread.map(std::thread::JoinHandle::join);
    }

    fn note(&self, change: impl FnOnce(&mut CompactStatus)) {
        change(&mut self.progress.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Every shard, each as far as it goes: what is wrong with one place is no reason to leave all others as they are. The first error, if any.
    fn all(&self, work: &[Work], request: &Compact) -> Result<()> {
        let mut first = Ok(());
        for shard in work {
            keep(&mut first, shard.remove_replaced(self, request.keep_ms))?;
        }
        for shard in work {
            keep(&mut first, shard.compact(self, request))?;
        }
        first
    }

    /// Removes what was replaced long enough ago, unless a run is under way, which has done so.
    pub(super) fn remove_replaced(self: &Arc<Self>, work: &[Work], keep_ms: i64) -> Result<()> {
        if self.running.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let _running = Running(Arc::clone(self));
        let mut first = Ok(());
        for shard in work {
            keep(&mut first, shard.remove_replaced(self, keep_ms))?;
        }
        first
    }

    /// `Closed` when the run is to stop.
    fn go_on(&self) -> Result<()> {
        match self.stop.load(Ordering::SeqCst) || self.cancelled.load(Ordering::SeqCst) {
            true => Err(Error::Closed),
            false => Ok(()),
        }
    }

    /// Waits as long as pace and pause want; `Closed` when the run is to stop.
    fn step(&self, pace: &mut Pace, bytes: u64) -> Result<()> {
        pace.bytes += bytes;
        let mut paused = self.paused.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            self.go_on()?;
            if *paused {
                paused = self.changed.wait(paused).unwrap_or_else(PoisonError::into_inner);
                // What was not done meanwhile is not made up for.
                (pace.began, pace.bytes) = (Instant::now(), 0);
                continue;
            }
            pace.forget_idle_time();
            let early = pace.due().saturating_sub(pace.began.elapsed());
            if early < Duration::from_millis(1) {
                return Ok(());
            }
            paused = self.changed.wait_timeout(paused, early).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// While it is there, a run is under way.
struct Running(Arc<Compaction>);

impl Drop for Running {
    fn drop(&mut self) {
        self.0.running.store(false, Ordering::SeqCst);
    }
}

/// Notes an error of one place, the first of a run; what ends the whole run comes back.
fn keep(first: &mut Result<()>, ended: Result<()>) -> Result<()> {
    match ended {
        Err(why @ (Error::Corrupt { .. } | Error::Io { .. } | Error::NotFound(_))) => {
            tracing::error!(%why, "compaction leaves this as it is and goes on");
            if first.is_ok() {
                *first = Err(why);
            }
            Ok(())
        }
        ended => ended,
    }
}

impl Pace {
    fn new(bytes_per_second: u64) -> Pace {
        Pace { bytes_per_second, began: Instant::now(), bytes: 0 }
    }

    /// Time in which nothing was done is not made up for by haste.
    fn forget_idle_time(&mut self) {
        let elapsed = self.began.elapsed();
        if elapsed > HASTE_MAX.saturating_add(self.due()) {
            (self.began, self.bytes) = (Instant::now(), 0);
        }
    }

    fn due(&self) -> Duration {
        Duration::from_micros(self.bytes.saturating_mul(1_000_000).checked_div(self.bytes_per_second).unwrap_or(0))
    }
}

/// One shard's part of a run: what it needs of the shard.
pub(super) struct Work {
    shared: Arc<super::committer::Shared>,
    reader: crate::delivery::MessageReader,
    segments: Arc<crate::log::Segments>,
    clock: Arc<dyn Clock>,
    log: LogOptions,
    turner: Turner,
    latch: Arc<Latch>,
}

impl Work {
    pub(super) fn new(shard: &Shard, clock: &Arc<dyn Clock>) -> Work {
        let shared = shard.shared.clone();
        let own = dir(shared.shard);
        let log = LogOptions { shard: shared.shard, dir: own, segment_bytes_max: 0, epoch: 1, writes_ahead: false };
        let (reader, segments) = (shard.reader.clone(), shard.segments.clone());
        Work {
            shared,
            reader,
            segments,
            clock: clock.clone(),
            log,
            turner: shard.committer.turner(),
            latch: shard.latch.clone(),
        }
    }

    fn remove_replaced(&self, run: &Compaction, keep_ms: i64) -> Result<()> {
        if self.latch.check().is_err() {
            // `status` says why; a restart replays the log, and then it is removed.
            return Ok(());
        }
        let (removed, ended) = self.segments.remove_retired(&self.log, self.clock.now_ms().saturating_sub(keep_ms));
        let bytes = removed.iter().map(|retired| retired.bytes).sum::<u64>();
        run.note(|progress| {
            progress.removed_bytes += bytes;
            progress.retired_bytes = progress.retired_bytes.saturating_sub(bytes);
        });
        ended
    }

    fn compact(&self, run: &Compaction, request: &Compact) -> Result<()> {
        let mut pace = Pace::new(request.bytes_per_second);
        let now = self.clock.now_ms();
        if self.latch.check().is_err() {
            return Ok(());
        }
        if self.segments.tail_version() < SEGMENT_VERSION {
            // Nothing but a change of somebody's ends the way back to the version before.
            return Ok(());
        }
        self.turner.turn_over(now.saturating_sub(request.cold_after_ms));
        let groups = self.plan(request, now, run)?;
        let chosen: u64 = groups.iter().map(|group| u64::from(group.last.0 - group.first.0) + 1).sum();
        run.note(|progress| progress.segments_chosen += chosen);
        let mut first = Ok(());
        for batch in groups.chunk_by(|a, b| a.batch == b.batch) {
            let live = self.live(batch, run)?;
            for (group, live) in batch.iter().zip(live) {
                if let Some(why) = self.lacks_room(group, request.leave_free_bytes)? {
                    tracing::warn!(%why, "compaction leaves the rest as it is");
                    run.note(|progress| progress.left = Some(why));
                    keep(&mut first, self.note_retired(run))?;
                    return first;
                }
                let done = run.step(&mut pace, 0).and_then(|()| self.compact_group(group, live, run, &mut pace));
                // What is not finished only takes room; on a full disk that matters.
                keep(&mut first, done.inspect_err(|_| self.segments.remove_unfinished(&self.log)))?;
            }
        }
        keep(&mut first, self.note_retired(run))?;
        first
    }

    /// Bytes of the files of a group.
    fn file_bytes(&self, group: &Group) -> u64 {
        let files = self.segments.files();
        files.iter().filter(|file| group.holds(file.id)).map(|file| file.len_bytes).sum()
    }

    fn note_retired(&self, run: &Compaction) -> Result<()> {
        let retired: u64 = self.segments.retired(&self.log.dir)?.iter().map(|retired| retired.bytes).sum();
        run.note(|progress| progress.retired_bytes += retired);
        Ok(())
    }

    /// Why a group cannot be rewritten now, if so. What it replaces stays, so it needs room for what it becomes: what is alive, no larger than it was,
    /// and the events, which are packed. What was replaced before and is still kept is not free either.
    fn lacks_room(&self, group: &Group, leave_free_bytes: u64) -> Result<Option<String>> {
        let disk = &self.shared.disk;
        let free = disk.free_bytes();
        let free = free
            .map_err(|why| Error::io(format!("ask {} for its room", disk.full_path(&self.log.dir).display()), why))?;
        let files = self.file_bytes(group);
        let needs = files.min(group.live_bytes.saturating_add(files / EVENTS_OF));
        let wanted = needs.saturating_add(ROOM_BYTES).saturating_add(leave_free_bytes);
        Ok((free < wanted).then(|| {
            let (first, last, shard) = (group.first, group.last, self.shared.shard);
            format!(
                "too little room on the disk: segments {first} to {last} of shard {shard} need up to {needs} bytes, {leave_free_bytes} are to \
                 stay free, and {free} are free"
            )
        }))
    }
}
