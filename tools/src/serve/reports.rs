//! Reports to other domains, as the configuration wishes them. Sends none itself.
use crate::config::Config;
use crate::ops::Failure;
use crate::store::Opened;
use posthouse_engine::directory::{Address, KeyState};
use posthouse_protocols::dmarc_reports::{self, Means, Settings};
use posthouse_protocols::runtime::Spawner;
use posthouse_protocols::verify::Verifier;
use std::sync::Arc;

/// Begins to send them, where they are wished.
pub(super) fn start(
    config: &Config,
    opened: &Opened,
    hostname: &str,
    verifier: Arc<Verifier>,
    spawner: &Spawner,
) -> Result<(), Failure> {
    let wishes = &config.reports;
    if !wishes.dmarc {
        return Ok(());
    }
    let contact = Address::parse(&wishes.contact)?;
    let is_signed = |known: &posthouse_engine::directory::Directory| {
        known.keys_of(contact.domain()).any(|key| key.state == KeyState::Active)
    };
    if !opened.engine.directory(is_signed) {
        let domain = contact.domain();
        tracing::warn!(
            domain,
            "reports go out unsigned, and many receivers refuse such: posthouse dkim add for the domain of reports.contact"
        );
    }
    let settings = Settings { organisation: wishes.organisation.clone(), contact, hostname: hostname.to_owned() };
    let (engine, clock) = (opened.engine.clone(), opened.clock.clone());
    dmarc_reports::start(Means { engine, clock, verifier, settings }, spawner);
    Ok(())
}
