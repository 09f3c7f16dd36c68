//! The checks of senders and the signatures, as the configuration wishes them. Checks nothing itself.
use crate::config::{Config, DmarcChoice};
use crate::ops::Failure;
use crate::store;
use posthouse_protocols::verify::{Settings, Verifier};
use std::sync::Arc;
use std::time::Duration;

/// More are of no use: they mostly wait for name servers.
const THREADS_MAX: usize = 4;

/// Everything that can fail, before anything listens.
pub(super) fn start(config: &Config, hostname: &str) -> Result<Arc<Verifier>, Failure> {
    let wishes = &config.verify;
    let own = if wishes.resolver.is_empty() { &config.outbound.resolver } else { &wishes.resolver };
    let settings = Settings {
        servers: own.iter().map(|address| address.0).collect(),
        hostname: hostname.to_owned(),
        checks: wishes.enabled,
        checks_loopback: wishes.loopback,
        obeys_dmarc: wishes.dmarc == DmarcChoice::Obey,
        keeps_dmarc: config.reports.dmarc,
        timeout: Duration::from_secs(wishes.timeout_seconds.into()),
        threads: store::cores().min(THREADS_MAX),
    };
    let verifier = Verifier::start(settings).map_err(|error| Failure::io("verify.resolver", &error))?;
    Ok(Arc::new(verifier))
}
