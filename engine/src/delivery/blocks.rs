//! The blocks of cold mail that were read last, unpacked: who reads a mailbox wants messages of a few blocks in turn. Bounded; reads no file.
use super::PartAt;
use super::cold::from_text;
use crate::base::Guid;
use crate::format::block::Block;
use crate::log::BlockName;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Blocks that are kept: each is up to a megabyte.
const KEPT: usize = 8;

/// The blocks of a log that were read last.
#[derive(Debug, Default)]
pub(crate) struct Blocks(Mutex<Vec<(BlockName, Arc<Unpacked>)>>);

/// A block without its compression.
#[derive(Debug)]
pub(crate) struct Unpacked {
    pub(super) block: Block,
    pub(super) text: Vec<u8>,
}

impl Unpacked {
    /// Its message of that number, proven, and its guid. `Err` says what does not fit.
    pub(super) fn message(&self, index: usize, part_at: PartAt<'_>) -> Result<(Guid, Vec<u8>), String> {
        let row = self.block.rows.get(index).zip(self.block.range(index));
        let (row, range) = row.ok_or("as many messages as addressed expected")?;
        from_text(row, self.text.get(range), part_at)
    }
}

impl Blocks {
    fn lock(&self) -> MutexGuard<'_, Vec<(BlockName, Arc<Unpacked>)>> {
        // The list is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The block of that name, if it is kept; it is the one that was read last then.
    pub(super) fn get(&self, name: BlockName) -> Option<Arc<Unpacked>> {
        let mut kept = self.lock();
        let at = kept.iter().rposition(|(known, _)| *known == name)?;
        let found = kept.remove(at);
        let block = found.1.clone();
        kept.push(found);
        Some(block)
    }

    /// Keeps a block in the place of the one that was not read for the longest time.
    pub(super) fn put(&self, name: BlockName, block: Arc<Unpacked>) {
        let mut kept = self.lock();
        if kept.iter().any(|(known, _)| *known == name) {
            return;
        }
        let gone = if kept.len() >= KEPT { Some(kept.remove(0)) } else { None };
        kept.push((name, block));
        drop(kept);
        // A megabyte is given back with nothing locked.
        drop(gone);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_ones_are_kept() {
        let blocks = Blocks::default();
        let block = || Arc::new(Unpacked { block: Block::default(), text: Vec::new() });
        for number in 0..KEPT as u64 {
            blocks.put((number, 7), block());
        }
        assert!(blocks.get((0, 7)).is_some() && blocks.get((0, 8)).is_none());
        blocks.put((100, 7), block());
        assert!(blocks.get((1, 7)).is_none(), "it was read least lately");
        assert!((2..KEPT as u64).chain([0, 100]).all(|number| blocks.get((number, 7)).is_some()));
    }
}
