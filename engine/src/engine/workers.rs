//! A few threads for work that must not hold up a reactor: password hashing, large messages, cold reads, checkpoints. Everybody's jobs come in
//! turn. Knows none of them.
use crate::base::{AccountId, FairQueue};
use std::collections::{HashMap, VecDeque};
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
    slow: Lanes,
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
        self.run_in_lane(None, job);
    }

    /// The same for one of many that are asked for on behalf of an account: they run one after the other, and others have their turn in between.
    pub(crate) fn run_for(&self, account: AccountId, job: impl FnOnce() + Send + 'static) {
        self.run_in_lane(Some(account), job);
    }

    fn run_in_lane(&self, lane: Option<AccountId>, job: impl FnOnce() + Send + 'static) {
        self.inbox.lock().slow.push(lane, Box::new(job));
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
            let Some((job, lane)) = waiting.next(self.slow_max) else {
                if waiting.ended && waiting.jobs.is_empty() && waiting.slow.is_empty() {
                    return;
                }
                waiting = self.came.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            waiting.slow_running += usize::from(lane.is_some());
            waiting.slow_last = lane.is_some();
            drop(waiting);
            // Who waits for it hears of its end from what the job drops.
            if catch_unwind(AssertUnwindSafe(job)).is_err() {
                tracing::error!("a worker's job panicked; the worker goes on");
            }
            waiting = self.lock();
            let Some(lane) = lane else { continue };
            waiting.slow_running -= 1;
            waiting.slow.done(lane);
            if waiting.ended {
                self.came.notify_all();
            } else if !waiting.slow.is_empty() {
                // Somebody may have left one lying because of ours.
                self.came.notify_one();
            }
        }
    }
}

impl Waiting {
    /// The next job, and its lane if it is a slow one. One slow one at a time goes before others, in turn with them, so that none waits for ever.
    fn next(&mut self, slow_max: usize) -> Option<(Job, Option<Lane>)> {
        if self.slow_running == 0
            && (!self.slow_last || self.jobs.is_empty())
            && let Some((lane, job)) = self.slow.next()
        {
            return Some((job, Some(lane)));
        }
        if let Some(job) = self.jobs.pop() {
            return Some((job, None));
        }
        if self.slow_running >= slow_max {
            return None;
        }
        let (lane, job) = self.slow.next()?;
        Some((job, Some(lane)))
    }
}

/// Whose slow jobs: an account's, one at a time, or everybody's.
type Lane = Option<AccountId>;

/// Slow jobs, of each lane one in turn.
#[derive(Default)]
struct Lanes {
    /// Only lanes with a job, or of which one runs.
    jobs: HashMap<Lane, VecDeque<Job>>,
    /// The lanes whose next job may run.
    turn: VecDeque<Lane>,
}

impl Lanes {
    fn is_empty(&self) -> bool {
        self.jobs.values().all(VecDeque::is_empty)
    }

    fn push(&mut self, lane: Lane, job: Job) {
        let jobs = self.jobs.entry(lane).or_insert_with(|| {
            self.turn.push_back(lane);
            VecDeque::new()
        });
        jobs.push_back(job);
    }

    fn next(&mut self) -> Option<(Lane, Job)> {
        let lane = self.turn.pop_front()?;
        let jobs = self.jobs.get_mut(&lane)?;
        let job = jobs.pop_front()?;
        if lane.is_none() {
            self.again(lane);
        }
        Some((lane, job))
    }

    /// A job of that lane has come to its end.
    fn done(&mut self, lane: Lane) {
        if lane.is_some() {
            self.again(lane);
        }
    }

    /// Puts a lane at the end of the line if it has a job.
    fn again(&mut self, lane: Lane) {
        if self.jobs.get(&lane).is_some_and(|jobs| !jobs.is_empty()) {
            self.turn.push_back(lane);
        } else {
            self.jobs.remove(&lane);
        }
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
    /// Twenty jobs of one account, then one of another and one of nobody: these need not wait for all of the first.
    #[test]
    fn one_account_has_one_slow_job_at_a_time() {
        let workers = Workers::start(4).expect("threads");
        let (go, gate) = channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let (done, seen) = channel();
        let job = |lane: u64| {
            let (gate, done) = (gate.clone(), done.clone());
            move || {
                if lane == 1 {
                    let _ = gate.lock().map(|gate| gate.recv());
                }
                done.send(lane).expect("somebody listens");
            }
        };
        (0..20).for_each(|_| workers.run_for(AccountId(1), job(1)));
        workers.run_for(AccountId(2), job(2));
        workers.run_slow(job(3));
        let mut first = [seen.recv().expect("a job"), seen.recv().expect("a job")];
        first.sort_unstable();
        assert_eq!(first, [2, 3], "the first account's jobs take one thread, though the others wait behind them");
        drop(go);
        drop(workers);
        drop(done);
        assert_eq!(seen.iter().filter(|lane| *lane == 1).count(), 20, "a stop waits for all");
    }
}
