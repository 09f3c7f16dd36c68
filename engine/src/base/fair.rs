//! A queue in which everybody who has something waiting is served in turn: who asks for much waits behind who asks for little. Knows no clock
//! and sets no bound.
use std::collections::VecDeque;

/// So many lines there are. Whose they are is a number, of which only the remainder by this counts: two share a line by chance once in 256 times,
/// and then wait for each other as in a plain queue.
pub const LINES: usize = 256;

/// What waits, in a line for each of whom it is.
#[derive(Debug)]
pub struct FairQueue<T> {
    /// None before the first use: an idle queue takes no room.
    lines: Vec<VecDeque<T>>,
    /// The lines with something in them, whose turn is next first.
    turns: VecDeque<u8>,
    len: usize,
}

impl<T> Default for FairQueue<T> {
    fn default() -> FairQueue<T> {
        FairQueue { lines: Vec::new(), turns: VecDeque::new(), len: 0 }
    }
}

impl<T> FairQueue<T> {
    /// Puts something at the end of the line that is `whose`.
    pub fn push(&mut self, whose: u64, item: T) {
        if self.lines.is_empty() {
            self.lines.resize_with(LINES, VecDeque::new);
        }
        let at = (whose % LINES as u64) as u8;
        let line = &mut self.lines[usize::from(at)];
        if line.is_empty() {
            self.turns.push_back(at);
        }
        line.push_back(item);
        self.len += 1;
    }

    /// The first of the line whose turn it is. Things in lines of their own come in the order in which they were put in.
    pub fn pop(&mut self) -> Option<T> {
        let at = self.turns.pop_front()?;
        let line = &mut self.lines[usize::from(at)];
        let item = line.pop_front();
        if !line.is_empty() {
            self.turns.push_back(at);
        }
        self.len -= usize::from(item.is_some());
        item
    }

    /// How many things wait.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_little_waits_for_one_of_everybody_else() {
        let mut queue = FairQueue::default();
        (0..1000).for_each(|n| queue.push(1, (1, n)));
        (0..3).for_each(|n| queue.push(2, (2, n)));
        queue.push(3 + LINES as u64, (3, 0));
        let first: Vec<(u64, u32)> = (0..6).filter_map(|_| queue.pop()).collect();
        assert_eq!(first, [(1, 0), (2, 0), (3, 0), (1, 1), (2, 1), (1, 2)]);
        // Who comes now waits for one of each line that has something.
        queue.push(4, (4, 0));
        let next: Vec<(u64, u32)> = (0..3).filter_map(|_| queue.pop()).collect();
        assert_eq!(next, [(2, 2), (1, 3), (4, 0)]);
        assert_eq!(queue.len(), 996);
        assert!((4..1000).all(|n| queue.pop() == Some((1, n))));
        assert!(queue.is_empty() && queue.pop().is_none());
    }

    #[test]
    fn in_lines_of_their_own_all_come_in_their_order() {
        let mut queue = FairQueue::default();
        [7, 3, 200, 5].into_iter().for_each(|whose| queue.push(whose, whose));
        let order: Vec<u64> = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, [7, 3, 200, 5]);
    }
}
