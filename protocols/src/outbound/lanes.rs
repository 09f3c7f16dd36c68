//! What is ready for one destination: the higher priority first (RFC 6710 section 5.1), within a priority the first that came. Pure.
use std::cmp::Reverse;
use std::collections::{BTreeMap, VecDeque};

/// See above.
#[derive(Debug)]
pub(super) struct Lanes<T> {
    /// None is empty.
    by_priority: BTreeMap<Reverse<i8>, VecDeque<T>>,
    len: usize,
}

impl<T> Lanes<T> {
    pub(super) fn new() -> Lanes<T> {
        Lanes { by_priority: BTreeMap::new(), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
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
        let mut lane = self.by_priority.first_entry()?;
        let one = lane.get_mut().pop_front();
        if lane.get().is_empty() {
            lane.remove();
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
