//! The control shard: the directory's log. One thread plans, writes, syncs, folds; lookups read the directory under a lock held for no I/O.
use super::checkpoint::{self, Snapshot};
use super::replay::Replay;
use super::reserve::Reserve;
use super::shard::{self, dir};
use super::ticket::{Filler, Ticket};
use super::types::{Options, ShardStatus};
use super::watch::{Watch, Watchers};
use crate::base::limits::{COMMIT_QUEUE_LEN, RESERVE_SLACK_BYTES};
use crate::base::{AccountId, Clock, Error, Lsn, Result, ShardId};
use crate::directory::{Change, Directory, Event};
use crate::disk::{Disk, Latch};
use crate::format::Mending;
use crate::index::Parts;
use crate::log::{FrameKind, SegmentFile, Segments, Writer};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::thread::JoinHandle;

type Answers = Vec<Result<()>>;

/// Whoever watches the directory watches all of it.
const EVERYBODY: AccountId = AccountId(0);

enum Message {
    Change(Vec<Change>, Filler<Answers>),
    Close,
}

#[derive(Default)]
struct Counters {
    groups: AtomicU64,
    requests: AtomicU64,
    syncs: AtomicU64,
    checkpoint_lsn: AtomicU64,
}

pub(super) struct Control {
    directory: Arc<RwLock<Directory>>,
    inbox: SyncSender<Message>,
    thread: Mutex<Option<JoinHandle<Result<()>>>>,
    segments: Arc<Segments>,
    latch: Arc<Latch>,
    counters: Arc<Counters>,
    watchers: Watchers,
    /// What its start had to say.
    notes: Vec<String>,
}

struct Core {
    directory: Arc<RwLock<Directory>>,
    writer: Writer,
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    parts: Arc<Parts>,
    checkpoint_log_bytes: u64,
    checkpoint_not_before: Lsn,
    counters: Arc<Counters>,
    watchers: Watchers,
    /// How large the next checkpoint can get, and the room that is held for it.
    need_bytes: u64,
    reserve: Reserve,
    next_part: u32,
}

impl Control {
    pub(super) fn open(options: &Options) -> Result<(Control, Vec<String>)> {
        let ((parts, directory, opened), mut notices) =
            shard::over_checkpoints(options, ShardId::CONTROL, &mut |parts, covered| folded(options, parts, covered))?;
        notices.extend(opened.notices);
        let (directory, counters) = (Arc::new(RwLock::new(directory)), Arc::new(Counters::default()));
        counters.checkpoint_lsn.store(parts.lsn().0, Ordering::Relaxed);
        let latch = opened.writer.latch().clone();
        let mut state = Vec::new();
        directory.read().unwrap_or_else(PoisonError::into_inner).encode_snapshot(&mut state);
        let (need_bytes, watchers) = (state.len() as u64, Watchers::default());
        let core = Core {
            directory: directory.clone(),
            writer: opened.writer,
            disk: options.disk.clone(),
            clock: options.clock.clone(),
            parts,
            checkpoint_log_bytes: options.checkpoint_log_bytes,
            checkpoint_not_before: Lsn(0),
            counters: counters.clone(),
            watchers: watchers.clone(),
            need_bytes,
            reserve: Reserve::new(options.disk.clone(), &dir(ShardId::CONTROL)),
            next_part: checkpoint::next_number(&*options.disk, &dir(ShardId::CONTROL))?,
        };
        let (inbox, changes) = sync_channel(COMMIT_QUEUE_LEN);
        let thread = std::thread::Builder::new()
            .name("control".into())
            .spawn(move || core.run(&changes))
            .map_err(|why| Error::io("start the control shard's thread", why))?;
        let thread = Mutex::new(Some(thread));
        let notes = notices.clone();
        let segments = opened.segments;
        Ok((Control { directory, inbox, thread, segments, latch, counters, watchers, notes }, notices))
    }

    pub(super) fn read<R>(&self, read: impl FnOnce(&Directory) -> R) -> R {
        read(&self.directory.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Wakes when what somebody may do, or is called, may have changed.
    pub(super) fn watch_rights(&self) -> Watch {
        self.watchers.add_account(EVERYBODY)
    }

    pub(super) fn change(&self, changes: Vec<Change>) -> Ticket<Answers> {
        let count = changes.len();
        // What comes behind a `Close` is never looked at: it is dropped with the inbox.
        let (ticket, filler) = Ticket::pending(vec![Err(Error::Closed); count]);
        match self.inbox.try_send(Message::Change(changes, filler)) {
            Err(TrySendError::Full(_)) => Ticket::ready(vec![Err(Error::Busy); count]),
            Ok(()) | Err(TrySendError::Disconnected(_)) => ticket,
        }
    }

    /// Sends changes whose outcome nobody waits for; dropped when too many wait.
    pub(super) fn changer(&self) -> impl Fn(Vec<Change>) + Send + 'static {
        let inbox = self.inbox.clone();
        move |changes| {
            let (_, filler) = Ticket::pending(Vec::new());
            let _ = inbox.try_send(Message::Change(changes, filler));
        }
    }

    pub(super) fn close(&self) -> Result<()> {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(thread) = thread else { return Ok(()) };
        let _ = self.inbox.send(Message::Close);
        thread.join().unwrap_or_else(|_| Err(Error::Latched { reason: "the control shard's thread panicked".into() }))
    }

    /// The log's files now.
    pub(super) fn files(&self) -> Vec<SegmentFile> {
        self.segments.files()
    }

    pub(super) fn status(&self) -> ShardStatus {
        let files = self.segments.files();
        ShardStatus {
            name: "control".into(),
            latched: self.latch.reason().map(str::to_owned),
            notes: self.notes.clone(),
            log_bytes: files.iter().map(|file| file.len_bytes).sum(),
            segments: files.len() as u64,
            groups: self.counters.groups.load(Ordering::Relaxed),
            requests: self.counters.requests.load(Ordering::Relaxed),
            syncs: self.counters.syncs.load(Ordering::Relaxed),
            checkpoint_lsn: self.counters.checkpoint_lsn.load(Ordering::Relaxed),
            queue: Default::default(),
        }
    }
}

/// As of a committer.
impl Drop for Control {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

/// The directory after the last event of its log.
fn folded(options: &Options, parts: Arc<Parts>, covered: Lsn) -> Result<(Arc<Parts>, Directory, shard::Opened)> {
    let mut directory = match shard::newest(&parts) {
        Some(part) => Directory::decode_snapshot(part.state())?,
        None => Directory::default(),
    };
    let mut replay = Replay::default();
    let opened =
        shard::open_log(options, ShardId::CONTROL, parts.lsn(), covered, &mut |_, frame| match frame.header.kind {
            FrameKind::Events => replay.control(&mut directory, frame.payload),
            _ => Ok(()),
        })?;
    Ok((parts, directory, opened))
}

impl Core {
    fn run(mut self, inbox: &Receiver<Message>) -> Result<()> {
        while let Ok(Message::Change(changes, filler)) = inbox.recv() {
            let count = changes.len() as u64;
            let answers = self.commit(&changes);
            self.counters.requests.fetch_add(count, Ordering::Relaxed);
            self.counters.syncs.store(self.writer.syncs(), Ordering::Relaxed);
            filler.fill(answers);
            self.checkpoint_if_due(self.checkpoint_log_bytes);
        }
        self.writer.latch().check()?;
        self.checkpoint_if_due(1);
        Ok(())
    }

    /// All changes that can be made, in one group; the directory shows them only after the sync.
    fn commit(&mut self, changes: &[Change]) -> Answers {
        let planned = {
            let directory = self.directory.read().unwrap_or_else(PoisonError::into_inner);
            directory.plan_all(changes, self.clock.now())
        };
        let mut bytes = Vec::new();
        let events = || planned.iter().flatten().flatten();
        events().for_each(|event| event.encode(&mut bytes));
        // The directory changes seldom: without a time, what follows may be months away, and nothing before it proves when this was.
        if !bytes.is_empty() && events().all(|event| event.time().is_none()) {
            Event::Mending(Mending::Dated { when: self.clock.now() }).encode(&mut bytes);
        }
        let committed = if bytes.is_empty() { Ok(()) } else { self.write(&bytes) };
        if committed.is_ok() {
            let mut directory = self.directory.write().unwrap_or_else(PoisonError::into_inner);
            for event in events() {
                if let Err(why) = directory.apply(event) {
                    tracing::error!(%why, "a directory change was planned that cannot be made");
                    let _ = self.writer.latch().close(why.to_string());
                }
            }
            drop(directory);
            if events().any(Event::may_change_rights) {
                self.watchers.wake(EVERYBODY, &[]);
            }
        }
        planned.into_iter().map(|events| events.and_then(|_| committed.clone())).collect()
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        // A directory grows by no more than what its events say, with a few bytes for what moves from one table to another.
        let need_bytes = self.need_bytes + 2 * bytes.len() as u64;
        let held = self.writer.latch().check().and_then(|()| self.reserve.hold(need_bytes + RESERVE_SLACK_BYTES));
        let pushed = held.and_then(|()| self.writer.push(FrameKind::Events, 0, 0, &[bytes]));
        let written = pushed.and_then(|_| self.writer.commit());
        match written {
            Ok(_) => {
                self.need_bytes = need_bytes;
                self.counters.groups.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            Err(why) => {
                self.writer.abort();
                Err(why)
            }
        }
    }

    fn checkpoint_if_due(&mut self, log_bytes: u64) {
        let end = self.writer.end();
        let due = end.0.saturating_sub(self.parts.lsn().0) >= log_bytes && end >= self.checkpoint_not_before;
        if !due || checkpoint::is_needless(end, self.parts.lsn()) {
            return;
        }
        let mut state = Vec::new();
        self.directory.read().unwrap_or_else(PoisonError::into_inner).encode_snapshot(&mut state);
        let shard = ShardId::CONTROL;
        self.need_bytes = state.len() as u64;
        let number = self.next_part;
        self.next_part += 1;
        let room = self.reserve.take(&checkpoint::temporary(&dir(shard), number));
        let parts = self.parts.clone();
        let state = checkpoint::State::Bytes(state);
        let snapshot = Snapshot { shard, lsn: end, accounts: Vec::new(), state, parts, number, room };
        match snapshot.write(&*self.disk, &dir(ShardId::CONTROL)) {
            Ok(parts) => {
                self.counters.checkpoint_lsn.store(parts.lsn().0, Ordering::Relaxed);
                self.parts = Arc::new(parts);
            }
            Err(why) => {
                tracing::error!(%why, "checkpoint of the directory failed; the log is whole, the next start takes longer");
                self.checkpoint_not_before = Lsn(end.0 + self.checkpoint_log_bytes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::SimClock;
    use crate::disk::sim::SimDisk;

    #[test]
    fn a_change_behind_the_close_is_answered() {
        let options = Options {
            disk: Arc::new(SimDisk::new(1)),
            clock: Arc::new(SimClock::at_ms(0)),
            shards: 1,
            segment_bytes_max: 64 << 10,
            checkpoint_log_bytes: 1 << 20,
            workers: 1,
        };
        let (control, _) = Control::open(&options).expect("opens");
        let add = || vec![Change::TenantAdd { name: "acme".into(), title: String::new(), accounts_max: None }];
        // The thread waits for the directory while the close and a change queue up behind its first change.
        let held = control.directory.write().expect("nobody panicked");
        let first = control.change(add());
        control.inbox.send(Message::Close).expect("taken");
        let behind = control.change(add());
        drop(held);
        assert!(first.wait()[0].is_ok());
        assert!(matches!(behind.wait()[..], [Err(Error::Closed)]));
    }
}
