//! The chunks of one block, and what a checkpoint would write for them, which is counted once however often it is asked for. Does no I/O.
use super::chunk::{Chunk, Source};
use super::entry::Entry;
use std::ops::Deref;
use std::sync::{Arc, OnceLock};

/// Bytes of what a record says of one chunk: four varints of 32 bits, two of 64, a crc.
const PLACE_BYTES_MAX: u64 = 4 * 5 + 2 * 10 + 4;

/// A chunk in its block.
#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// Entries in the block's chunks before.
    pub(super) start: u32,
    pub(crate) chunk: Arc<Chunk>,
}

/// Chunks by uid.
#[derive(Debug, Default)]
pub(super) struct Slots {
    list: Vec<Slot>,
    /// Of the list as it is.
    weight: OnceLock<Weight>,
}

#[derive(Debug, Default)]
struct Weight {
    /// Bytes of the chunks that are in no part.
    memory_bytes: u64,
    /// Bytes of the others: the part, and how many are there.
    in_parts: Vec<(u32, u64)>,
}

impl Slots {
    pub(super) fn of(list: Vec<Slot>) -> Arc<Slots> {
        Arc::new(Slots { list, weight: OnceLock::new() })
    }

    /// The list to be changed: a copy of it where a view has it too.
    pub(super) fn edit(slots: &mut Arc<Slots>) -> &mut Vec<Slot> {
        let slots = Arc::make_mut(slots);
        slots.weight = OnceLock::new();
        &mut slots.list
    }

    /// Bytes of the chunks in a record, and of those that are in none of the parts which `kept` names.
    pub(super) fn checkpoint_bytes_max(&self, kept: &dyn Fn(u32) -> bool) -> u64 {
        let weight = self.weight.get_or_init(|| Weight::of(&self.list));
        let left: u64 = weight.in_parts.iter().filter(|(part, _)| !kept(*part)).map(|(_, bytes)| bytes).sum();
        PLACE_BYTES_MAX * self.list.len() as u64 + weight.memory_bytes + left
    }
}

impl Deref for Slots {
    type Target = [Slot];
    fn deref(&self) -> &[Slot] {
        &self.list
    }
}

impl Clone for Slots {
    /// To be changed: what is counted of the other does not hold for long.
    fn clone(&self) -> Slots {
        Slots { list: self.list.clone(), weight: OnceLock::new() }
    }
}

impl Weight {
    fn of(list: &[Slot]) -> Weight {
        let mut weight = Weight::default();
        for Slot { chunk, .. } in list {
            let bytes = u64::from(chunk.len) * Entry::BYTES as u64;
            let Source::Part { part, .. } = &chunk.source else {
                weight.memory_bytes += bytes;
                continue;
            };
            match weight.in_parts.iter_mut().find(|(id, _)| *id == part.id) {
                Some((_, sum)) => *sum += bytes,
                None => weight.in_parts.push((part.id, bytes)),
            }
        }
        weight
    }
}
