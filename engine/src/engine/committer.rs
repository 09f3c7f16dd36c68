//! One thread per shard: gathers requests, plans them against the newest state, writes them as one group with one sync, shows the result, answers.
//! No answer leaves before the sync that covers it.
use super::checkpoint::{self, Snapshot};
use super::pace::Pace;
use super::parts::TailParts;
use super::promises::Promises;
use super::published::Published;
use super::queue_watch::QueueFeed;
use super::reserve::{Need, Reserve};
use super::ticket::{Filler, Ticket};
use super::turning::Turning;
use super::txn::{Touched, Txn};
use super::watch::Watchers;
use crate::base::limits::{
    COMMIT_QUEUE_LEN, DIRTY_ACCOUNTS_MAX, GROUP_BYTES_MAX, GROUP_REQUESTS_MAX, RESERVE_SLACK_BYTES,
};
use crate::base::{Clock, Error, Lsn, Result, ShardId};
use crate::delivery::Dictionaries;
use crate::disk::Disk;
use crate::index::{Accounts, Parts};
use crate::log::Writer;
use crate::queue::Queue;
use request::{Asked, Request};
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Instant;
pub(super) use waiting::Waiting;

mod request;
mod waiting;

/// A failed open drops what it has opened so far: its threads end while it still has the directory's lock.
impl Drop for Committer {
    fn drop(&mut self) {
        let _ = self.close();
    }
}

/// What a panic said.
fn panic_text(why: &(dyn Any + Send)) -> &str {
    let text = why.downcast_ref::<String>().map(String::as_str).or_else(|| why.downcast_ref::<&str>().copied());
    text.unwrap_or("no reason given")
}

enum Message {
    /// And whose it is.
    Request(u64, Box<dyn Request>),
    CheckpointDone(Arc<Snapshot>, Result<Parts>),
    /// The growing segment is to be sealed if it was begun before that time, milliseconds.
    TurnOver(i64, Filler<()>),
    Close,
}

/// Counters that `status` shows.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) groups: AtomicU64,
    pub(crate) requests: AtomicU64,
    pub(crate) syncs: AtomicU64,
    pub(crate) checkpoint_lsn: AtomicU64,
}

/// What the committer shares with the rest of the engine.
pub(crate) struct Shared {
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) shard: ShardId,
    pub(crate) dir: PathBuf,
    pub(crate) published: Published,
    pub(crate) watchers: Watchers,
    pub(crate) queue_feed: Arc<QueueFeed>,
    pub(crate) counters: Counters,
    pub(crate) dictionaries: Arc<Dictionaries>,
    pub(crate) promises: Arc<Promises>,
}

/// The sending end: any thread may ask.
pub(crate) struct Committer {
    inbox: SyncSender<Message>,
    thread: std::sync::Mutex<Option<JoinHandle<Result<()>>>>,
}

impl Committer {
    pub(crate) fn start(name: &str, core: Core) -> std::io::Result<Committer> {
        let (inbox, requests) = sync_channel(COMMIT_QUEUE_LEN);
        let own = inbox.clone();
        let run = move || {
            let latch = core.writer.latch().clone();
            // What the state in memory is after a panic nobody knows: a restart replays the log.
            catch_unwind(AssertUnwindSafe(|| core.run(&requests, &own)))
                .unwrap_or_else(|why| Err(latch.close(format!("the committer panicked: {}", panic_text(&*why)))))
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(run)?;
        Ok(Committer { inbox, thread: std::sync::Mutex::new(Some(thread)) })
    }

    /// Asks for a change on nobody's behalf; see [`For::submit`].
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        plan: impl FnMut(&mut Txn<'_>) -> Result<T> + Send + 'static,
    ) -> Ticket<Result<T>> {
        self.on_behalf(0).submit(plan)
    }

    /// For requests that wait in one line with others of theirs, and in turn with those of everybody else.
    pub(crate) fn on_behalf(&self, whose: u64) -> For<'_> {
        For { committer: self, whose }
    }

    /// For who wants the growing segment sealed.
    pub(crate) fn turner(&self) -> Turner {
        Turner(self.inbox.clone())
    }

    /// Commits what was asked before, writes a last checkpoint, ends the thread.
    pub(crate) fn close(&self) -> Result<()> {
        let thread = self.thread.lock().unwrap_or_else(std::sync::PoisonError::into_inner).take();
        let Some(thread) = thread else { return Ok(()) };
        // A committer that has ended already has said why to those who asked.
        let _ = self.inbox.send(Message::Close);
        thread.join().unwrap_or_else(|_| Err(Error::Latched { reason: "the committer panicked".into() }))
    }
}

/// A committer's sending end for somebody's requests.
pub(crate) struct For<'a> {
    committer: &'a Committer,
    whose: u64,
}

impl For<'_> {
    /// Asks for a change. `plan` runs on the committer's thread, and again from the same state if its first events had to be forgotten for
    /// another request's sake; its answer comes after the sync. `Busy` when too many wait.
    pub(crate) fn submit<T: Send + 'static>(
        &self,
        plan: impl FnMut(&mut Txn<'_>) -> Result<T> + Send + 'static,
    ) -> Ticket<Result<T>> {
        let (ticket, filler) = Ticket::pending(Err(Error::Busy));
        self.submit_then(plan, move |answer| filler.fill(answer));
        ticket
    }

    /// The same with a function instead of a ticket; it runs on the committer's thread and must be short.
    pub(crate) fn submit_then<T: Send + 'static>(
        &self,
        plan: impl FnMut(&mut Txn<'_>) -> Result<T> + Send + 'static,
        then: impl FnOnce(Result<T>) + Send + 'static,
    ) {
        let request: Box<dyn Request> = Box::new(Asked::new(plan, then));
        // A request that is not taken is dropped, which answers it.
        if let Err(TrySendError::Disconnected(Message::Request(_, request))) =
            self.committer.inbox.try_send(Message::Request(self.whose, request))
        {
            request.answer(Err(Error::Closed));
        }
    }
}

/// Asks a committer to seal the growing segment.
pub(crate) struct Turner(SyncSender<Message>);

impl Turner {
    /// Seals it if it was begun before that time, milliseconds, and is worth it; waits until a checkpoint covers what is sealed, if it can.
    pub(crate) fn turn_over(&self, created_before_ms: i64) {
        let (ticket, filler) = Ticket::pending(());
        // A committer that has ended drops the message, which answers it.
        let _ = self.0.send(Message::TurnOver(created_before_ms, filler));
        ticket.wait();
    }
}

/// The state behind the thread.
pub(crate) struct Core {
    pub(crate) shared: Arc<Shared>,
    pub(crate) writer: Writer,
    pub(crate) accounts: Accounts,
    pub(crate) queue: Queue,
    pub(crate) parts: TailParts,
    pub(crate) checkpoint_log_bytes: u64,
    pub(crate) checkpoint_running: bool,
    /// No new checkpoint before the log's end has come here: a failed one is not tried again at once.
    pub(crate) checkpoint_not_before: Lsn,
    /// The number of the next index part.
    pub(crate) next_part: u32,
    /// How large the next checkpoint can get, and the room that is held for it.
    pub(crate) need: Need,
    pub(crate) reserve: Reserve,
    pub(crate) pace: Pace,
    pub(crate) turning: Turning,
    pub(crate) waiting: Waiting,
}

impl Core {
    fn run(mut self, requests: &Receiver<Message>, own: &SyncSender<Message>) -> Result<()> {
        let mut closing = false;
        while !closing {
            let Some(first) = self.waiting.wait(requests) else { break };
            closing = self.group(first, requests);
            self.start_checkpoint_if_due(own);
        }
        self.finish(requests)
    }

    /// Commits one group; says whether it was asked to close.
    fn group(&mut self, first: Message, requests: &Receiver<Message>) -> bool {
        self.pace.begin();
        let mut group: Vec<Box<dyn Request>> = Vec::new();
        let mut touched = Touched::default();
        let (mut closing, mut spoilt) = (false, false);
        let mut next = Some(first);
        while let Some(message) = next {
            match message {
                Message::Request(_, request) => {
                    group.push(request);
                    spoilt = !self.plan_last(&mut group, &mut touched);
                }
                Message::CheckpointDone(snapshot, parts) => self.checkpoint_done(&snapshot, parts),
                Message::TurnOver(created_before_ms, filler) => self.turning.ask(created_before_ms, filler),
                Message::Close => closing = true,
            }
            let full = group.len() >= GROUP_REQUESTS_MAX || self.writer.group_bytes() >= GROUP_BYTES_MAX;
            let over = full || closing || spoilt;
            next = if over { None } else { self.next(group.len(), requests) };
        }
        let committed = self.hold_room(&touched).and_then(|()| self.commit(group.len()));
        match &committed {
            Ok(()) => {
                self.need.state_bytes += touched.state_bytes();
                self.publish(touched);
            }
            Err(_) => self.roll_back(&touched),
        }
        let counters = &self.shared.counters;
        counters.requests.fetch_add(group.len() as u64, Ordering::Relaxed);
        counters.syncs.store(self.writer.syncs(), Ordering::Relaxed);
        group.into_iter().for_each(|request| request.answer(committed.clone()));
        self.turning.turn(&mut self.writer);
        closing
    }

    /// Plans the last of the group. One that leaves half a change behind is answered with its error and takes nobody with it: the group is
    /// forgotten and the others are planned again from the committed state; `false` then, and the group should be committed.
    fn plan_last(&mut self, group: &mut Vec<Box<dyn Request>>, touched: &mut Touched) -> bool {
        let mut at = group.len() - 1;
        let mut whole = true;
        while let Some(request) = group.get_mut(at) {
            let Err(why) = self.plan(&mut **request, touched) else {
                at += 1;
                continue;
            };
            self.roll_back(&std::mem::take(touched));
            group.remove(at).answer(Err(why));
            (at, whole) = (0, false);
        }
        whole
    }

    fn plan(&mut self, request: &mut dyn Request, touched: &mut Touched) -> Result<()> {
        let mut txn = Txn {
            accounts: &mut self.accounts,
            queue: &mut self.queue,
            writer: &mut self.writer,
            dictionaries: &self.shared.dictionaries,
            promises: &self.shared.promises,
            parts: &mut self.parts,
            touched,
            now: self.shared.clock.now(),
            shard: self.shared.shard,
            queued: 0,
            failed: None,
            events: Vec::new(),
            changed: false,
        };
        request.plan(&mut txn);
        txn.finish()
    }

    /// Holds room for a checkpoint with the open group in it: on a disk that is too full for it the group is not taken.
    fn hold_room(&mut self, touched: &Touched) -> Result<()> {
        if self.writer.group_bytes() == 0 || self.writer.latch().check().is_err() {
            return Ok(());
        }
        touched.accounts.keys().for_each(|id| self.need.measure(&self.accounts, *id));
        self.reserve.hold(self.need.bytes() + touched.state_bytes() + RESERVE_SLACK_BYTES)
    }

    /// The next message, if there is one or if it pays to wait for one. Who asks meanwhile wakes nobody: the thread sleeps by the clock.
    fn next(&mut self, gathered: usize, requests: &Receiver<Message>) -> Option<Message> {
        loop {
            if let Some(message) = self.waiting.next(requests) {
                return Some(message);
            }
            if self.writer.group_bytes() == 0 {
                // Nothing is to be synced, so nothing is gained.
                return None;
            }
            std::thread::sleep(self.pace.step(gathered)?);
        }
    }

    fn commit(&mut self, requests: usize) -> Result<()> {
        if self.writer.group_bytes() == 0 {
            return Ok(());
        }
        let begun = Instant::now();
        let committed = self.writer.commit();
        self.pace.committed(requests, begun.elapsed());
        committed?;
        self.parts.keep_group();
        self.shared.counters.groups.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    fn publish(&mut self, touched: Touched) {
        let mut accounts = Vec::with_capacity(touched.accounts.len());
        for id in touched.accounts.keys() {
            // An account that was just changed is in memory.
            if let Ok(Some(account)) = self.accounts.get(*id) {
                accounts.push(account.clone());
            }
        }
        let queue = touched.has_queue().then(|| self.queue.clone());
        self.shared.published.publish(accounts, queue);
        // Before anybody is answered: when a client hears that its change is done, the others are being told of it.
        for (account, mailboxes) in &touched.accounts {
            self.shared.watchers.wake(*account, mailboxes);
        }
        self.shared.queue_feed.changed(touched.queue);
    }

    /// Forgets a group that was not committed: the published state is the truth.
    fn roll_back(&mut self, touched: &Touched) {
        self.writer.abort();
        self.parts.forget_group();
        touched.dictionaries.iter().for_each(|id| self.shared.dictionaries.forget(*id));
        for id in touched.accounts.keys() {
            self.accounts.restore(*id, self.shared.published.in_memory(*id));
            self.need.measure(&self.accounts, *id);
        }
        if touched.has_queue() {
            self.queue = self.shared.published.queue();
        }
    }

    fn snapshot(&mut self) -> Snapshot {
        let accounts = self.accounts.take_dirty();
        let parts = self.accounts.parts().clone();
        let shard = self.shared.shard;
        let mut dictionaries = Vec::new();
        self.shared.dictionaries.encode(&mut dictionaries);
        let state = checkpoint::State::Queue(self.queue.clone(), dictionaries);
        self.need.clear();
        self.need.state_bytes = state.len_bytes();
        let number = self.next_part;
        self.next_part += 1;
        let room = self.reserve.take(&checkpoint::temporary(&self.shared.dir, number));
        Snapshot { shard, lsn: self.writer.end(), accounts, state, parts, number, room }
    }

    fn start_checkpoint_if_due(&mut self, own: &SyncSender<Message>) {
        let end = self.writer.end();
        let due = end.0 - self.accounts.parts().lsn().0.min(end.0) >= self.checkpoint_log_bytes
            || self.accounts.dirty_count() >= DIRTY_ACCOUNTS_MAX
            || self.turning.wants_checkpoint();
        if end < self.checkpoint_not_before || self.writer.latch().check().is_err() {
            return self.turning.give_up();
        }
        if !due || self.checkpoint_running {
            return;
        }
        self.turning.begun();
        let snapshot = Arc::new(self.snapshot());
        let (shared, own, taken) = (self.shared.clone(), own.clone(), snapshot.clone());
        let job = move || {
            // Whatever happens here, the committer must hear of its end: a stop waits for it.
            let parts = catch_unwind(AssertUnwindSafe(|| write_checkpoint(&taken, &shared)));
            let parts = parts.unwrap_or_else(|why| Err(Error::Invalid(format!("it panicked: {}", panic_text(&*why)))));
            // The committer may have ended meanwhile; the part is found at the next start.
            let _ = own.send(Message::CheckpointDone(taken, parts));
        };
        self.checkpoint_running = true;
        if let Err(why) = spawn(job) {
            self.checkpoint_done(&snapshot, Err(Error::io("start a thread for a checkpoint", why)));
        }
    }

    fn checkpoint_done(&mut self, snapshot: &Snapshot, parts: Result<Parts>) {
        self.checkpoint_running = false;
        self.note_checkpoint(snapshot, parts);
        self.turning.ended();
    }

    fn note_checkpoint(&mut self, snapshot: &Snapshot, parts: Result<Parts>) {
        match parts {
            Ok(parts) => {
                let parts = Arc::new(parts);
                self.shared.counters.checkpoint_lsn.store(parts.lsn().0, Ordering::Relaxed);
                let written = self.accounts.rebase(parts.clone());
                // What changed meanwhile may point to parts that are folded now.
                self.need.measure_all(&self.accounts);
                let accounts = &self.accounts;
                self.shared.published.rebase(parts, |id| accounts.is_dirty(id), &written);
            }
            Err(why) => {
                tracing::error!(shard = %self.shared.dir.display(), %why, "checkpoint failed; the log is whole, the next start takes longer");
                self.accounts.keep_dirty(&snapshot.accounts);
                // What was never begun, or panicked, has left its room behind.
                let _ = self.shared.disk.remove(&checkpoint::temporary(&self.shared.dir, snapshot.number));
                self.need.measure_all(&self.accounts);
                self.checkpoint_not_before = Lsn(self.writer.end().0 + self.checkpoint_log_bytes);
            }
        }
    }

    /// Answers what still waits, waits for a running checkpoint, writes the last one.
    fn finish(mut self, requests: &Receiver<Message>) -> Result<()> {
        while let Some(message) = self.waiting.next(requests) {
            self.group(message, requests);
        }
        while self.checkpoint_running {
            let Some(message) = self.waiting.wait(requests) else { break };
            self.group(message, requests);
        }
        self.writer.latch().check()?;
        self.writer.trim()?;
        if checkpoint::is_needless(self.writer.end(), self.accounts.parts().lsn()) {
            return Ok(());
        }
        let snapshot = self.snapshot();
        match snapshot.write(&*self.shared.disk, &self.shared.dir) {
            // All that was answered is in the log; a stop on a full disk is in order.
            Err(why @ Error::NoSpace) => {
                tracing::warn!(shard = %self.shared.dir.display(), %why, "no checkpoint; the log is whole, the next start takes longer");
                Ok(())
            }
            written => written.map(drop),
        }
    }
}

fn write_checkpoint(snapshot: &Snapshot, shared: &Shared) -> Result<Parts> {
    #[cfg(test)]
    if tests::PANICS.load(Ordering::Relaxed) {
        std::panic::resume_unwind(Box::new("as the test wants it"));
    }
    snapshot.write(&*shared.disk, &shared.dir)
}

/// Runs a checkpoint beside the commits.
fn spawn(job: impl FnOnce() + Send + 'static) -> std::io::Result<()> {
    #[cfg(test)]
    if tests::NO_THREADS.load(Ordering::Relaxed) {
        return Err(std::io::ErrorKind::WouldBlock.into());
    }
    std::thread::Builder::new().name("checkpoint".into()).spawn(job).map(drop)
}

#[cfg(test)]
mod tests;
