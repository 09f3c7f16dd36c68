//! Remembers the first failed write or sync of a shard and refuses everything after it. Never opens again: a restart does.
use crate::base::{Error, Result};
use std::sync::OnceLock;

/// Closed by the first failure; shared by all who may act on the shard.
#[derive(Debug, Default)]
pub struct Latch(OnceLock<String>);

impl Latch {
    /// `Latched` with the first reason, once closed.
    pub fn check(&self) -> Result<()> {
        match self.0.get() {
            None => Ok(()),
            Some(reason) => Err(Error::Latched { reason: reason.clone() }),
        }
    }

    /// Closes the latch, says so in the log, and gives back the error to answer with. Only the first reason is kept.
    pub fn close(&self, reason: String) -> Error {
        let first = || {
            tracing::error!(%reason, "a shard has closed itself: it takes no change before a restart, which replays its log");
            reason
        };
        Error::Latched { reason: self.0.get_or_init(first).clone() }
    }

    /// The first failure, if there was one.
    pub fn reason(&self) -> Option<&str> {
        self.0.get().map(String::as_str)
    }
}
