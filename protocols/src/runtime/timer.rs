//! Answers when a waiting session is woken by time alone: one ordered map per reactor, an entry per waiting timer, nothing that
//! ticks. A cancelled timer leaves the map at once, so that half-hour idle limits cost nothing once a command arrives.

use std::collections::BTreeMap;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use super::local::{self, Local};

/// The timers of one reactor, earliest first; the number keeps timers of one instant in the order they were made.
#[derive(Default)]
pub(crate) struct Timers {
    waiting: BTreeMap<(Instant, u64), Waker>,
    made: u64,
    /// Told when a new timer becomes the earliest (the tokio twin sleeps in one tokio timer).
    pub(crate) on_earlier: Option<Waker>,
}

impl Timers {
    fn insert(&mut self, deadline: Instant, waker: Waker) -> (Instant, u64) {
        self.made += 1;
        let key = (deadline, self.made);
        let earliest = self.waiting.keys().next().is_none_or(|first| key < *first);
        self.waiting.insert(key, waker);
        if earliest && let Some(driver) = &self.on_earlier {
            driver.wake_by_ref();
        }
        key
    }

    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.waiting.keys().next().map(|key| key.0)
    }

    pub(crate) fn pop_due(&mut self, now: Instant) -> Option<Waker> {
        let first = self.waiting.first_entry()?;
        (first.key().0 <= now).then(|| first.remove())
    }
}

/// Ready once its time has come; made by [`sleep`].
pub struct Sleep {
    local: Rc<Local>,
    deadline: Instant,
    key: Option<(Instant, u64)>,
}

impl Sleep {
    /// A timer of this thread's reactor that is due after `duration`.
    pub fn new(duration: Duration) -> Sleep {
        let local = local::current();
        let now = local.now();
        // A deadline past the end of time is a century away: as good as never.
        let century = Duration::from_secs(100 * 365 * 86_400);
        let deadline = now.checked_add(duration).unwrap_or(now + century);
        Sleep { local, deadline, key: None }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = &mut *self;
        if this.local.now() >= this.deadline {
            return Poll::Ready(());
        }
        let mut timers = this.local.timers.borrow_mut();
        if let Some(waiting) = this.key.and_then(|key| timers.waiting.get_mut(&key)) {
            waiting.clone_from(cx.waker());
        } else {
            this.key = Some(timers.insert(this.deadline, cx.waker().clone()));
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            self.local.timers.borrow_mut().waiting.remove(&key);
        }
    }
}

/// Waits for `d`. Works on reactor threads only.
pub async fn sleep(d: Duration) {
    Sleep::new(d).await;
}

/// Waits for `f` at most `d`; `None` = the time was up, and `f` is dropped where it stood.
pub async fn timeout<F: Future>(d: Duration, f: F) -> Option<F::Output> {
    let mut f = pin!(f);
    let mut sleep = Sleep::new(d);
    poll_fn(|cx| {
        if let Poll::Ready(out) = f.as_mut().poll(cx) {
            return Poll::Ready(Some(out));
        }
        Pin::new(&mut sleep).poll(cx).map(|()| None)
    })
    .await
}
