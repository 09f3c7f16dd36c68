//! The threads, each with a tokio runtime, since reactors may run on io_uring and a large message takes a while to hash. Those that check have a
//! resolver of their own each. Others sign, and watch over the checks: whatever a stranger's message does to the first, ours are signed. Knows of no check.
use super::check::{self, Asking};
use super::{Checked, Envelope, Seal, Settings, Signed, sign};
use crate::limits;
use crate::outbound::resolve::resolver;
use mail_auth::MessageAuthenticator;
use posthouse_engine::directory::SigningKey;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

pub(super) enum Job {
    Check {
        envelope: Envelope,
        message: Vec<u8>,
        seal: Option<Seal>,
        reply: oneshot::Sender<Checked>,
    },
    /// Hands on what a check says, if it says it in time.
    Watch {
        answer: oneshot::Receiver<Checked>,
        patience: Duration,
        reply: oneshot::Sender<Checked>,
    },
    TakesReports {
        domain: String,
        addresses: Vec<String>,
        reply: oneshot::Sender<Option<Vec<String>>>,
    },
    Sign {
        top: Vec<u8>,
        message: Vec<u8>,
        keys: Vec<SigningKey>,
        reply: oneshot::Sender<Signed>,
    },
    /// Keeps its thread as long as the other end lives, as a check that never comes to its end would.
    #[cfg(test)]
    Hang(std::sync::mpsc::Receiver<()>),
}

pub(super) struct Desk {
    checking: Threads,
    signing: Threads,
    /// How long a check may take in all.
    pub(super) patience: Duration,
}

/// Threads that take jobs in turn.
struct Threads {
    all: Vec<mpsc::UnboundedSender<Job>>,
    next: AtomicUsize,
}

impl Desk {
    pub(super) fn start(settings: &Settings) -> io::Result<Desk> {
        let count = settings.threads.max(1);
        // Who only signs needs no name servers.
        let checking = if settings.checks { count } else { 0 };
        Ok(Desk {
            checking: Threads::start(checking, |at| start_one(format!("verify-{at}"), Some(settings)))?,
            signing: Threads::start(count, |at| start_one(format!("sign-{at}"), None))?,
            patience: 2 * settings.timeout + limits::VERIFY_WORK_MAX,
        })
    }

    /// What waits is bounded by the sessions, which wait for their answers, and by their messages' share of memory.
    pub(super) fn send(&self, job: Job) {
        match job {
            Job::Sign { .. } | Job::Watch { .. } => self.signing.send(job),
            job => self.checking.send(job),
        }
    }

    /// `None`: the check has come to no end in time, or cannot be made.
    pub(super) async fn check(&self, envelope: Envelope, message: Vec<u8>, seal: Option<Seal>) -> Option<Checked> {
        let (found, answer) = oneshot::channel();
        let (reply, heard) = oneshot::channel();
        self.send(Job::Check { envelope, message, seal, reply: found });
        self.send(Job::Watch { answer, patience: self.patience, reply });
        heard.await.ok()
    }
}

impl Threads {
    fn start(count: usize, one: impl Fn(usize) -> io::Result<mpsc::UnboundedSender<Job>>) -> io::Result<Threads> {
        let all = (0..count).map(one).collect::<io::Result<Vec<_>>>()?;
        Ok(Threads { all, next: AtomicUsize::new(0) })
    }

    fn send(&self, job: Job) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(thread) = self.all.get(turn % self.all.len().max(1)) {
            // A thread that has ended drops the job, and whoever waits for it hears that.
            let _ = thread.send(job);
        }
    }
}

/// One that checks has settings.
fn start_one(name: String, settings: Option<&Settings>) -> io::Result<mpsc::UnboundedSender<Job>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let asking = settings.map(|settings| {
        let _inside = runtime.enter();
        let names = resolver(&settings.servers).map_err(|error| io::Error::other(format!("name servers: {error}")))?;
        let (hostname, timeout, keeps_dmarc) = (settings.hostname.clone(), settings.timeout, settings.keeps_dmarc);
        Ok::<_, io::Error>(Arc::new(Asking { names: MessageAuthenticator(names), hostname, timeout, keeps_dmarc }))
    });
    let asking = asking.transpose()?;
    let (jobs, mut asked) = mpsc::unbounded_channel();
    std::thread::Builder::new().name(name).spawn(move || {
        runtime.block_on(async move {
            while let Some(job) = asked.recv().await {
                // A task, so that a panic in it would cost its message only, and never the thread.
                tokio::spawn(carry_out(job, asking.clone()));
            }
        });
    })?;
    Ok(jobs)
}

/// A job for which the thread is not made is dropped, and whoever waits for it hears that.
async fn carry_out(job: Job, asking: Option<Arc<Asking>>) {
    match job {
        Job::Sign { top, message, keys, reply } => {
            let fields = sign::fields(&top, &message, &keys);
            let _ = reply.send(Signed { top, message, fields });
        }
        Job::Watch { answer, patience, reply } => match timeout(patience, answer).await {
            Ok(Ok(checked)) => drop(reply.send(checked)),
            Ok(Err(_)) => {}
            Err(_) => tracing::error!(?patience, "the checks of a message come to no end"),
        },
        Job::TakesReports { domain, addresses, reply } => {
            let Some(asking) = asking else { return };
            let _ = reply.send(check::takes_reports(&asking, &domain, &addresses).await);
        }
        Job::Check { envelope, message, seal, reply } => {
            let Some(asking) = asking else { return };
            let Some(done) = check::run(&asking, &envelope, &message, seal.as_ref()).await else { return };
            let message = seal.and_then(|seal| seal.over).unwrap_or(message);
            let check::Done { facts, fields, seen, is_open } = done;
            let _ = reply.send(Checked { message, facts, fields, seen, is_open });
        }
        #[cfg(test)]
        Job::Hang(until) => drop(until.recv()),
    }
}
