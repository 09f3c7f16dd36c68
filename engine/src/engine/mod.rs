//! Floor 7: the one way in. Opens and closes the store, takes requests, gives views and the change feed. Holds no rule of its own.
mod bytes;
mod carry;
pub(crate) mod checkpoint;
mod committer;
mod compaction;
mod control;
mod copies;
mod dmarc;
mod hand_over;
mod kept;
mod learning;
mod login;
mod mail_log;
mod moves;
mod open;
mod ops;
mod pace;
mod parts;
mod point;
mod promises;
mod published;
mod queue;
mod queue_watch;
mod readers;
pub(crate) mod replay;
mod requests;
mod reserve;
mod shard;
pub(crate) mod store_file;
mod ticket;
mod turning;
mod txn;
mod types;
mod url_keys;
mod views;
mod watch;
mod workers;

pub use bytes::Bytes;
pub use carry::{Checksum, Ingested, LogFile, Purged, ShardFiles};
pub use compaction::{Compact, CompactStatus};
pub use hand_over::MoreToCome;
pub use kept::Kept;
pub use login::Attempt;
pub use mail_log::{Accepted, MailWatch};
pub use pace::Expected;
pub use point::{TakenBack, take_back};
pub use promises::Promise;
pub use queue_watch::{QueueChanges, QueueWatch};
pub(crate) use shard::dir as shard_dir;
pub use ticket::{Ticket, answers_waited_for};
pub use types::*;
pub use url_keys::{UrlKey, UrlPlace};
pub use watch::Watch;

use crate::base::limits::SEGMENT_BYTES_MAX;
use crate::base::{AccountId, Error, Guid, Result};
use crate::disk::Lock;
use crate::mailflow::Counters;
use crate::trace::{DmarcLog, LoginLog};
use committer::For;
use compaction::{Compaction, Work};
use control::Control;
use kept::KeptFiles;
use learning::Learning;
use mail_log::MailBook;
use pace::Coming;
use queue_watch::QueueFeed;
use shard::Shard;
use std::hash::{BuildHasher, RandomState};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use workers::Workers;

/// An open store. Shared by all sessions; every method may be called from any thread.
pub struct Engine {
    shards: Vec<Shard>,
    control: Control,
    queue_feed: Arc<QueueFeed>,
    workers: Workers,
    learning: Arc<Learning>,
    compaction: Arc<Compaction>,
    logins: Arc<LoginLog>,
    dmarc: Arc<DmarcLog>,
    kept: KeptFiles,
    rates: Mutex<Counters>,
    mail_book: MailBook,
    coming: Coming,
    unfinished: Arc<hand_over::Unfinished>,
    clock: Arc<dyn crate::base::Clock>,
    /// Random for each start, so that guids of two starts never meet.
    guid_prefix: u64,
    guid_next: AtomicU64,
    lock: Mutex<Option<Box<dyn Lock>>>,
}

impl Engine {
    /// Opens the store, making it if the directory is empty. Replays what came after the last checkpoint. The lines say what recovery cut
    /// or passed over.
    ///
    /// # Errors
    /// `Busy`: another process has the directory. `Corrupt`: a sealed segment or synced frame is not what was written.
    pub fn open(options: Options) -> Result<(Arc<Engine>, Vec<String>)> {
        if options.segment_bytes_max > SEGMENT_BYTES_MAX {
            return Err(Error::Invalid(format!("segment_bytes_max: at most {SEGMENT_BYTES_MAX} is allowed")));
        }
        let lock = options.disk.lock(Path::new("LOCK")).map_err(|why| match why.kind() {
            std::io::ErrorKind::WouldBlock => Error::Busy,
            _ => Error::io(format!("lock {}", options.disk.full_path(Path::new("LOCK")).display()), why),
        })?;
        let found = store_file::read(&*options.disk)?;
        let count = found.unwrap_or(options.shards);
        store_file::check_count(count)?;
        let workers = Workers::start(options.workers).map_err(|why| Error::io("start the workers", why))?;
        let (queue_feed, coming): (Arc<QueueFeed>, Coming) = Default::default();
        let (control, shards, mut notices) = open::open(&options, count, &queue_feed, &coming)?;
        if found.is_none() {
            store_file::write(&*options.disk, count)?;
        }
        let newest = shards.iter().filter_map(|shard| shard.newest_dictionary(&mut notices)).collect();
        let numbers = shards.iter().map(|shard| shard.shared.dictionaries.next_id().unwrap_or(u16::MAX)).max();
        let learning = Learning::new(options.clock.clone(), newest, numbers.unwrap_or(0));
        let engine = Engine {
            shards,
            learning,
            compaction: Arc::default(),
            coming,
            unfinished: Arc::default(),
            control,
            queue_feed,
            workers,
            mail_book: MailBook::new(options.disk.clone(), options.clock.clone()),
            dmarc: Arc::new(DmarcLog::new(options.disk.clone())),
            kept: KeptFiles::new(options.disk.clone()),
            rates: Mutex::default(),
            logins: Arc::new(LoginLog::new(options.disk)),
            clock: options.clock,
            guid_prefix: RandomState::new().hash_one(std::process::id()),
            guid_next: AtomicU64::new(1),
            lock: Mutex::new(Some(lock)),
        };
        engine.finish_begun_moves(&mut notices);
        if let Some(note) = engine.kept(Kept::Rates) {
            *engine.rates() = Counters::decode(&note);
        }
        Ok((Arc::new(engine), notices))
    }

    /// Commits what was taken, writes checkpoints, frees the lock. Later requests hear `Closed`.
    ///
    /// # Errors
    /// The first shard's that could not write its checkpoint; nothing that was answered is lost by it.
    pub fn close(&self) -> Result<()> {
        self.compaction.close();
        self.learning.close();
        let mut closed = Ok(());
        for shard in &self.shards {
            closed = closed.and(shard.committer.close());
        }
        closed = closed.and(self.control.close());
        if let Err(why) = self.logins.write() {
            tracing::warn!(%why, "the last logins could not be noted");
        }
        self.end_dmarc_log();
        self.keep_rates();
        self.mail_book.end();
        *self.lock.lock().unwrap_or_else(PoisonError::into_inner) = None;
        closed
    }

    fn shard(&self, account: AccountId) -> &Shard {
        &self.shards[(account.0 % self.shards.len() as u64) as usize]
    }

    /// Where an account's changes are asked for: those of one account wait in one line.
    fn committer_of(&self, account: AccountId) -> For<'_> {
        self.shard(account).committer.on_behalf(account.0)
    }

    fn next_guid(&self) -> Guid {
        let mut guid = [0; 16];
        guid[..8].copy_from_slice(&self.guid_prefix.to_be_bytes());
        guid[8..].copy_from_slice(&self.guid_next.fetch_add(1, Ordering::Relaxed).to_be_bytes());
        Guid(guid)
    }

    /// Rewrites what is cold and what is half dead, while serving. `Busy` when a run is under way; `Closed` when it was stopped.
    pub fn compact(&self, request: Compact) -> Ticket<Result<CompactStatus>> {
        let (ticket, filler) = Ticket::pending(Err(ticket::given_up()));
        let work = self.shards.iter().map(|shard| Work::new(shard, &self.clock)).collect();
        self.compaction.start(work, request, move |done| filler.fill(done));
        ticket
    }

    /// Removes what compaction has replaced longer ago than that, in milliseconds; nothing while a run is under way. The first error, when all was tried.
    pub fn remove_replaced(&self, keep_ms: i64) -> Result<()> {
        let work: Vec<Work> = self.shards.iter().map(|shard| Work::new(shard, &self.clock)).collect();
        self.compaction.remove_replaced(&work, keep_ms)
    }

    /// How far compaction is, or what the last run did.
    pub fn compact_status(&self) -> CompactStatus {
        self.compaction.status()
    }

    /// Ends the run that is under way, if there is one; what it has replaced stays so.
    pub fn compact_stop(&self) {
        self.compaction.cancel();
    }

    /// Makes compaction wait, or go on.
    pub fn compact_pause(&self, pause: bool) {
        self.compaction.pause(pause);
    }

    /// What `posthouse status` shows.
    pub fn status(&self) -> Status {
        let mut shards: Vec<ShardStatus> = self.shards.iter().map(Shard::status).collect();
        shards.push(self.control.status());
        Status { shards }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Err(why) = self.close() {
            tracing::error!(%why, "the store was not closed in order; the next start replays its log");
        }
    }
}
