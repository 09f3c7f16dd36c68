//! The store and the server at a glance, as `posthouse status` shows them.
use super::{CompactionView, ServerFacts};
use posthouse_admin::Facts;
use posthouse_engine::queue::Counts;
use posthouse_engine::{Engine, MailWatch, ShardStatus};
use serde::{Deserialize, Serialize};

/// At a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StatusView {
    /// The running server; `null`: the data directory is closed and was opened for this answer.
    pub server: Option<Facts>,
    /// Accounts of all kinds and tenants.
    pub accounts: u64,
    /// Messages that wait to go to other hosts.
    pub queued: u64,
    /// Where they stand.
    pub queue: QueueView,
    /// The compaction that runs, or what the last one since the start did.
    #[serde(default)]
    pub compaction: CompactionView,
    /// Whether mail that was answered 250 can be seen.
    #[serde(default)]
    pub mail: MailWatchView,
    /// The control shard last.
    pub shards: Vec<ShardView>,
}

/// What the look-out for mail that was answered 250 has seen; a closed data directory has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailWatchView {
    /// Alarms since the start.
    pub alarms: u64,
    /// Messages of the queue that are due for long and were never tried.
    pub overdue: u64,
    /// Copies in mailboxes that are still to be looked at.
    pub watched: u64,
    /// Copies that were not looked at: too many came at a time.
    pub unwatched: u64,
}

/// How many messages of the queue stand where.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueView {
    /// To be tried.
    pub active: u64,
    /// Tried, and to be tried again.
    pub deferred: u64,
    /// Held back.
    pub hold: u64,
}

/// One shard at a glance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShardView {
    /// `0`, `1`, ... or `control`.
    pub name: String,
    /// Why it has closed itself, if it has.
    pub latched: Option<String>,
    /// What its start had to say: a torn tail that was cut, a damaged checkpoint that was passed over.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Bytes of log.
    pub log_bytes: u64,
    /// Segment files.
    pub segments: u64,
    /// Group commits since the start.
    pub groups: u64,
    /// Requests committed since the start.
    pub requests: u64,
    /// Syncs since the start.
    pub syncs: u64,
    /// The last checkpoint's Lsn.
    pub checkpoint_lsn: u64,
    /// Messages in its queue.
    pub queued: u64,
}

pub(super) fn status(engine: &Engine, server: ServerFacts<'_>) -> StatusView {
    let all = engine.status().shards;
    let sum = |of: fn(&Counts) -> u64| all.iter().map(|shard| of(&shard.queue)).sum();
    let queue =
        QueueView { active: sum(|all| all.active), deferred: sum(|all| all.deferred), hold: sum(|all| all.hold) };
    let shards: Vec<ShardView> = all.iter().map(shard).collect();
    let MailWatch { alarms, overdue, watched, unwatched } = engine.mail_watch();
    StatusView {
        mail: MailWatchView { alarms, overdue, watched, unwatched },
        server: server.map(|facts| facts()),
        accounts: engine.directory(|directory| directory.account_count()) as u64,
        queued: shards.iter().map(|shard| shard.queued).sum(),
        queue,
        compaction: engine.compact_status().into(),
        shards,
    }
}

fn shard(shard: &ShardStatus) -> ShardView {
    ShardView {
        name: shard.name.clone(),
        latched: shard.latched.clone(),
        notes: shard.notes.clone(),
        log_bytes: shard.log_bytes,
        segments: shard.segments,
        groups: shard.groups,
        requests: shard.requests,
        syncs: shard.syncs,
        checkpoint_lsn: shard.checkpoint_lsn,
        queued: shard.queue.total(),
    }
}
