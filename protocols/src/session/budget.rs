//! How many bytes of messages all sessions together may hold while they are received, or sent. Small messages are free; it never waits.
use crate::limits;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The bytes left for all sessions.
#[derive(Clone, Debug)]
pub struct Budget {
    left: Arc<AtomicU64>,
    size_bytes: u64,
}

/// What one message has taken; dropping it gives that back.
#[derive(Debug)]
pub struct Share {
    budget: Budget,
    taken_bytes: u64,
}

impl Budget {
    /// A budget of `size_bytes`.
    pub fn new(size_bytes: u64) -> Budget {
        Budget { left: Arc::new(AtomicU64::new(size_bytes)), size_bytes }
    }

    /// A share for one message: nothing is taken yet.
    pub fn share(&self) -> Share {
        Share { budget: self.clone(), taken_bytes: 0 }
    }
}

impl Share {
    /// Makes sure that the message may have `size_bytes`; false when too much is under way.
    pub fn hold(&mut self, size_bytes: u64) -> bool {
        if size_bytes <= limits::MESSAGE_FREE_BYTES || size_bytes <= self.taken_bytes {
            return true;
        }
        // The last step of a budget that is not made of whole ones is for a message that fits in all the same.
        let whole = size_bytes.next_multiple_of(limits::BUDGET_STEP_BYTES);
        let wanted = if size_bytes <= self.budget.size_bytes { whole.min(self.budget.size_bytes) } else { whole };
        let more = wanted - self.taken_bytes;
        let taken = self.budget.left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(more));
        if taken.is_ok() {
            self.taken_bytes = wanted;
        }
        taken.is_ok()
    }

    /// Whether others may soon wait for what this share holds: half of the budget is taken.
    pub fn is_wanted(&self) -> bool {
        self.taken_bytes > 0 && self.budget.left.load(Ordering::Acquire) < self.budget.size_bytes / 2
    }

    /// Gives back what is taken.
    pub fn release(&mut self) {
        self.budget.left.fetch_add(std::mem::take(&mut self.taken_bytes), Ordering::AcqRel);
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_fits_in_all_of_it_fits() {
        let budget = Budget::new(1_100_000);
        assert!(budget.share().hold(1_090_000));
        assert!(!budget.share().hold(1_100_001));
    }

    #[test]
    fn takes_and_gives_back() {
        let budget = Budget::new(2 * limits::BUDGET_STEP_BYTES);
        let mut first = budget.share();
        assert!(first.hold(limits::MESSAGE_FREE_BYTES));
        assert!(first.hold(limits::BUDGET_STEP_BYTES + 1));
        let mut second = budget.share();
        assert!(second.hold(limits::MESSAGE_FREE_BYTES));
        assert!(!second.hold(limits::MESSAGE_FREE_BYTES + 1));
        assert!(first.is_wanted() && !second.is_wanted());
        first.release();
        assert!(second.hold(limits::MESSAGE_FREE_BYTES + 1) && !second.is_wanted());
        second.release();
        drop(first);
        assert!(second.hold(limits::MESSAGE_FREE_BYTES + 1));
    }
}
