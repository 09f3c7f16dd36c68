//! Answers what a session finds on its thread: the clock, the timers and the stop signal of its reactor. One is entered per
//! reactor thread; it never crosses threads.

use std::cell::{Cell, OnceCell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::later::Later;
use super::outgoing::Outside;
use super::stop::StopState;
use super::timer::Timers;

/// The reactor's side of everything a session awaits besides its stream.
pub(crate) struct Local {
    pub(crate) timers: RefCell<Timers>,
    pub(crate) stop: StopState,
    /// Wake-ups that stand in line; made at the first use.
    pub(crate) later: OnceCell<Arc<Later>>,
    /// The simulated instant; `None` = the machine's own clock.
    simulated: Option<Cell<Instant>>,
    /// What the reactor does for tasks; none before it runs and when it ends.
    outside: RefCell<Option<Rc<dyn Outside>>>,
}

impl Local {
    pub(crate) fn real() -> Rc<Local> {
        Rc::new(Local::new(None))
    }

    pub(crate) fn simulated() -> Rc<Local> {
        Rc::new(Local::new(Some(Cell::new(Instant::now()))))
    }

    fn new(simulated: Option<Cell<Instant>>) -> Local {
        Local {
            timers: RefCell::default(),
            stop: StopState::default(),
            later: OnceCell::new(),
            simulated,
            outside: RefCell::default(),
        }
    }

    pub(crate) fn set_outside(&self, outside: Option<Rc<dyn Outside>>) {
        // What was there is dropped with nothing borrowed: it may hold tasks.
        let before = self.outside.replace(outside);
        drop(before);
    }

    pub(crate) fn outside(&self) -> std::io::Result<Rc<dyn Outside>> {
        self.outside.borrow().clone().ok_or_else(|| std::io::Error::other("the reactor is ending"))
    }

    pub(crate) fn now(&self) -> Instant {
        match &self.simulated {
            Some(at) => at.get(),
            None => Instant::now(),
        }
    }

    /// Moves simulated time; does nothing on a real clock, which moves by itself.
    pub(crate) fn advance_to(&self, to: Instant) {
        if let Some(at) = &self.simulated {
            at.set(at.get().max(to));
        }
    }

    /// How long until the next timer; `None` = no timer at all.
    pub(crate) fn until_next_timer(&self) -> Option<Duration> {
        let next = self.timers.borrow().next_deadline()?;
        Some(next.saturating_duration_since(self.now()))
    }

    /// Wakes everyone whose time has come.
    pub(crate) fn fire_timers(&self) {
        loop {
            // The borrow ends before the wake: a waker may run code that looks at the timers.
            let due = self.timers.borrow_mut().pop_due(self.now());
            match due {
                Some(waker) => waker.wake(),
                None => return,
            }
        }
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Rc<Local>>> = const { RefCell::new(None) };
    /// Answers of other threads that somebody on this one waits for by [`elsewhere`].
    static ELSEWHERE: Cell<usize> = const { Cell::new(0) };
}

/// While it lives, this thread is a reactor.
pub(crate) struct Entered {
    before: Option<Rc<Local>>,
}

/// Makes `local` this thread's reactor handle.
pub(crate) fn enter(local: Rc<Local>) -> Entered {
    let before = CURRENT.with(|current| current.borrow_mut().replace(local));
    Entered { before }
}

impl Drop for Entered {
    fn drop(&mut self) {
        let before = self.before.take();
        CURRENT.with(|current| *current.borrow_mut() = before);
    }
}

/// This thread's reactor.
///
/// # Panics
/// When called outside a reactor thread: a mistake in our own code that no outside data can cause.
pub(crate) fn current() -> Rc<Local> {
    let found = CURRENT.with(|current| current.borrow().clone());
    match found {
        Some(local) => local,
        None => panic!("sleep, timeout and stopping work only on a reactor thread"),
    }
}

/// Waits for the answer of another thread of this process; simulated time stands still until it is there.
pub(crate) async fn elsewhere<F: Future>(answer: F) -> F::Output {
    struct Counted;
    impl Drop for Counted {
        fn drop(&mut self) {
            // What is dropped on another thread than it began on leaves a count that only a simulation looks at.
            let _ = ELSEWHERE.try_with(|count| count.set(count.get().saturating_sub(1)));
        }
    }
    ELSEWHERE.set(ELSEWHERE.get() + 1);
    let _counted = Counted;
    answer.await
}

/// Whether somebody on this thread waits for what another thread of ours works on, which takes real time and no simulated one.
pub(crate) fn waits_for_threads() -> bool {
    ELSEWHERE.get() > 0 || posthouse_engine::answers_waited_for() > 0
}

/// The reactor's monotonic clock: real on a server, simulated under [`super::sim`].
pub fn now() -> Instant {
    current().now()
}
