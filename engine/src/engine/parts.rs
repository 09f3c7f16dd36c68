//! Which parts stand in the growing segment: equal ones are stored once in a segment, so that a segment explains itself and nothing counts
//! references over files (docs/decisions/0011). Knows nothing of sealed segments; after a start it begins empty.
use crate::base::limits::PARTS_KNOWN_MAX;
use crate::base::{Locator, SegmentId};
use crate::format::PartHash;
use std::collections::HashMap;

/// The parts of the tail, by content.
#[derive(Debug, Default)]
pub(super) struct TailParts {
    segment: SegmentId,
    offsets: HashMap<PartHash, u32>,
    /// Those of the group that is not committed yet.
    open: Vec<PartHash>,
}

impl TailParts {
    /// Where an equal part stands in `segment`.
    pub(super) fn find(&self, segment: SegmentId, hash: &PartHash) -> Option<u32> {
        self.offsets.get(hash).copied().filter(|_| segment == self.segment)
    }

    /// A part was written with the open group.
    pub(super) fn add(&mut self, at: Locator, hash: PartHash) {
        if at.segment != self.segment || self.offsets.len() >= PARTS_KNOWN_MAX {
            self.offsets.clear();
            self.open.clear();
            self.segment = at.segment;
        }
        self.offsets.insert(hash, at.offset);
        self.open.push(hash);
    }

    /// The open group is durable.
    pub(super) fn keep_group(&mut self) {
        self.open.clear();
    }

    /// The open group was not committed.
    pub(super) fn forget_group(&mut self) {
        for hash in self.open.drain(..) {
            self.offsets.remove(&hash);
        }
    }
}
