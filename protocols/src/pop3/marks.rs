//! A set of positions in a maildrop: a bit for each message, once one is in it.
use posthouse_engine::base::Error;
use posthouse_engine::index::{EntryTable, UidSet};

/// Some positions.
#[derive(Debug, Default)]
pub(super) struct Marks(Vec<u64>);

impl Marks {
    /// Adds a position of a maildrop with `len` messages.
    pub(super) fn add(&mut self, at: usize, len: usize) {
        if self.0.is_empty() {
            self.0 = vec![0; len.div_ceil(64)];
        }
        if let Some(bits) = self.0.get_mut(at / 64) {
            *bits |= 1 << (at % 64);
        }
    }

    /// Whether it is in it.
    pub(super) fn has(&self, at: usize) -> bool {
        self.0.get(at / 64).is_some_and(|bits| bits >> (at % 64) & 1 == 1)
    }

    /// The uids at the positions.
    pub(super) fn uids(&self, entries: &EntryTable) -> Result<UidSet, Error> {
        let mut uids = UidSet::new();
        for (word, bits) in self.0.iter().enumerate().filter(|(_, bits)| **bits != 0) {
            for bit in (0..64).filter(|bit| bits >> bit & 1 == 1) {
                uids.push(entries.get(word * 64 + bit)?.uid);
            }
        }
        Ok(uids)
    }
}
