//! Appends groups of frames to a shard's log: one write and one sync per group. Never shows a reader what is not synced.
use crate::base::{Locator, Lsn, Result};
use crate::format::FrameKind;

/// The one writer of a shard's log, owned by its committer.
pub struct Writer {}

impl Writer {
    /// Adds a frame to the open group, in memory; its payload is `parts` one after the other. Rolls to a new segment first when this is
    /// the group's first frame and the segment is full.
    ///
    /// # Errors
    /// `NoSpace`: rolling found no room; nothing is changed. `Limit`: the payload or the group is too large. `Latched`.
    pub fn push(&mut self, kind: FrameKind, flags: u8, dictionary: u16, parts: &[&[u8]]) -> Result<Locator> {
        let _ = (kind, flags, dictionary, parts);
        todo!()
    }

    /// Bytes in the open group.
    pub fn group_bytes(&self) -> usize {
        todo!()
    }

    /// Writes and syncs the open group. `Ok(end)`: everything before `end` is durable and readable.
    ///
    /// # Errors
    /// `NoSpace`: the group is dropped, the log as before, the writer usable. Anything else is `Latched`, now and for ever.
    pub fn commit(&mut self) -> Result<Lsn> {
        todo!()
    }

    /// Drops the open group.
    pub fn abort(&mut self) {
        todo!()
    }

    /// The end of the durable log.
    pub fn end(&self) -> Lsn {
        todo!()
    }

    /// Seals the current segment if it has frames; the next push begins a new one. The open group must be empty.
    pub fn seal(&mut self) -> Result<()> {
        todo!()
    }

    /// Syncs made so far.
    pub fn syncs(&self) -> u64 {
        todo!()
    }
}
