//! A few threads for work that must not hold up a reactor: password hashing, large messages, cold reads, checkpoints. Knows none of it.
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
            Ok(job) => job(),
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
