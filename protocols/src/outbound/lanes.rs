//! What is ready for one destination: the higher priority first (RFC 6710 section 5.1), within a priority the first that came. So that nobody keeps
//! others waiting for ever by a priority, a lower one has its turn after every few. Pure.
use crate::limits;
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// See above.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    /// None is empty.
    by_priority: BTreeMap<Reverse<i8>, VecDeque<T>>,
    turns: Turns,
    len: usize,
}

/// Which priority is next.
#[derive(Debug, Default)]
pub(super) struct Turns {
    taken: u64,
    /// When each was next for the last time, in what was taken by then.
    last: BTreeMap<i8, u64>,
    /// How often the highest was next in a row while lower ones waited.
    run: u32,
}

impl Turns {
    /// Of those that wait, the highest of them first.
    pub(super) fn next(&mut self, mut waiting: impl Iterator<Item = i8>) -> Option<i8> {
        let highest = waiting.next()?;
        // The one that has waited for its turn the longest.
        let lower = waiting.min_by_key(|priority| self.last.get(priority));
        let next = lower.filter(|_| self.run >= limits::OUTBOUND_PRIORITY_RUN).unwrap_or(highest);
        self.run = if lower.is_some() && next == highest { self.run + 1 } else { 0 };
        self.taken += 1;
        self.last.insert(next, self.taken);
        Some(next)
    }
}

impl<T> Lanes<T> {
    pub(super) fn new() -> Lanes<T> {
        Lanes { by_priority: BTreeMap::new(), turns: Turns::default(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Those of one priority.
    pub(super) fn len_of(&self, priority: i8) -> usize {
        self.by_priority.get(&Reverse(priority)).map_or(0, VecDeque::len)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Behind all of its priority.
    pub(super) fn push_back(&mut self, priority: i8, one: T) {
        self.by_priority.entry(Reverse(priority)).or_default().push_back(one);
        self.len += 1;
    }

    /// Before all of its priority.
    pub(super) fn push_front(&mut self, priority: i8, one: T) {
        self.by_priority.entry(Reverse(priority)).or_default().push_front(one);
        self.len += 1;
    }

    pub(super) fn pop(&mut self) -> Option<T> {
        let priority = Reverse(self.turns.next(self.by_priority.keys().map(|priority| priority.0))?);
        let lane = self.by_priority.get_mut(&priority)?;
        let one = lane.pop_front();
        if lane.is_empty() {
            self.by_priority.remove(&priority);
        }
        self.len -= usize::from(one.is_some());
        one
    }

    /// All, in their order.
    pub(super) fn drain(&mut self) -> Vec<T> {
        self.len = 0;
        std::mem::take(&mut self.by_priority).into_values().flatten().collect()
    }
}
