//! What the clerk and the sessions share, and may be used from every reactor: the plan, the store, the names, who is to be woken.
use super::plan::{Bounds, Job, Plan};
use super::resolve::Resolve;
use super::room::Room;
use super::route::{self, Destination, Wishes};
use super::settings::Settings;
use super::tls::TlsConfigs;
use super::tlsrpt::{Failed, Published, Reports};
use super::trust::Policies;
use crate::runtime::SessionFuture;
use crate::verify::Verifier;
use posthouse_engine::Engine;
use posthouse_engine::base::{Clock, Guid, QueueId};
use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Puts a task on some reactor.
pub(super) type Spawn = Box<dyn Fn(Box<dyn FnOnce() -> SessionFuture + Send>) + Send + Sync>;

/// See above.
pub(super) struct Office {
    pub(super) engine: Arc<Engine>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) names: Arc<dyn Resolve>,
    pub(super) settings: Settings,
    pub(super) hostname: String,
    /// Signs answers for members who are away.
    pub(super) verifier: Option<Arc<Verifier>>,
    pub(super) tls: TlsConfigs,
    /// MTA-STS; `None`: it is not asked for.
    pub(super) policies: Option<Policies>,
    /// Reports about TLS; `None`: nobody gets any.
    pub(super) tls_reports: Option<Reports>,
    pub(super) room: Room,
    /// Who makes a report of a message that is not in memory reads it alone.
    pub(super) reading: tokio::sync::Mutex<()>,
    pub(super) spawn: Spawn,
    plan: Mutex<Plan>,
    /// Wakes the clerk.
    pub(super) bell: Notify,
    /// Wakes sessions that wait for one more message, by destination.
    bells: Mutex<HashMap<Destination, Arc<Notify>>>,
    random: AtomicU64,
    reports: AtomicU64,
    /// Who hands a message over to mailboxes, by its origin.
    turns: Mutex<HashMap<Guid, Arc<tokio::sync::Mutex<()>>>>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // What is behind these locks is whole between any two statements.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What an office is made of.
pub(super) struct Parts {
    pub(super) engine: Arc<Engine>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) names: Arc<dyn Resolve>,
    pub(super) settings: Settings,
    pub(super) hostname: String,
    pub(super) verifier: Option<Arc<Verifier>>,
    pub(super) tls: TlsConfigs,
    /// MTA-STS; `None`: it is not asked for.
    pub(super) policies: Option<Policies>,
    pub(super) tls_reports: Option<Reports>,
    pub(super) spawn: Spawn,
}

impl Office {
    pub(super) fn new(parts: Parts) -> Arc<Office> {
        let Parts { engine, clock, names, settings, hostname, verifier, tls, policies, tls_reports, spawn } = parts;
        let started_ms = u64::try_from(clock.now_ms()).unwrap_or(0);
        let bounds = Bounds {
            sessions_max: settings.sessions_max,
            sessions_per_destination_max: settings.sessions_per_destination_max,
            lifetime: i64::from(settings.lifetime_seconds),
            rest_first: i64::from(settings.retry_first_seconds.max(1)),
            rest_max: settings.wait_max(),
        };
        Arc::new(Office {
            engine,
            clock,
            names,
            hostname,
            verifier,
            tls,
            policies,
            tls_reports,
            room: Room::new(settings.message_bytes_max),
            reading: tokio::sync::Mutex::default(),
            spawn,
            plan: Mutex::new(Plan::new(bounds)),
            bell: Notify::new(),
            bells: Mutex::default(),
            turns: Mutex::default(),
            random: AtomicU64::new(RandomState::new().hash_one(started_ms)),
            // As `session::Shared` numbers messages, with a bit that those do not have.
            reports: AtomicU64::new(started_ms << 12 | 1 << 63),
            settings,
        })
    }

    pub(super) fn plan(&self) -> MutexGuard<'_, Plan> {
        lock(&self.plan)
    }

    pub(super) fn now(&self) -> i64 {
        self.clock.now()
    }

    /// Counts what came of TLS with a host, if somebody may want a report of it.
    pub(super) fn note_tls(&self, published: &Arc<Published>, came: Result<(), Failed>) {
        if let Some(reports) = &self.tls_reports {
            reports.tally.note(self.now(), published, came);
        }
    }

    /// A number without a pattern that matters.
    pub(super) fn random(&self) -> u64 {
        let step = self.random.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        let mixed = (step ^ step >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed ^ mixed >> 31
    }

    /// A number that no other report has.
    pub(super) fn report_number(&self) -> u64 {
        self.reports.fetch_add(1, Ordering::Relaxed)
    }

    /// Looks at an item as it is now and plans what is due of it.
    pub(super) fn consider(&self, id: QueueId) {
        let Some(item) = self.engine.queue_item(id) else { return };
        let now = self.now();
        let wishes = Wishes::of(&item, &self.engine);
        let to = |address: &str| route::destination(address, &wishes, &self.settings, &self.engine);
        let fed = self.plan().consider(&item, now, to);
        fed.iter().for_each(|destination| self.ring(destination));
        self.bell.notify_one();
    }

    /// A job is over and its results are in the store, or will never be.
    pub(super) fn done(&self, job: &Job) {
        self.plan().done(job);
        self.consider(job.id);
    }

    /// Waits until nobody else hands over copies of the same message: whom they reach, the next one is to see before it asks anybody's rules.
    pub(super) async fn turn(self: &Arc<Self>, origin: Guid) -> Turn {
        let one = lock(&self.turns).entry(origin).or_default().clone();
        Turn { office: self.clone(), origin, held: Some(one.lock_owned().await) }
    }

    /// What sessions of a destination wait on.
    pub(super) fn destination_bell(&self, destination: &Destination) -> Arc<Notify> {
        lock(&self.bells).entry(destination.clone()).or_default().clone()
    }

    /// Wakes a waiting session of a destination, if there is one.
    pub(super) fn ring(&self, destination: &Destination) {
        if let Some(bell) = lock(&self.bells).get(destination) {
            bell.notify_one();
        }
    }

    /// Forgets the bells that nobody waits on, and what is known of messages that are in the queue no more.
    pub(super) fn sweep(&self) {
        self.engine.sweep_reached();
        lock(&self.bells).retain(|_, bell| Arc::strong_count(bell) > 1);
        let now = self.now();
        self.plan().sweep(now);
    }
}

/// Nobody else hands over that message while it lives.
pub(super) struct Turn {
    office: Arc<Office>,
    origin: Guid,
    held: Option<tokio::sync::OwnedMutexGuard<()>>,
}

impl Drop for Turn {
    fn drop(&mut self) {
        drop(self.held.take());
        let mut turns = lock(&self.office.turns);
        // Who waits holds it too.
        if turns.get(&self.origin).is_some_and(|one| Arc::strong_count(one) == 1) {
            turns.remove(&self.origin);
        }
    }
}

/// A job under way; whatever happens to its session, it is over in the end.
pub(super) struct Held {
    office: Arc<Office>,
    pub(super) job: Job,
    buried: bool,
}

impl Held {
    pub(super) fn new(office: Arc<Office>, job: Job) -> Held {
        Held { office, job, buried: false }
    }

    /// Never again before a restart: what came of it could not be noted, and to send it twice would be worse.
    pub(super) fn bury(mut self) {
        self.buried = true;
    }

    /// Another session of its destination is to take it.
    pub(super) fn give_back(mut self, destination: &Destination) {
        self.buried = true;
        self.office.plan().give_back(destination, self.job.clone());
        self.office.ring(destination);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if !self.buried {
            self.office.done(&self.job);
        }
    }
}
