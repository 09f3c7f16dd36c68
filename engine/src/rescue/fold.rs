//! The state that a shard's log adds up to, in bounded memory: what has not changed for a while goes to scratch files, which are index parts
//! like those of a checkpoint. Writes nowhere else.
use crate::base::{Lsn, Result, ShardId};
use crate::disk::Disk;
use crate::engine::checkpoint::{Snapshot, State};
use crate::engine::replay::Replay;
use crate::format::{Event, FrameRef};
use crate::index::{Accounts, Parts};
use crate::queue::Queue;
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of events after which memory is given back.
const SPILL_BYTES: u64 = 32 << 20;

/// Gives a directory for scratch files when one is needed, always the same one.
pub type Scratch<'a> = &'a mut dyn FnMut() -> Result<Arc<dyn Disk>>;

/// The state of one account shard on its way.
pub(super) struct Fold {
    pub(super) shard: ShardId,
    pub(super) accounts: Accounts,
    pub(super) queue: Queue,
    pub(super) replay: Replay,
    /// Folded up to here.
    pub(super) at: Lsn,
    since_spill: u64,
    /// Tells the scratch files of two folds of one shard apart.
    name: &'static str,
}

impl Fold {
    /// The state before the log's first byte.
    pub(super) fn new(shard: ShardId, name: &'static str) -> Fold {
        Fold::from(shard, name, Arc::default(), Queue::default())
    }

    /// The state of a checkpoint.
    pub(super) fn from(shard: ShardId, name: &'static str, parts: Arc<Parts>, queue: Queue) -> Fold {
        let at = parts.lsn();
        let (accounts, replay) = (Accounts::new(parts), Replay::default());
        Fold { shard, accounts, queue, replay, at, since_spill: 0, name }
    }

    /// Folds one event frame in that stands at `lsn`, or all the transactions behind what is folded of a compacted segment's frame; `Err`
    /// says what contradicts the state.
    pub(super) fn apply(&mut self, lsn: Lsn, frame: FrameRef<'_>, scratch: Scratch<'_>) -> Result<Result<(), String>> {
        let (from, payload) = (self.at, frame.payload);
        let done = self.replay.shard(&mut self.accounts, &mut self.queue, (from, lsn), frame);
        let done = done.map_err(|why| why.to_string());
        self.at = Lsn(self.replay.last.0 + 1).max(from);
        self.gave(payload.len(), scratch)?;
        Ok(done)
    }

    /// Folds events of one transaction in that are read already; `bytes` is their size.
    pub(super) fn events(
        &mut self,
        lsn: Lsn,
        events: &[Event],
        bytes: usize,
        scratch: Scratch<'_>,
    ) -> Result<Result<(), String>> {
        let done = self.replay.events(&mut self.accounts, &mut self.queue, events).map_err(|why| why.to_string());
        self.at = Lsn(lsn.0 + 1).max(self.at);
        self.gave(bytes, scratch)?;
        Ok(done)
    }

    /// Folds the events of one transaction in.
    pub(super) fn transaction(&mut self, lsn: Lsn, events: &[u8], scratch: Scratch<'_>) -> Result<Result<(), String>> {
        let done = self.replay.transaction(&mut self.accounts, &mut self.queue, events).map_err(|why| why.to_string());
        self.at = Lsn(lsn.0 + 1);
        self.gave(events.len(), scratch)?;
        Ok(done)
    }

    fn gave(&mut self, bytes: usize, scratch: Scratch<'_>) -> Result<()> {
        self.since_spill += bytes as u64;
        if self.since_spill >= SPILL_BYTES {
            self.spill(&*scratch()?)?;
        }
        Ok(())
    }

    fn spill(&mut self, disk: &dyn Disk) -> Result<()> {
        let dir = PathBuf::from(format!("{}-{}", self.shard, self.name));
        let failed = |why| crate::base::Error::io(format!("make {}", disk.full_path(&dir).display()), why);
        disk.create_dir(&dir).map_err(failed)?;
        let parts = self.snapshot(self.at, Vec::new()).write(disk, &dir)?;
        self.accounts.rebase(Arc::new(parts));
        self.since_spill = 0;
        Ok(())
    }

    /// What changed since the parts below, as of `lsn`.
    pub(super) fn snapshot(&mut self, lsn: Lsn, state: Vec<u8>) -> Snapshot {
        let accounts = self.accounts.take_dirty();
        let parts = self.accounts.parts().clone();
        let number = parts.list().first().map_or(1, |part| part.id() + 1);
        Snapshot { shard: self.shard, lsn, accounts, state: State::Bytes(state), parts, number, room: None }
    }
}
