//! DNS lists of hosts, as the configuration wishes them. Asks none itself.
use crate::config::Config;
use crate::ops::Failure;
use posthouse_protocols::outbound::resolve::{Dnssec, NameServers};
use posthouse_protocols::verify::dnsbl::{Blocklists, ListSettings, Zone};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// `None`: no zone is named.
pub(super) fn start(config: &Config) -> Result<Option<Arc<Blocklists>>, Failure> {
    let wishes = &config.dnsbl;
    if wishes.zone.is_empty() {
        return Ok(None);
    }
    let own = if config.verify.resolver.is_empty() { &config.outbound.resolver } else { &config.verify.resolver };
    let servers: Vec<SocketAddr> = own.iter().map(|address| address.0).collect();
    let names =
        NameServers::start(&servers, Dnssec::Ignored).map_err(|error| Failure::io("verify.resolver", &error))?;
    let from = |score: i32| (score > 0).then_some(score);
    let zone = |zone: &crate::config::ZoneTable| Zone {
        name: zone.name.to_ascii_lowercase(),
        weight: zone.weight,
        replies: zone.replies.iter().map(|reply| reply.0).collect(),
    };
    let settings = ListSettings {
        zones: wishes.zone.iter().map(zone).collect(),
        allow: wishes.allow.iter().map(|network| network.0).collect(),
        reject_from: from(wishes.reject_score),
        junk_from: from(wishes.junk_score),
        timeout: Duration::from_secs(wishes.timeout_seconds.into()),
        keep: Duration::from_secs(wishes.cache_seconds.into()),
    };
    Ok(Some(Arc::new(Blocklists::new(settings, Arc::new(names)))))
}
