//! What the process that serves knows of itself and the store does not. Holds no figure of the store: see `posthouse_engine::Status`.
use posthouse_engine::{MailWatch, Status};
use serde::{Deserialize, Serialize};

/// One address that is listened on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListenerFacts {
    /// The protocol's name in the configuration.
    pub name: String,
    /// The address with its port.
    pub address: String,
}

/// The serving process at a glance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// Posthouse's version.
    pub version: String,
    /// The name in greetings.
    pub hostname: String,
    /// The data directory.
    pub data: String,
    /// `uring` or `tokio`.
    pub runtime: String,
    /// Seconds since the start.
    pub uptime_seconds: u64,
    /// Connections open now.
    pub connections: u64,
    /// Process id.
    pub pid: u32,
    /// Where it listens.
    pub listeners: Vec<ListenerFacts>,
    /// Whether it is stopping.
    pub stopping: bool,
}

/// What the pages are made from; asked at each request.
pub trait Host: Send + Sync + 'static {
    /// The serving process.
    fn facts(&self) -> Facts;
    /// The store.
    fn status(&self) -> Status;
    /// Whether mail that was answered 250 can be seen.
    fn mail(&self) -> MailWatch;
    /// Accounts of all kinds and tenants.
    fn accounts(&self) -> u64;
    /// Whether mail of a domain is served here, by its name in any spelling.
    fn has_domain(&self, domain: &str) -> bool;
}
