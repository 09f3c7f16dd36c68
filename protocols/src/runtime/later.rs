//! Answers how news for thousands of sessions at once leaves room for everybody else: those sessions are woken a few at a time, and whatever else
//! a reactor has to do comes in between. It knows no news and loses no wake-up.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

use super::{local, spawn, yield_now};
use crate::limits;

/// Who is to be woken on one reactor, the first one first.
#[derive(Default)]
pub(crate) struct Later {
    waiting: Mutex<Waiting>,
}

#[derive(Default)]
struct Waiting {
    wakers: VecDeque<Waker>,
    /// The task that wakes them, when it has nothing to do.
    driver: Option<Waker>,
}

/// A wake-up that stands in line.
struct InLine {
    later: Arc<Later>,
    waker: Waker,
}

impl Wake for InLine {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        let mut waiting = self.later.lock();
        waiting.wakers.push_back(self.waker.clone());
        let driver = waiting.driver.take();
        drop(waiting);
        if let Some(driver) = driver {
            driver.wake();
        }
    }
}

impl Later {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // A queue of wakers is whole whatever happened to the one who pushed.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn drive(self: Arc<Self>) {
        loop {
            let next = poll_fn(|cx| self.poll_next(cx)).await;
            next.into_iter().for_each(Waker::wake);
            yield_now().await;
        }
    }

    fn poll_next(&self, cx: &Context<'_>) -> Poll<Vec<Waker>> {
        let mut waiting = self.lock();
        if waiting.wakers.is_empty() {
            waiting.wakers = VecDeque::new();
            waiting.driver = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let count = waiting.wakers.len().min(limits::LATER_TASKS_PER_TURN);
        Poll::Ready(waiting.wakers.drain(..count).collect())
    }
}

/// Waits for `future`, whose wake-ups stand in line with those of the other sessions that wait like this. For what wakes many at a time; works on
/// reactor threads only.
pub async fn later<F: Future>(future: F) -> F::Output {
    let local = local::current();
    let later = local.later.get_or_init(|| {
        let later: Arc<Later> = Arc::default();
        spawn(later.clone().drive());
        later
    });
    let (later, mut future) = (later.clone(), pin!(future));
    drop(local);
    poll_fn(|cx| {
        let waker = Waker::from(Arc::new(InLine { later: later.clone(), waker: cx.waker().clone() }));
        future.as_mut().poll(&mut Context::from_waker(&waker))
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::sim;
    use std::cell::Cell;
    use std::rc::Rc;

    /// A flag that wakes who waits for it.
    #[derive(Default)]
    struct News(Mutex<(bool, Option<Waker>)>);

    impl News {
        fn poll(&self, cx: &Context<'_>) -> Poll<()> {
            let mut state = self.0.lock().expect("no panic");
            state.1 = Some(cx.waker().clone());
            if state.0 { Poll::Ready(()) } else { Poll::Pending }
        }

        fn tell(&self) {
            let mut state = self.0.lock().expect("no panic");
            state.0 = true;
            state.1.take().expect("somebody waits").wake();
        }
    }

    #[test]
    fn others_come_in_between() {
        const SESSIONS: usize = 1000;
        sim::run(|net| async move {
            let (heard, others) = (Rc::new(Cell::new(0)), Rc::new(Cell::new(0)));
            let news: Vec<Arc<News>> = (0..SESSIONS).map(|_| Arc::default()).collect();
            for one in &news {
                let (one, heard) = (one.clone(), heard.clone());
                net.spawn(async move {
                    later(poll_fn(|cx| one.poll(cx))).await;
                    heard.set(heard.get() + 1);
                });
            }
            yield_now().await;
            yield_now().await;
            let (seen, counted) = (heard.clone(), others.clone());
            net.spawn(async move {
                while seen.get() < SESSIONS {
                    counted.set(counted.get() + 1);
                    yield_now().await;
                }
            });
            // From another thread, as a committer does it.
            let told = news.clone();
            std::thread::spawn(move || told.iter().for_each(|one| one.tell())).join().expect("no panic");
            while heard.get() < SESSIONS {
                yield_now().await;
            }
            let fewest = SESSIONS / limits::LATER_TASKS_PER_TURN;
            assert!(others.get() >= fewest, "another task had {} turns, expected {fewest}", others.get());
        });
    }
}
