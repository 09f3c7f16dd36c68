//! Where an address's mail goes: into mailboxes here, to a relay, or where its domain's MX records lead. Asks no name server.
use super::settings::{Relay, Settings};
use posthouse_engine::Engine;
use posthouse_engine::directory::{Address, normalise_domain};
use posthouse_engine::queue::TlsDemand;
use std::fmt;
use std::sync::Arc;

/// Messages for one destination share its connections and its back-off: those that demand other TLS are another's.
#[derive(Clone, Debug)]
pub(super) enum Destination {
    /// Ourselves: the domain has become ours, or an address stands for another of ours.
    Local,
    /// The hosts of a domain, in A-labels and small letters, or an address literal.
    Domain(Arc<str>, TlsDemand),
    /// That host.
    Relay(Arc<Relay>, TlsDemand),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Local => f.write_str("local"),
            Destination::Domain(domain, _) => f.write_str(domain),
            Destination::Relay(relay, _) => write!(f, "{}:{}", relay.host, relay.port),
        }
    }
}

impl PartialEq for Destination {
    fn eq(&self, other: &Destination) -> bool {
        match (self, other) {
            (Destination::Local, Destination::Local) => true,
            (Destination::Domain(a, x), Destination::Domain(b, y)) => (a, x) == (b, y),
            (Destination::Relay(a, x), Destination::Relay(b, y)) => Arc::ptr_eq(a, b) && x == y,
            _ => false,
        }
    }
}

impl Eq for Destination {}

impl Destination {
    /// What its messages demand.
    pub(super) fn tls(&self) -> TlsDemand {
        match self {
            Destination::Local => TlsDemand::Usual,
            Destination::Domain(_, tls) | Destination::Relay(_, tls) => *tls,
        }
    }
}

impl std::hash::Hash for Destination {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Destination::Local => {}
            Destination::Domain(domain, tls) => (domain, tls).hash(state),
            Destination::Relay(relay, tls) => (Arc::as_ptr(relay), tls).hash(state),
        }
    }
}

/// The destination of one address of the queue, for messages that demand this of TLS.
pub(super) fn destination(address: &str, tls: TlsDemand, settings: &Settings, engine: &Engine) -> Destination {
    let domain = address.rsplit_once('@').map_or(address, |(_, domain)| domain);
    let domain = normalise_domain(domain).unwrap_or_else(|_| domain.to_ascii_lowercase());
    let is_ours = |directory: &posthouse_engine::directory::Directory| directory.domain(&domain).is_some();
    if engine.directory(is_ours) && Address::parse(address).is_ok() {
        return Destination::Local;
    }
    let relay = match settings.routes.iter().find(|route| fits(&route.domain, &domain)) {
        Some(route) => route.relay.as_ref(),
        None => settings.relay.as_ref(),
    };
    match relay {
        Some(relay) => Destination::Relay(relay.clone(), tls),
        None => Destination::Domain(domain.into(), tls),
    }
}

/// Whether a route's domain names this one.
fn fits(route: &str, domain: &str) -> bool {
    match route.strip_prefix('.') {
        Some(_) => domain.ends_with(route),
        None => domain == route,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbound::settings::{Route, Security};
    use crate::testing;

    fn relay(host: &str) -> Arc<Relay> {
        Arc::new(Relay { host: host.into(), port: 2525, security: Security::Plain, login: None })
    }

    #[test]
    fn the_first_route_that_fits_counts_then_the_relay_then_mx() {
        let shared = testing::shared();
        let route = |domain: &str, relay| Route { domain: domain.into(), relay };
        let mut settings = Settings {
            routes: vec![
                route("direct.test", None),
                route(".partner.test", Some(relay("gate"))),
                route("partner.test", Some(relay("front"))),
            ],
            relay: Some(relay("smart")),
            ..Settings::default()
        };
        let to = |settings: &Settings, address: &str| {
            destination(address, TlsDemand::Usual, settings, &shared.engine).to_string()
        };
        assert_eq!(to(&settings, "a@direct.test"), "direct.test");
        assert_eq!(to(&settings, "a@PARTNER.test"), "front:2525");
        assert_eq!(to(&settings, "a@x.partner.test"), "gate:2525");
        assert_eq!(to(&settings, "a@xpartner.test"), "smart:2525");
        assert_eq!(to(&settings, "ann@example.org"), "local");
        settings.relay = None;
        assert_eq!(to(&settings, "a@b\u{fc}cher.test"), "xn--bcher-kva.test");
        assert_eq!(to(&settings, "a@[192.0.2.9]"), "[192.0.2.9]");
    }
}
