//! A few threads for work that must not hold up a reactor: password hashing, large messages, cold reads, checkpoints. Knows none of it.
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
    jobs: VecDeque<Job>,
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

    /// Runs `job` soon on some thread.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        self.inbox.lock().jobs.push_back(Box::new(job));
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
        if let Some(job) = self.jobs.pop_front() {
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
        workers.run(|| panic!("as the test wants it"));
        workers.run(move || done.send(7).expect("somebody waits"));
        assert_eq!(seen.recv().expect("the worker lives"), 7);
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
        workers.run(move || first.send("quick").expect("somebody listens"));
        assert_eq!(seen.recv().expect("a job"), "quick");
        drop(go);
        drop(workers);
        drop(done);
        assert_eq!(seen.iter().filter(|job| *job == "slow").count(), 20, "a stop waits for all");
    }
}
