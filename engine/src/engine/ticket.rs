//! An answer that comes after a sync: a future for reactors, a wait for threads. Knows no runtime.
use crate::base::Error;
use std::cell::Cell;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

thread_local! {
    /// Answers that futures of this thread wait for.
    static WAITED_FOR: Cell<usize> = const { Cell::new(0) };
}

/// Will hold a `T` once the engine has it. Dropping it does not undo the request.
#[derive(Debug)]
#[must_use = "the answer tells whether the request was carried out"]
pub struct Ticket<T>(State<T>, Option<Waited>);

/// Counted in `WAITED_FOR` while it lives.
#[derive(Debug)]
struct Waited;

impl Waited {
    fn begin() -> Waited {
        WAITED_FOR.set(WAITED_FOR.get() + 1);
        Waited
    }
}

impl Drop for Waited {
    fn drop(&mut self) {
        // The last tickets may go while their thread is being taken down, or, of a test, on another one.
        let _ = WAITED_FOR.try_with(|count| count.set(count.get().saturating_sub(1)));
    }
}

/// How many answers of an engine the futures of this thread wait for: a simulation of time lets none pass meanwhile, however slow the machine is.
pub fn answers_waited_for() -> usize {
    WAITED_FOR.get()
}

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
        Ticket(State::Ready(Some(value)), None)
    }

    /// A ticket and its filler; `otherwise` is the answer if the filler never gets one.
    pub(crate) fn pending(otherwise: T) -> (Ticket<T>, Filler<T>) {
        let inner = Inner { value: None, waker: None, waiting: false };
        let slot = Arc::new(Slot { inner: Mutex::new(inner), filled: Condvar::new() });
        (Ticket(State::Pending(slot.clone()), None), Filler { slot, otherwise: Some(otherwise) })
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
        let Ticket(state, waited) = &mut *self;
        match state {
            State::Ready(value) => Poll::Ready(value.take().expect("a ticket is asked once")),
            State::Pending(slot) => {
                let mut inner = slot.inner.lock().unwrap_or_else(PoisonError::into_inner);
                match inner.value.take() {
                    Some(value) => {
                        *waited = None;
                        Poll::Ready(value)
                    }
                    None => {
                        waited.get_or_insert_with(Waited::begin);
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

    #[test]
    fn answers_that_futures_wait_for_are_counted() {
        let mut cx = Context::from_waker(Waker::noop());
        let (mut ticket, filler) = Ticket::pending(1);
        assert_eq!(answers_waited_for(), 0, "nobody waits yet");
        for _ in 0..2 {
            assert!(Pin::new(&mut ticket).poll(&mut cx).is_pending());
            assert_eq!(answers_waited_for(), 1);
        }
        let (mut given_up, _filler) = Ticket::pending(1);
        assert!(Pin::new(&mut given_up).poll(&mut cx).is_pending());
        assert_eq!(answers_waited_for(), 2);
        drop(given_up);
        filler.fill(2);
        assert_eq!(Pin::new(&mut ticket).poll(&mut cx), Poll::Ready(2));
        assert_eq!(answers_waited_for(), 0);
    }
}
