//! How long a group waits for more requests before its sync: for messages that are coming in right now, and only while waiting for them pays.
//! Never delays a request that is alone, and never by more than a millisecond. Looks at no request.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A group of so many shares its sync well enough.
const ENOUGH_REQUESTS: usize = 16;
/// A group waits as long as so many syncs take,
const WAIT_SYNCS: u32 = 4;
/// but no longer than this,
const WAIT_MAX: Duration = Duration::from_millis(1);
/// and looks so often whether it has enough.
const STEPS: u32 = 4;
/// Groups that are not made to wait after a wait that brought little: who sends is slow, or is waiting for this very commit.
const GROUPS_SKIPPED: u32 = 15;

/// How many messages are coming in that will soon ask for a commit.
#[derive(Clone, Debug, Default)]
pub(super) struct Coming(Arc<AtomicUsize>);

/// A message that is coming in; dropped when its commit has been asked for, or when it will not be.
#[derive(Debug)]
#[must_use = "it counts as long as it lives"]
pub struct Expected(Coming);

impl Coming {
    pub(super) fn expect(&self) -> Expected {
        self.0.fetch_add(1, Ordering::Relaxed);
        Expected(self.clone())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Relaxed) == 0
    }
}

impl Drop for Expected {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// What the last groups were like.
#[derive(Debug, Default)]
pub(super) struct Pace {
    coming: Coming,
    /// How long a write with its sync takes, averaged.
    sync: Duration,
    skip: u32,
    /// Of the open group: the steps it has waited, and its requests before.
    steps: u32,
    before: usize,
}

impl Pace {
    pub(super) fn new(coming: Coming) -> Pace {
        Pace { coming, ..Pace::default() }
    }

    /// A group is opened.
    pub(super) fn begin(&mut self) {
        self.steps = 0;
    }

    /// How long the open group of so many requests should wait before it looks again; none when it should be committed.
    pub(super) fn step(&mut self, requests: usize) -> Option<Duration> {
        if self.steps == 0 {
            if self.skip > 0 {
                self.skip -= 1;
                return None;
            }
            self.before = requests;
        }
        if requests >= ENOUGH_REQUESTS || self.steps == STEPS || self.coming.is_empty() {
            return None;
        }
        self.steps += 1;
        Some((self.sync * WAIT_SYNCS).min(WAIT_MAX) / STEPS)
    }

    /// The open group of so many requests was written, or could not be.
    pub(super) fn committed(&mut self, requests: usize, took: Duration) {
        if self.steps > 0 && requests < self.before + self.before.div_ceil(2) {
            self.skip = GROUPS_SKIPPED;
        }
        self.steps = 0;
        self.sync = (self.sync * 7 + took.min(WAIT_MAX)) / 8;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNC: Duration = Duration::from_micros(160);

    fn used() -> (Pace, Coming) {
        let coming = Coming::default();
        let mut pace = Pace::new(coming.clone());
        (0..100).for_each(|_| pace.committed(1, SYNC));
        (pace, coming)
    }

    #[test]
    fn who_is_alone_never_waits() {
        let (mut pace, coming) = used();
        assert_eq!(pace.step(1), None);
        let one = coming.expect();
        assert!(pace.step(1).is_some());
        drop(one);
        assert_eq!(pace.step(1), None, "nobody comes any more");
    }

    #[test]
    fn a_wait_is_bounded() {
        let (mut pace, coming) = used();
        let _one = coming.expect();
        let waited: Duration = std::iter::from_fn(|| pace.step(2)).sum();
        assert!(waited > 3 * SYNC && waited <= 4 * SYNC, "{waited:?}");
        (0..100).for_each(|_| pace.committed(9, Duration::from_secs(1)));
        let waited: Duration = std::iter::from_fn(|| pace.step(2)).sum();
        assert_eq!(waited, WAIT_MAX);
        pace.committed(9, SYNC);
        assert_eq!(pace.step(ENOUGH_REQUESTS), None);
    }

    #[test]
    fn waits_that_bring_nobody_become_rare() {
        let waits = |after: usize| {
            let (mut pace, coming) = used();
            let _slow = coming.expect();
            let one = |_: &usize| {
                let waited = pace.step(4).is_some();
                pace.committed(if waited { after } else { 4 }, SYNC);
                waited
            };
            (0..160).filter(one).count()
        };
        assert_eq!((waits(4), waits(8)), (10, 160));
    }
}
