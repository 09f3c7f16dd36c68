//! The threads, each with a tokio runtime and a resolver of its own, since reactors may run on io_uring and a large message takes a while to hash.
//! Knows of no check.
use super::check::{self, Asking};
use super::{Checked, Envelope, Settings, Signed, sign};
use crate::outbound::resolve::resolver;
use mail_auth::MessageAuthenticator;
use posthouse_engine::directory::SigningKey;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::sync::{mpsc, oneshot};

pub(super) enum Job {
    Check { envelope: Envelope, message: Vec<u8>, seal: Option<SigningKey>, reply: oneshot::Sender<Checked> },
    TakesReports { domain: String, addresses: Vec<String>, reply: oneshot::Sender<Option<Vec<String>>> },
    Sign { top: Vec<u8>, message: Vec<u8>, keys: Vec<SigningKey>, reply: oneshot::Sender<Signed> },
}

pub(super) struct Desk {
    threads: Vec<mpsc::UnboundedSender<Job>>,
    next: AtomicUsize,
}

impl Desk {
    pub(super) fn start(settings: &Settings) -> io::Result<Desk> {
        let one = |at| start_one(settings, at);
        let threads = (0..settings.threads.max(1)).map(one).collect::<io::Result<Vec<_>>>()?;
        Ok(Desk { threads, next: AtomicUsize::new(0) })
    }

    /// Each thread in turn. What waits is bounded by the sessions, which wait for their answers, and by their messages' share of memory.
    pub(super) fn send(&self, job: Job) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        if let Some(thread) = self.threads.get(turn % self.threads.len().max(1)) {
            // A thread that has ended drops the job, and whoever waits for it hears that.
            let _ = thread.send(job);
        }
    }
}

fn start_one(settings: &Settings, at: usize) -> io::Result<mpsc::UnboundedSender<Job>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    // Who only signs needs no name servers.
    let names = settings.checks.then(|| {
        let _inside = runtime.enter();
        resolver(&settings.servers).map_err(|error| io::Error::other(format!("name servers: {error}")))
    });
    let (hostname, timeout, keeps_dmarc) = (settings.hostname.clone(), settings.timeout, settings.keeps_dmarc);
    let asking =
        names.transpose()?.map(|names| Asking { names: MessageAuthenticator(names), hostname, timeout, keeps_dmarc });
    let asking = asking.map(Arc::new);
    let (jobs, mut asked) = mpsc::unbounded_channel();
    std::thread::Builder::new().name(format!("verify-{at}")).spawn(move || {
        runtime.block_on(async move {
            while let Some(job) = asked.recv().await {
                match job {
                    Job::Sign { top, message, keys, reply } => {
                        // A task, so that a panic in it would cost its message only, and never the thread.
                        tokio::spawn(async move {
                            let fields = sign::fields(&top, &message, &keys);
                            let _ = reply.send(Signed { top, message, fields });
                        });
                    }
                    Job::TakesReports { domain, addresses, reply } => {
                        let Some(asking) = asking.clone() else { continue };
                        tokio::spawn(async move {
                            let _ = reply.send(check::takes_reports(&asking, &domain, &addresses).await);
                        });
                    }
                    Job::Check { envelope, message, seal, reply } => {
                        // Nobody asks when nothing is checked.
                        let Some(asking) = asking.clone() else { continue };
                        tokio::spawn(async move {
                            let (facts, fields, seen) = check::run(&asking, &envelope, &message, seal.as_ref()).await;
                            let _ = reply.send(Checked { message, facts, fields, seen });
                        });
                    }
                }
            }
        });
    })?;
    Ok(jobs)
}
