//! Answers how a session learns that the server is going down. It never ends a session: the session says its goodbye, and what is
//! left after the grace is closed by the reactor.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

use slab::Slab;

use super::local::{self, Local};

/// The stop flag of one reactor and those who wait for it.
#[derive(Default)]
pub(crate) struct StopState {
    set: Cell<bool>,
    waiters: RefCell<Slab<Waker>>,
}

impl StopState {
    pub(crate) fn set(&self) {
        self.set.set(true);
        let waiters = std::mem::take(&mut *self.waiters.borrow_mut());
        for (_, waker) in waiters {
            waker.wake();
        }
    }
}

/// The graceful stop as a session sees it.
#[derive(Clone)]
pub struct StopSignal {
    local: Rc<Local>,
}

/// This reactor's stop signal. Works on reactor threads only.
pub fn stopping() -> StopSignal {
    StopSignal { local: local::current() }
}

impl StopSignal {
    /// Whether the server is stopping.
    pub fn is_set(&self) -> bool {
        self.local.stop.set.get()
    }

    /// Resolves when the server begins to stop; at once when it already does. May be dropped at any time.
    pub async fn wait(&self) {
        let mut place = Place { state: &self.local.stop, key: None };
        poll_fn(|cx| {
            if place.state.set.get() {
                place.key = None;
                return Poll::Ready(());
            }
            let mut waiters = place.state.waiters.borrow_mut();
            match place.key {
                Some(key) => waiters[key].clone_from(cx.waker()),
                None => place.key = Some(waiters.insert(cx.waker().clone())),
            }
            Poll::Pending
        })
        .await;
    }
}

/// A place among the waiters, given back when the wait is dropped.
struct Place<'a> {
    state: &'a StopState,
    key: Option<usize>,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key
            && !self.state.set.get()
        {
            self.state.waiters.borrow_mut().remove(key);
        }
    }
}
