//! A few threads for work that must not hold up a reactor: password hashing, large messages, cold reads, checkpoints. Knows none of it.
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

type Job = Box<dyn FnOnce() + Send>;

/// The threads. Dropping waits for the jobs that were given.
pub(crate) struct Workers {
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

impl Workers {
    pub(crate) fn start(count: usize) -> std::io::Result<Workers> {
        let (jobs, inbox) = channel::<Job>();
        let inbox = Arc::new(Mutex::new(inbox));
        let threads = (0..count.max(1))
            .map(|i| {
                let inbox = inbox.clone();
                std::thread::Builder::new().name(format!("worker-{i}")).spawn(move || work(&inbox))
            })
            .collect::<Result<_, _>>()?;
        Ok(Workers { jobs: Some(jobs), threads })
    }

    /// Runs `job` soon on some thread.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) {
        if let Some(jobs) = &self.jobs {
            // The threads live as long as `self`, so there is always a receiver.
            let _ = jobs.send(Box::new(job));
        }
    }
}

fn work(inbox: &Mutex<Receiver<Job>>) {
    loop {
        let job = inbox.lock().unwrap_or_else(PoisonError::into_inner).recv();
        match job {
            // Who waits for it hears of its end from what the job drops.
            Ok(job) => {
                if catch_unwind(AssertUnwindSafe(job)).is_err() {
                    tracing::error!("a worker's job panicked; the worker goes on");
                }
            }
            Err(_) => return,
        }
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_job_that_panics_takes_no_worker_with_it() {
        let workers = Workers::start(1).expect("a thread");
        let (done, seen) = channel();
        workers.run(|| panic!("as the test wants it"));
        workers.run(move || done.send(7).expect("somebody waits"));
        assert_eq!(seen.recv().expect("the worker lives"), 7);
    }
}
