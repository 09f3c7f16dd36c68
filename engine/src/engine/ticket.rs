//! An answer that comes after a sync: a future for reactors, a wait for threads. Knows no runtime.
use crate::base::Error;
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

/// The engine's end of a ticket. Dropped without an answer it gives the one it was made with, so that nobody waits for ever.
#[derive(Debug)]
pub(crate) struct Filler<T> {
    slot: Arc<Slot<T>>,
    otherwise: Option<T>,
}

/// The answer to what was given up: the thread that had it panicked.
pub(crate) fn given_up() -> Error {
    Error::io("carry out a request", std::io::Error::other("it was given up in the midst of it"))
}

impl<T> Ticket<T> {
    /// An answer that is there already.
    pub fn ready(value: T) -> Ticket<T> {
        Ticket(State::Ready(Some(value)))
    }

    /// A ticket and its filler; `otherwise` is the answer if the filler never gets one.
    pub(crate) fn pending(otherwise: T) -> (Ticket<T>, Filler<T>) {
        let inner = Inner { value: None, waker: None, waiting: false };
        let slot = Arc::new(Slot { inner: Mutex::new(inner), filled: Condvar::new() });
        (Ticket(State::Pending(slot.clone())), Filler { slot, otherwise: Some(otherwise) })
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
    pub(crate) fn fill(mut self, value: T) {
        self.otherwise = Some(value);
    }
}

impl<T> Drop for Filler<T> {
    fn drop(&mut self) {
        let mut inner = self.slot.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.value = self.otherwise.take();
        let (waker, waiting) = (inner.waker.take(), inner.waiting);
        drop(inner);
        if let Some(waker) = waker {
            waker.wake();
        }
        if waiting {
            self.slot.filled.notify_all();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_filler_that_is_dropped_answers_all_the_same() {
        let (ticket, filler) = Ticket::pending(1);
        let waiting = std::thread::spawn(move || ticket.wait());
        drop(filler);
        assert_eq!(waiting.join().expect("answered"), 1);
        let (ticket, filler) = Ticket::pending(1);
        filler.fill(2);
        assert_eq!(ticket.wait(), 2);
    }
}
