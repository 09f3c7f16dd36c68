//! Maps by the numbers of queue items. These are places in a log, which nobody chooses, so a quick hash does.
use posthouse_engine::base::QueueId;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

pub(super) type ById<T> = HashMap<QueueId, T, BuildHasherDefault<IdHasher>>;

/// Spreads a number over all bits; its low ones are the shard's, and the same for many.
#[derive(Default)]
pub(super) struct IdHasher(u64);

impl Hasher for IdHasher {
    fn write_u64(&mut self, id: u64) {
        let spread = (self.0 ^ id ^ id >> 32).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let spread = (spread ^ spread >> 32).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        self.0 = spread ^ spread >> 29;
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::hash::BuildHasher;

    #[test]
    fn numbers_of_one_shard_are_spread_in_their_low_and_their_high_bits() {
        let hash = |id: u64| BuildHasherDefault::<IdHasher>::default().hash_one(QueueId(id));
        let all: Vec<u64> = (1..=4096).map(|at| hash((at * 300) << 16 | 3)).collect();
        let parts = |shift: u32| all.iter().map(|hash| hash >> shift & 0x7f).collect::<HashSet<_>>().len();
        assert_eq!((parts(0), parts(7), parts(57)), (128, 128, 128));
        let low: HashSet<u64> = all.iter().map(|hash| hash & 0x1fff).collect();
        assert!(low.len() > 2800, "{} of 4096 places", low.len());
    }
}
