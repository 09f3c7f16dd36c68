//! Answers whose turn it is on a reactor thread: tasks that never leave it, and wakers that any thread may call. A wake from another
//! thread costs one short lock, and a system call only when the reactor sleeps. Tasks of one client site stand in one line, and the lines have
//! their turns one after the other, so that a site with a thousand busy connections keeps another's only connection waiting for one of them. It
//! knows no I/O.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

use posthouse_engine::base::FairQueue;
use slab::Slab;

use super::SessionFuture;

/// Tells a sleeping reactor that there is work. The one who brings work puts it in a locked queue first and calls
/// [`Parker::notify`] then; the reactor announces its sleep first and looks at the queues then; so one of them sees the other.
pub(crate) struct Parker {
    sleeping: AtomicBool,
    unpark: Box<dyn Fn() + Send + Sync>,
}

impl Parker {
    pub(crate) fn new(unpark: impl Fn() + Send + Sync + 'static) -> Arc<Parker> {
        Arc::new(Parker { sleeping: AtomicBool::new(false), unpark: Box::new(unpark) })
    }

    pub(crate) fn announce_sleep(&self) {
        self.sleeping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn awake(&self) {
        self.sleeping.store(false, Ordering::SeqCst);
    }

    pub(crate) fn notify(&self) {
        if self.sleeping.load(Ordering::SeqCst) && self.sleeping.swap(false, Ordering::SeqCst) {
            (self.unpark)();
        }
    }
}

/// What the wakers of one executor share.
struct Shared {
    woken: Mutex<Vec<Arc<TaskRef>>>,
    parker: Arc<Parker>,
}

/// One task as its wakers know it.
struct TaskRef {
    key: usize,
    /// In whose line it stands.
    whose: AtomicU64,
    /// In a ready queue already: more wakes say nothing new.
    queued: AtomicBool,
    shared: Arc<Shared>,
}

thread_local! {
    /// The executor that runs on this thread, by the address of its `Shared`; 0 = none.
    static HERE: Cell<usize> = const { Cell::new(0) };
    static READY: RefCell<FairQueue<Arc<TaskRef>>> = RefCell::default();
    /// In whose line the task that has its turn is to stand from now on.
    static BECOMES: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The task that has its turn is somebody else's from now on: it was a proxy's until its client was known.
pub(crate) fn becomes(whose: u64) {
    BECOMES.set(Some(whose));
}

fn line_up(ready: &mut FairQueue<Arc<TaskRef>>, task: Arc<TaskRef>) {
    ready.push(task.whose.load(Ordering::Relaxed), task);
}

impl Wake for TaskRef {
    fn wake(self: Arc<Self>) {
        if self.queued.swap(true, Ordering::AcqRel) {
            return;
        }
        let here = Arc::as_ptr(&self.shared).addr();
        // try_with: a waker may be called while its thread is being taken down.
        if HERE.try_with(Cell::get) == Ok(here) {
            // Under tokio the sockets wake tasks while this executor sleeps. It looks at what is ready when this thread is free.
            self.shared.parker.notify();
            READY.with(|ready| line_up(&mut ready.borrow_mut(), self));
            return;
        }
        let shared = self.shared.clone();
        let mut woken = shared.woken.lock().unwrap_or_else(PoisonError::into_inner);
        woken.push(self);
        drop(woken);
        shared.parker.notify();
    }
}

struct Task {
    /// Away while it is being polled.
    future: Option<SessionFuture>,
    reference: Arc<TaskRef>,
}

/// The tasks of one reactor thread. At most one lives on a thread.
pub(crate) struct Executor {
    tasks: RefCell<Slab<Task>>,
    shared: Arc<Shared>,
    last_panic: RefCell<Option<Box<dyn Any + Send>>>,
}

impl Executor {
    pub(crate) fn new(parker: Arc<Parker>) -> Executor {
        let shared = Arc::new(Shared { woken: Mutex::new(Vec::new()), parker });
        let before = HERE.with(|here| here.replace(Arc::as_ptr(&shared).addr()));
        assert_eq!(before, 0, "one executor per thread");
        Executor { tasks: RefCell::new(Slab::new()), shared, last_panic: RefCell::new(None) }
    }

    /// Adds a task of the server's own, in a line of its own; it gets its first turn soon.
    pub(crate) fn spawn(&self, future: SessionFuture) {
        self.spawn_for(None, future);
    }

    /// The same for a client site, which `whose` tells from others.
    pub(crate) fn spawn_for(&self, whose: Option<u64>, future: SessionFuture) {
        let mut tasks = self.tasks.borrow_mut();
        let entry = tasks.vacant_entry();
        let reference = Arc::new(TaskRef {
            key: entry.key(),
            whose: AtomicU64::new(whose.unwrap_or(entry.key() as u64)),
            queued: AtomicBool::new(false),
            shared: self.shared.clone(),
        });
        entry.insert(Task { future: Some(future), reference: reference.clone() });
        drop(tasks);
        reference.wake();
    }

    /// What the latest panicking task said: a test must not miss it.
    pub(crate) fn take_panic(&self) -> Option<Box<dyn Any + Send>> {
        self.last_panic.borrow_mut().take()
    }

    /// Whether a task waits for its turn, woken here or elsewhere.
    pub(crate) fn has_ready(&self) -> bool {
        self.collect_woken();
        READY.with(|ready| !ready.borrow().is_empty())
    }

    /// Gives ready tasks their turns, line after line: as many turns as there were ready tasks, at most `turns_max`, and none begins when
    /// `time_max` is over. So a task that yields lets the ring be served, not only its neighbours.
    pub(crate) fn run_ready(&self, turns_max: usize, time_max: Duration) {
        self.collect_woken();
        let turns = READY.with(|ready| ready.borrow().len()).min(turns_max);
        let begun = (turns > 1).then(Instant::now);
        for _ in 0..turns {
            let Some(next) = READY.with(|ready| ready.borrow_mut().pop()) else {
                return;
            };
            self.turn(&next);
            if begun.is_some_and(|begun| begun.elapsed() >= time_max) {
                return;
            }
        }
    }

    fn collect_woken(&self) {
        let mut woken = self.shared.woken.lock().unwrap_or_else(PoisonError::into_inner);
        if !woken.is_empty() {
            READY.with(|ready| {
                let ready = &mut *ready.borrow_mut();
                woken.drain(..).for_each(|task| line_up(ready, task));
            });
        }
    }

    fn turn(&self, reference: &Arc<TaskRef>) {
        reference.queued.store(false, Ordering::Release);
        let Some(mut future) = self.take_future(reference) else {
            return;
        };
        let waker = Waker::from(reference.clone());
        let mut cx = Context::from_waker(&waker);
        // A session that panics takes itself down and nobody else.
        let polled = catch_unwind(AssertUnwindSafe(|| future.as_mut().poll(&mut cx)));
        if let Some(whose) = BECOMES.take() {
            reference.whose.store(whose, Ordering::Relaxed);
        }
        if matches!(polled, Ok(Poll::Pending)) {
            self.tasks.borrow_mut()[reference.key].future = Some(future);
            return;
        }
        if let Err(panic) = polled {
            tracing::error!("a session panicked and was closed");
            *self.last_panic.borrow_mut() = Some(panic);
        }
        self.tasks.borrow_mut().remove(reference.key);
        // Dropped with nothing borrowed: what the future holds may wake or spawn.
        drop_quietly(future);
    }

    /// The future of this very task, not of a later one in its place.
    fn take_future(&self, reference: &Arc<TaskRef>) -> Option<SessionFuture> {
        let mut tasks = self.tasks.borrow_mut();
        let task = tasks.get_mut(reference.key)?;
        if !Arc::ptr_eq(&task.reference, reference) {
            return None;
        }
        task.future.take()
    }

    /// Drops every task where it stands.
    pub(crate) fn drop_all(&self) {
        let tasks = std::mem::take(&mut *self.tasks.borrow_mut());
        for (_, task) in tasks {
            if let Some(future) = task.future {
                drop_quietly(future);
            }
        }
    }
}

fn drop_quietly(future: SessionFuture) {
    if catch_unwind(AssertUnwindSafe(|| drop(future))).is_err() {
        tracing::error!("a session panicked while it was dropped");
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.drop_all();
        HERE.with(|here| here.set(0));
        let left = READY.with(|ready| std::mem::take(&mut *ready.borrow_mut()));
        drop(left);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::yield_now;
    use std::rc::Rc;

    const LONG: Duration = Duration::from_secs(3600);

    /// Else one long command would keep everybody else's bytes waiting in the kernel for hundreds of its pieces.
    #[test]
    fn a_task_that_yields_gets_one_turn_at_a_time() {
        let executor = Executor::new(Parker::new(|| {}));
        let turns = Rc::new(Cell::new(0));
        let counted = turns.clone();
        executor.spawn(Box::pin(async move {
            loop {
                counted.set(counted.get() + 1);
                yield_now().await;
            }
        }));
        for expected in 1..=3 {
            executor.run_ready(256, LONG);
            assert_eq!(turns.get(), expected);
        }
    }

    /// A task that notes its name at each of its turns, and always wants another one.
    fn busy(name: &'static str, seen: &Rc<RefCell<Vec<&'static str>>>) -> SessionFuture {
        let seen = seen.clone();
        Box::pin(async move {
            loop {
                seen.borrow_mut().push(name);
                yield_now().await;
            }
        })
    }

    #[test]
    fn a_site_with_many_connections_has_no_more_turns_than_one_with_one() {
        let executor = Executor::new(Parker::new(|| {}));
        let seen: Rc<RefCell<Vec<&str>>> = Rc::default();
        (0..100).for_each(|_| executor.spawn_for(Some(1), busy("flood", &seen)));
        executor.run_ready(10, LONG);
        executor.spawn_for(Some(2), busy("quiet", &seen));
        executor.run_ready(20, LONG);
        let turns = seen.borrow().iter().filter(|name| **name == "quiet").count();
        assert_eq!(turns, 10, "every second one");
        // A proxy's connection turns out to be one more of the quiet site's.
        let client = seen.clone();
        executor.spawn_for(
            Some(1),
            Box::pin(async move {
                becomes(2);
                busy("introduced", &client).await;
            }),
        );
        let count = |wanted| seen.borrow().iter().filter(|name| **name == wanted).count();
        // Its first turn has lined it up again already.
        while count("introduced") < 2 {
            executor.run_ready(256, LONG);
        }
        seen.borrow_mut().clear();
        executor.run_ready(40, LONG);
        assert_eq!((count("flood"), count("quiet"), count("introduced")), (20, 10, 10));
    }

    /// Else whoever else's bytes have come waits in the kernel until a hundred sessions have each staged a message.
    #[test]
    fn turns_end_when_their_time_is_over() {
        let executor = Executor::new(Parker::new(|| {}));
        let turns = Rc::new(Cell::new(0));
        for _ in 0..100 {
            let turns = turns.clone();
            executor.spawn(Box::pin(async move { turns.set(turns.get() + 1) }));
        }
        executor.run_ready(256, Duration::ZERO);
        assert_eq!(turns.get(), 1);
        executor.run_ready(256, LONG);
        assert_eq!(turns.get(), 100, "the others have theirs the next time");
    }
}
