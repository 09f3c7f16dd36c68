//! The mail log as callers write and read it, and the look-out for messages that were answered 250 and cannot be seen. Changes no mail.
use super::Engine;
use crate::base::{AccountId, Clock, MailboxId, QueueId, Result, Uid, limits};
use crate::disk::Disk;
use crate::queue::{QueueItem, QueueState};
use crate::trace::{Crowd, MailFilter, MailLog, MailPage, MailRecord, Step};
use std::collections::{BTreeSet, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// How long records may wait for others to be written with them.
const PAUSE: Duration = Duration::from_millis(100);
/// Alarms about queue items that one look writes down, and items whose alarm is remembered.
const ALARMS_MAX: usize = 100;

/// A copy in a mailbox of which a client has been told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// The message's id in the mail log.
    pub id: u64,
    /// When, seconds since 1970-01-01 UTC.
    pub when: i64,
    /// Whose.
    pub account: AccountId,
    /// The mailbox.
    pub mailbox: MailboxId,
    /// The entry.
    pub uid: Uid,
}

/// What the look-out has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MailWatch {
    /// Alarms since the start.
    pub alarms: u64,
    /// Messages in the queue now that were due long ago and never tried.
    pub overdue: u64,
    /// Copies that have not been looked at yet.
    pub watched: u64,
    /// Copies that were never looked at: there were too many at a time.
    pub unwatched: u64,
}

/// The log, who writes it, and the look-out.
pub(super) struct MailBook {
    log: Arc<MailLog>,
    crowd: Mutex<Crowd>,
    clock: Arc<dyn Clock>,
    pen: Mutex<Option<(Sender<Word>, JoinHandle<()>)>>,
    accepted: Mutex<VecDeque<Accepted>>,
    told: Mutex<BTreeSet<QueueId>>,
    alarms: AtomicU64,
    overdue: AtomicU64,
    unwatched: AtomicU64,
}

enum Word {
    Write,
    Stop,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MailBook {
    pub(super) fn new(disk: Arc<dyn Disk>, clock: Arc<dyn Clock>) -> MailBook {
        MailBook {
            log: Arc::new(MailLog::new(disk)),
            crowd: Mutex::default(),
            clock,
            pen: Mutex::default(),
            accepted: Mutex::default(),
            told: Mutex::default(),
            alarms: AtomicU64::new(0),
            overdue: AtomicU64::new(0),
            unwatched: AtomicU64::new(0),
        }
    }

    fn note(&self, record: &MailRecord) {
        if !self.log.note(record) {
            return;
        }
        let mut pen = locked(&self.pen);
        if pen.is_none() {
            *pen = self.start();
        }
        if let Some((word, _)) = &*pen {
            // Who is gone has written all that waited.
            let _ = word.send(Word::Write);
        }
    }

    fn note_all(&self, records: &[MailRecord]) {
        records.iter().for_each(|record| self.note(record));
    }

    /// The thread that writes; a store that takes no mail has none.
    fn start(&self) -> Option<(Sender<Word>, JoinHandle<()>)> {
        let (word, words) = channel();
        let log = self.log.clone();
        let started = std::thread::Builder::new().name("mail-log".into()).spawn(move || write(&log, &words));
        started.map(|thread| (word, thread)).inspect_err(|why| tracing::warn!(%why, "the mail log is not written")).ok()
    }

    /// The last words. The log may be gone on with all the same: what was noted after them is noted like after a start.
    pub(super) fn end(&self) {
        self.note_all(&locked(&self.crowd).all());
        if let Some((word, thread)) = locked(&self.pen).take() {
            let _ = word.send(Word::Stop);
            let _ = thread.join();
        }
        let last = MailRecord { when_ms: self.clock.now_ms(), step: Step::Ended, ..MailRecord::default() };
        if let Err(why) = self.log.end(&last) {
            tracing::warn!(%why, "the last steps of mail could not be noted");
        }
    }
}

fn write(log: &MailLog, words: &Receiver<Word>) {
    let mut goes_on = true;
    while goes_on && matches!(words.recv(), Ok(Word::Write)) {
        // More may come, and then it is one write for all.
        let more = words.recv_timeout(PAUSE);
        goes_on = matches!(more, Ok(Word::Write) | Err(RecvTimeoutError::Timeout));
        if let Err(why) = log.write() {
            tracing::warn!(%why, "steps of mail could not be noted");
        }
    }
}

impl Engine {
    /// Notes a step of a message's way; written soon, by a thread of its own.
    pub fn note_mail(&self, record: &MailRecord) {
        self.mail_book.note(record);
    }

    /// Notes that a host was refused before it could send anything. Many of a kind in a minute become one step, with their number.
    pub fn note_refusal(&self, record: MailRecord) {
        let told = locked(&self.mail_book.crowd).take(record);
        self.mail_book.note_all(&told);
    }

    /// How much of the mail log is kept from now on.
    pub fn keep_mail_log(&self, bytes_max: u64, days_max: u64) {
        self.mail_book.log.keep(bytes_max, days_max);
    }

    /// The mail log, the oldest first, newer than `after`. Blocks; not for reactor threads.
    ///
    /// # Errors
    /// The disk's.
    pub fn mail_log(&self, filter: &MailFilter, after: Option<u64>, rows_max: usize) -> Result<MailPage> {
        self.mail_book.note_all(&locked(&self.mail_book.crowd).all());
        self.mail_book.log.find(filter, after, rows_max)
    }

    /// Copies whose delivery a client is told of: they are looked after until they have been seen.
    pub fn watch_accepted(&self, copies: impl Iterator<Item = Accepted>) {
        let mut accepted = locked(&self.mail_book.accepted);
        for copy in copies {
            if accepted.len() >= limits::MAIL_WATCHED_MAX {
                self.mail_book.unwatched.fetch_add(1, Ordering::Relaxed);
            } else {
                accepted.push_back(copy);
            }
        }
    }

    /// What the look-out saw when it looked last.
    pub fn mail_watch(&self) -> MailWatch {
        let book = &self.mail_book;
        MailWatch {
            alarms: book.alarms.load(Ordering::Relaxed),
            overdue: book.overdue.load(Ordering::Relaxed),
            watched: locked(&book.accepted).len() as u64,
            unwatched: book.unwatched.load(Ordering::Relaxed),
        }
    }

    /// Looks whether each copy that was answered 250 stands in its mailbox by now. One that does not after `patience` seconds raises an alarm,
    /// once: a line in the server's log, and a step in the mail log; with 0 none does.
    pub fn look_in_mailboxes(&self, patience: u32) {
        self.mail_book.note_all(&locked(&self.mail_book.crowd).due(self.clock.now_ms()));
        let all = std::mem::take(&mut *locked(&self.mail_book.accepted));
        let now = self.clock.now();
        let mut unseen: Vec<Accepted> = all.into_iter().filter(|copy| !self.is_seen(copy)).collect();
        if patience > 0 {
            let late = |copy: &mut Accepted| now - copy.when >= i64::from(patience);
            for copy in unseen.extract_if(.., late) {
                let Accepted { id, account, mailbox, uid, .. } = copy;
                tracing::error!(
                    id = %format_args!("{id:X}"), %account, mailbox = mailbox.0, uid = uid.0,
                    "ALARM: a message was answered 250 and is not in its mailbox"
                );
                let text = format!("answered 250 and not in its mailbox after {patience} seconds");
                self.alarm(&MailRecord {
                    id,
                    account: account.0,
                    mailbox: mailbox.0,
                    uid: uid.0,
                    text,
                    ..MailRecord::default()
                });
            }
        }
        locked(&self.mail_book.accepted).extend(unseen);
    }

    /// Whether the entry is there, or was and has been taken away since.
    fn is_seen(&self, copy: &Accepted) -> bool {
        let Ok(account) = self.account(copy.account) else {
            // An account that was removed meanwhile has no mail; one that cannot be read is no proof.
            return self.directory(|known| known.account(copy.account).is_none());
        };
        match account.mailbox(copy.mailbox) {
            None => true,
            Some(view) => view.uid_next > copy.uid,
        }
    }

    /// Looks whether each message of the queue was tried by now. One that is due for `patience` seconds and never was raises an alarm, once;
    /// with 0 none does. Goes over the whole queue.
    pub fn look_in_queue(&self, patience: u32) {
        let now = self.clock.now();
        let is_late = |item: &QueueItem| {
            item.state != QueueState::Hold
                && now - item.next_try.max(item.created) >= i64::from(patience)
                && item.progress.iter().all(|progress| progress.attempts == 0)
        };
        let mut late = BTreeSet::new();
        for queue in self.queues().iter().filter(|_| patience > 0) {
            // By their times alone first: mostly that is all.
            let due = queue
                .times()
                .filter(|(_, state, next_try)| *state != QueueState::Hold && now - *next_try >= i64::from(patience));
            let due = due.filter_map(|(id, ..)| queue.get(id));
            late.extend(due.filter(|item| is_late(item)).map(|item| item.id));
        }
        self.mail_book.overdue.store(late.len() as u64, Ordering::Relaxed);
        let mut told = locked(&self.mail_book.told);
        told.retain(|id| late.contains(id));
        let new: Vec<QueueId> = late.difference(&told).copied().take(ALARMS_MAX).collect();
        if let Some(first) = new.first() {
            tracing::error!(
                overdue = late.len(),
                first = first.0,
                "ALARM: messages were answered 250 and stand untried in the queue; posthouse queue list shows them"
            );
        }
        for id in new {
            told.insert(id);
            let text = format!("answered 250 and not tried once in {patience} seconds");
            self.alarm(&MailRecord { queue: id.0, text, ..MailRecord::default() });
        }
    }

    fn alarm(&self, record: &MailRecord) {
        self.mail_book.alarms.fetch_add(1, Ordering::Relaxed);
        self.note_mail(&MailRecord { when_ms: self.clock.now_ms(), step: Step::Alarm, ..record.clone() });
    }
}
