//! A few threads for work that must not hold up a reactor: password hashing, large messages, cold reads, checkpoints. Everybody's jobs come in
//! turn. Knows none of them.
use crate::base::FairQueue;
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

type Job = Box<dyn FnOnce() + Send>;

/// The threads. Dropping waits for the jobs that were given.
pub(crate) struct Workers {
    inbox: Arc<Inbox>,
    threads: Vec<JoinHandle<()>>,
}

struct Inbox {
    waiting: Mutex<Waiting>,
    came: Condvar,
    /// Slow jobs at a time: one thread less than there are, if there are several, so that a flood of them leaves others their turn.
    slow_max: usize,
}

#[derive(Default)]
struct Waiting {
    jobs: FairQueue<Job>,
    slow: VecDeque<Job>,
    slow_running: usize,
    /// The job that was taken last was a slow one.
    slow_last: bool,
    ended: bool,
}

impl Workers {
    pub(crate) fn start(count: usize) -> std::io::Result<Workers> {
        let count = count.max(1);
        let slow_max = (count - 1).max(1);
        let inbox = Arc::new(Inbox { waiting: Mutex::default(), came: Condvar::new(), slow_max });
        let threads = (0..count)
            .map(|i| {
                let inbox = inbox.clone();
                std::thread::Builder::new().name(format!("worker-{i}")).spawn(move || inbox.work())
            })
            .collect::<Result<_, _>>()?;
        Ok(Workers { inbox, threads })
    }

    /// Runs `job` soon on some thread; `whose` it is tells whose turn it takes.
    pub(crate) fn run(&self, whose: u64, job: impl FnOnce() + Send + 'static) {
        self.inbox.lock().jobs.push(whose, Box::new(job));
        self.inbox.came.notify_one();
    }

    /// Runs a job that takes milliseconds, and of which strangers can ask for many: never on all threads at once.
    pub(crate) fn run_slow(&self, job: impl FnOnce() + Send + 'static) {
        self.inbox.lock().slow.push_back(Box::new(job));
        self.inbox.came.notify_one();
    }
}

impl Inbox {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        // Jobs run without the lock, so its content is whole.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut waiting = self.lock();
        loop {
            let Some((job, slow)) = waiting.next(self.slow_max) else {
                if waiting.ended && waiting.jobs.is_empty() && waiting.slow.is_empty() {
                    return;
                }
                waiting = self.came.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            waiting.slow_running += usize::from(slow);
            waiting.slow_last = slow;
            drop(waiting);
            // Who waits for it hears of its end from what the job drops.
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("a worker's job panicked; the worker goes on");
            }
            waiting = self.lock();
            waiting.slow_running -= usize::from(slow);
            if slow && !waiting.slow.is_empty() {
                // Somebody may have left one lying because of ours.
                self.came.notify_one();
            }
        }
    }
}

impl Waiting {
    /// The next job and whether it is a slow one. One slow one at a time goes before others, in turn with them, so that none waits for ever.
    fn next(&mut self, slow_max: usize) -> Option<(Job, bool)> {
        if self.slow_running == 0
            && (!self.slow_last || self.jobs.is_empty())
            && let Some(job) = self.slow.pop_front()
        {
            return Some((job, true));
        }
        if let Some(job) = self.jobs.pop() {
            return Some((job, false));
        }
        if self.slow_running < slow_max { Some((self.slow.pop_front()?, true)) } else { None }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.inbox.lock().ended = true;
        self.inbox.came.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn a_job_that_panics_takes_no_worker_with_it() {
        let workers = Workers::start(1).expect("a thread");
        let (done, seen) = channel();
        workers.run(0, || panic!("as the test wants it"));
        workers.run(0, move || done.send(7).expect("somebody waits"));
        assert_eq!(seen.recv().expect("the worker lives"), 7);
    }

    #[test]
    fn who_has_one_job_waits_for_one_of_who_has_many() {
        let workers = Workers::start(1).expect("a thread");
        let ((go, gate), (here, begun), (done, seen)) = (channel::<()>(), channel(), channel());
        workers.run(1, move || {
            here.send(()).expect("the test waits");
            let _ = gate.recv();
        });
        begun.recv().expect("the worker has it");
        let job = |whose: u64| {
            let done = done.clone();
            move || done.send(whose).expect("somebody listens")
        };
        (0..100).for_each(|_| workers.run(1, job(1)));
        workers.run(2, job(2));
        drop(go);
        drop(workers);
        drop(done);
        let order: Vec<u64> = seen.iter().collect();
        assert_eq!((order.len(), order.iter().position(|whose| *whose == 2)), (101, Some(1)));
    }

    #[test]
    fn slow_jobs_leave_a_thread_to_others() {
        let workers = Workers::start(3).expect("threads");
        let (go, gate) = channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let (done, seen) = channel();
        for _ in 0..20 {
            let (gate, done) = (gate.clone(), done.clone());
            workers.run_slow(move || {
                // All of them wait here for the job that is not slow.
                let _ = gate.lock().map(|gate| gate.recv());
                done.send("slow").expect("somebody listens");
            });
        }
        let first = done.clone();
        workers.run(0, move || first.send("quick").expect("somebody listens"));
        assert_eq!(seen.recv().expect("a job"), "quick");
        drop(go);
        drop(workers);
        drop(done);
        assert_eq!(seen.iter().filter(|job| *job == "slow").count(), 20, "a stop waits for all");
    }
}
