//! Places of the log where a message should be and is not. Remembers ranges, so that a whole missing file costs a few bytes.
use crate::base::{Locator, SegmentId};
use std::collections::BTreeMap;
use std::ops::Range;

/// Ranges of bytes by segment, with the reason of each.
#[derive(Debug, Default)]
pub(super) struct Places(BTreeMap<SegmentId, BTreeMap<u64, (u64, String)>>);

impl Places {
    pub(super) fn add(&mut self, segment: SegmentId, range: Range<u64>, why: &str) {
        let ranges = self.0.entry(segment).or_default();
        // Damage comes in runs; a run with one reason is one range.
        if let Some((_, (end, reason))) = ranges.range_mut(..=range.start).next_back()
            && *end >= range.start
            && *reason == why
        {
            *end = (*end).max(range.end);
            return;
        }
        ranges.insert(range.start, (range.end, why.to_owned()));
    }

    /// The message at that place.
    pub(super) fn add_message(&mut self, at: Locator, why: &str) {
        self.add(at.segment, u64::from(at.offset)..u64::from(at.offset) + 1, why);
    }

    /// Why no message is at that place; `None` if nothing is known against it.
    pub(super) fn why(&self, at: Locator) -> Option<&str> {
        let (_, (end, why)) = self.0.get(&at.segment)?.range(..=u64::from(at.offset)).next_back()?;
        (*end > u64::from(at.offset)).then_some(why.as_str())
    }
}
