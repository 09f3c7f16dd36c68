//! An answer that comes after a sync: a future for reactors, a wait for threads. Knows no runtime.
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Will hold a `T` once the engine has it. Dropping it does not undo the request.
#[derive(Debug)]
#[must_use = "the answer tells whether the request was carried out"]
pub struct Ticket<T>(State<T>);

#[derive(Debug)]
enum State<T> {
    Ready(Option<T>),
    Pending(Arc<Slot<T>>),
}

#[derive(Debug)]
struct Slot<T> {
    inner: Mutex<Inner<T>>,
    filled: Condvar,
}

#[derive(Debug)]
struct Inner<T> {
    value: Option<T>,
    waker: Option<Waker>,
    waiting: bool,
}

/// The engine's end of a ticket.
#[derive(Debug)]
pub(crate) struct Filler<T>(Arc<Slot<T>>);

impl<T> Ticket<T> {
    /// An answer that is there already.
    pub fn ready(value: T) -> Ticket<T> {
        Ticket(State::Ready(Some(value)))
    }

    pub(crate) fn pending() -> (Ticket<T>, Filler<T>) {
        let inner = Inner { value: None, waker: None, waiting: false };
        let slot = Arc::new(Slot { inner: Mutex::new(inner), filled: Condvar::new() });
        (Ticket(State::Pending(slot.clone())), Filler(slot))
    }

    /// Blocks the thread until the answer is there. Not for reactor threads.
    pub fn wait(self) -> T {
        match self.0 {
            State::Ready(value) => value.expect("a ticket is asked once"),
            State::Pending(slot) => {
                let mut inner = slot.inner.lock().unwrap_or_else(PoisonError::into_inner);
                loop {
                    if let Some(value) = inner.value.take() {
                        return value;
                    }
                    inner.waiting = true;
                    inner = slot.filled.wait(inner).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
    }
}

impl<T> Filler<T> {
    /// Gives the answer and wakes who waits for it.
    pub(crate) fn fill(self, value: T) {
        let mut inner = self.0.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.value = Some(value);
        let (waker, waiting) = (inner.waker.take(), inner.waiting);
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
        if waiting {
            self.0.filled.notify_all();
        }
    }
}

impl<T> Unpin for Ticket<T> {}

impl<T> Future for Ticket<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        match &mut self.0 {
            State::Ready(value) => Poll::Ready(value.take().expect("a ticket is asked once")),
            State::Pending(slot) => {
                let mut inner = slot.inner.lock().unwrap_or_else(PoisonError::into_inner);
                match inner.value.take() {
                    Some(value) => Poll::Ready(value),
                    None => {
                        if !inner.waker.as_ref().is_some_and(|waker| waker.will_wake(cx.waker())) {
                            inner.waker = Some(cx.waker().clone());
                        }
                        Poll::Pending
                    }
                }
            }
        }
    }
}
