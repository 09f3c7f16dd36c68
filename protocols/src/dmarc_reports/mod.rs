//! DMARC aggregate reports (RFC 9990): what was seen of a domain's mail on a day goes, on the next, to the addresses that the domain publishes.
//! All that must outlive a restart is in the engine's DMARC log; reports about single messages (`ruf`) are never made: they would show mail to strangers.
//!
//! `daily` knows the clock and sends, `make` turns sums into a report and its message.
mod daily;
mod make;
#[cfg(test)]
mod tests;

use crate::runtime::Spawner;
use crate::verify::Verifier;
use posthouse_engine::Engine;
use posthouse_engine::base::Clock;
use posthouse_engine::directory::Address;
use std::sync::Arc;

/// Who reports.
#[derive(Clone, Debug)]
pub struct Settings {
    /// As people read it.
    pub organisation: String,
    /// Whom to write to about reports, and their From.
    pub contact: Address,
    /// Our name: two hosts of one organisation make reports of their own.
    pub hostname: String,
}

/// What it works with.
pub struct Means {
    /// The store.
    pub engine: Arc<Engine>,
    /// The time, the same as the store's.
    pub clock: Arc<dyn Clock>,
    /// Asks name servers, and signs.
    pub verifier: Arc<Verifier>,
    /// Who reports.
    pub settings: Settings,
}

/// Sends reports each day until the server stops.
pub fn start(means: Means, spawner: &Spawner) {
    spawner.spawn(move || Box::pin(daily::run(means)));
}
