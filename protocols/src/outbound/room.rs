//! Room in memory for messages on their way out, and how long one may keep it while others wait for theirs. Reads no message.
use super::route::Destination;
use crate::limits;
use crate::runtime::{now, select, sleep, stopping, timeout};
use crate::session::{Budget, Share};
use std::cell::Cell;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// All the room there is.
pub(super) struct Room {
    budget: Budget,
    size_bytes: u64,
    waiting: AtomicUsize,
    /// Rings when some is given back.
    bell: Arc<Notify>,
}

/// What one message has of it.
pub(super) struct Place {
    share: Share,
    bell: Arc<Notify>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.share.release();
        self.bell.notify_waiters();
    }
}

impl Room {
    pub(super) fn new(size_bytes: u64) -> Room {
        Room { budget: Budget::new(size_bytes), size_bytes, waiting: AtomicUsize::new(0), bell: Arc::default() }
    }

    /// Room for a message to a destination, which leaves some to the others; `None`: there was none in time, or the server stops. Who asks must have
    /// none: those who hold some while they wait for more could wait for each other.
    pub(super) async fn wait(&self, destination: &Destination, size_bytes: u64) -> Option<Place> {
        let mut hasher = DefaultHasher::new();
        destination.hash(&mut hasher);
        let mut place = Place { share: self.budget.share_of_key(hasher.finish()), bell: self.bell.clone() };
        let wanted = size_bytes.min(self.size_bytes);
        if place.share.hold(wanted) {
            return Some(place);
        }
        let _waits = Waits::begin(&self.waiting);
        let (stop, until) = (stopping(), now() + limits::OUTBOUND_ROOM_WAIT_MAX);
        loop {
            // What rings from here on is heard.
            let rung = self.bell.notified();
            if place.share.hold(wanted) {
                return Some(place);
            }
            if stop.is_set() || now() >= until {
                return None;
            }
            let _ = timeout(until - now(), select(rung, stop.wait())).await;
        }
    }

    pub(super) fn is_waited_for(&self) -> bool {
        self.waiting.load(Ordering::Relaxed) > 0
    }
}

/// Is counted while it lives.
struct Waits<'a>(&'a AtomicUsize);

impl Waits<'_> {
    fn begin(waiting: &AtomicUsize) -> Waits<'_> {
        waiting.fetch_add(1, Ordering::Relaxed);
        Waits(waiting)
    }
}

impl Drop for Waits<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How a message gets on: while somebody waits for what it holds it must come to its end in a time that goes by its bytes.
pub(super) struct Pace<'a> {
    begun: Instant,
    sent_bytes: Cell<u64>,
    /// A host has it all and is about to say what becomes of it, which is waited for in any case: it may be delivered.
    is_sent: Cell<bool>,
    is_waited_for: Box<dyn Fn() -> bool + 'a>,
}

impl<'a> Pace<'a> {
    pub(super) fn new(begun: Instant, is_waited_for: impl Fn() -> bool + 'a) -> Pace<'a> {
        let (sent_bytes, is_sent) = (Cell::default(), Cell::default());
        Pace { begun, sent_bytes, is_sent, is_waited_for: Box::new(is_waited_for) }
    }

    /// So much more of it is on its way.
    pub(super) fn sends(&self, bytes: usize) {
        self.sent_bytes.set(self.sent_bytes.get() + bytes as u64);
    }

    pub(super) fn set_sent(&self, is_sent: bool) {
        self.is_sent.set(is_sent);
    }

    /// Is ready once it has taken too long.
    pub(super) async fn lost(&self) {
        loop {
            let free =
                limits::OUTBOUND_PACE_FREE + Duration::from_secs(self.sent_bytes.get() / limits::OUTBOUND_RATE_MIN);
            let left = free.saturating_sub(now() - self.begun);
            if left.is_zero() && !self.is_sent.get() && (self.is_waited_for)() {
                return;
            }
            sleep(left.max(limits::OUTBOUND_PACE_LOOK)).await;
        }
    }
}
