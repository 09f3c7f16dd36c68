//! What the serving process knows of itself: for `status`, the admin pages and the stop.
use posthouse_admin::{Facts, Host, ListenerFacts};
use posthouse_engine::{Engine, MailWatch, Status};
use posthouse_protocols::runtime::{Kind, Server};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// The serving process.
pub(super) struct House {
    data: String,
    hostname: String,
    runtime: &'static str,
    engine: Arc<Engine>,
    started: Instant,
    stopping: AtomicBool,
    server: Mutex<Option<Server>>,
    listeners: Mutex<Vec<ListenerFacts>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl House {
    pub(super) fn new(data: &Path, hostname: String, kind: Kind, engine: Arc<Engine>, server: Server) -> Arc<House> {
        let data = std::path::absolute(data).unwrap_or_else(|_| data.to_path_buf());
        Arc::new(House {
            data: data.display().to_string(),
            hostname,
            runtime: match kind {
                Kind::Uring => "uring",
                Kind::Tokio => "tokio",
            },
            engine,
            started: Instant::now(),
            stopping: AtomicBool::new(false),
            server: Mutex::new(Some(server)),
            listeners: Mutex::new(Vec::new()),
        })
    }

    pub(super) fn set_listeners(&self, listeners: Vec<ListenerFacts>) {
        *lock(&self.listeners) = listeners;
    }

    /// The first address of a protocol, if it is served.
    pub(super) fn address(&self, name: &str) -> Option<String> {
        lock(&self.listeners).iter().find(|listener| listener.name == name).map(|listener| listener.address.clone())
    }

    /// Stops the sessions; returns when the last one is gone.
    pub(super) fn stop(&self, grace: Duration) {
        self.stopping.store(true, Ordering::SeqCst);
        let server = lock(&self.server).take();
        if let Some(server) = server {
            server.stop(grace);
        }
    }
}

impl Host for House {
    fn facts(&self) -> Facts {
        Facts {
            version: env!("CARGO_PKG_VERSION").into(),
            hostname: self.hostname.clone(),
            data: self.data.clone(),
            runtime: self.runtime.into(),
            uptime_seconds: self.started.elapsed().as_secs(),
            connections: lock(&self.server).as_ref().map_or(0, |server| server.connections() as u64),
            pid: std::process::id(),
            listeners: lock(&self.listeners).clone(),
            stopping: self.stopping.load(Ordering::SeqCst),
        }
    }

    fn status(&self) -> Status {
        self.engine.status()
    }

    fn mail(&self) -> MailWatch {
        self.engine.mail_watch()
    }

    fn has_domain(&self, domain: &str) -> bool {
        posthouse_engine::directory::normalise_domain(domain)
            .is_ok_and(|name| self.engine.directory(|directory| directory.domain(&name).is_some()))
    }

    fn accounts(&self) -> u64 {
        self.engine.directory(|directory| directory.account_count()) as u64
    }
}

pub(super) fn listener(name: &str, address: SocketAddr) -> ListenerFacts {
    ListenerFacts { name: name.to_owned(), address: address.to_string() }
}

/// The configured name, or the machine's where it can stand in a greeting.
pub(crate) fn hostname(configured: &str) -> String {
    if configured != "auto" {
        return configured.to_owned();
    }
    let machine = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if crate::config::check::valid_hostname(&machine) { machine } else { "localhost".into() }
}
