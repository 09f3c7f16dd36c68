//! Where an address's mail goes, and from where: into mailboxes here, to a relay, or where its domain's MX records lead. Asks no name server.
use super::settings::{Login, Relay, Security, Settings, Sources};
use posthouse_engine::Engine;
use posthouse_engine::directory::{Address, RelayHost, RelayTls, normalise_domain};
use posthouse_engine::queue::{QueueItem, TlsDemand};
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
    /// One of those two, from addresses of ours that others do not share.
    From(Sources, Arc<Destination>),
}

impl fmt::Display for Destination {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Destination::Local => f.write_str("local"),
            Destination::Domain(domain, _) => f.write_str(domain),
            Destination::Relay(relay, _) => write!(f, "{}:{}", relay.host, relay.port),
            Destination::From(_, there) => there.fmt(f),
        }
    }
}

impl PartialEq for Destination {
    fn eq(&self, other: &Destination) -> bool {
        match (self, other) {
            (Destination::Local, Destination::Local) => true,
            (Destination::Domain(a, x), Destination::Domain(b, y)) => (a, x) == (b, y),
            (Destination::Relay(a, x), Destination::Relay(b, y)) => (a, x) == (b, y),
            (Destination::From(a, there), Destination::From(b, also)) => a == b && there == also,
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
            Destination::From(_, there) => there.tls(),
        }
    }
}

impl std::hash::Hash for Destination {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        std::mem::discriminant(self).hash(state);
        match self {
            Destination::Local => {}
            Destination::Domain(domain, tls) => (domain, tls).hash(state),
            Destination::Relay(relay, tls) => (relay, tls).hash(state),
            Destination::From(sources, there) => (sources, there).hash(state),
        }
    }
}

impl Destination {
    /// From which addresses of ours, and where.
    pub(super) fn parts(&self) -> (Sources, &Destination) {
        match self {
            Destination::From(sources, there) => (*sources, there),
            there => (Sources::default(), there),
        }
    }
}

/// What those on whose behalf a message leaves say of its way.
#[derive(Clone, Debug, Default)]
pub(super) struct Wishes {
    relay: Option<Arc<Relay>>,
    sources: Sources,
    /// What its sender demands of TLS.
    pub(super) tls: TlsDemand,
}

impl Wishes {
    /// Of the address here that sent the message on last, or else of its sender; of the member whose receipt or automatic answer it is.
    pub(super) fn of(item: &QueueItem, engine: &Engine) -> Wishes {
        let address = item.item.passed.last().unwrap_or(&item.item.sender);
        let domain = match item.item.account.filter(|_| address.is_empty()) {
            Some(account) => engine.directory(|known| Some(known.account(account)?.address.domain().to_owned())),
            None => address.rsplit_once('@').and_then(|(_, domain)| normalise_domain(domain).ok()),
        };
        let tls = match (item.item.tls, item.item.sender.is_empty()) {
            // RFC 8689 sections 4.2.1 and 5: a report is not lost for want of a host that keeps to it.
            (TlsDemand::Required, true) => TlsDemand::Usual,
            (tls, _) => tls,
        };
        let Some(domain) = domain else { return Wishes { tls, ..Wishes::default() } };
        let way = engine.directory(|directory| directory.way_out(&domain));
        Wishes {
            relay: way.relay.map(|host| Arc::new(relay(&host))),
            sources: Sources { ipv4: way.source_ipv4, ipv6: way.source_ipv6 },
            tls,
        }
    }
}

fn relay(rule: &RelayHost) -> Relay {
    let security = match rule.tls {
        RelayTls::None => Security::Plain,
        RelayTls::Opportunistic => Security::Opportunistic,
        RelayTls::Required => Security::Required,
        RelayTls::Verified => Security::Verified,
        RelayTls::Implicit => Security::Implicit,
    };
    let login = Login { user: rule.user.to_string(), password: rule.password.reveal().to_owned() };
    let login = Some(login).filter(|login| !login.user.is_empty());
    Relay { host: rule.host.to_string(), port: rule.port, security, login }
}

/// The destination of one address of the queue: a route for its domain, else the sender's own smarthost, else the relay for all, else MX.
pub(super) fn destination(address: &str, wishes: &Wishes, settings: &Settings, engine: &Engine) -> Destination {
    let domain = address.rsplit_once('@').map_or(address, |(_, domain)| domain);
    let domain = normalise_domain(domain).unwrap_or_else(|_| domain.to_ascii_lowercase());
    let is_ours = |directory: &posthouse_engine::directory::Directory| directory.domain(&domain).is_some();
    if engine.directory(is_ours) && Address::parse(address).is_ok() {
        return Destination::Local;
    }
    let relay = match settings.routes.iter().find(|route| fits(&route.domain, &domain)) {
        Some(route) => route.relay.as_ref(),
        None => wishes.relay.as_ref().or(settings.relay.as_ref()),
    };
    let there = match relay {
        Some(relay) => Destination::Relay(relay.clone(), wishes.tls),
        None => Destination::Domain(domain.into(), wishes.tls),
    };
    match wishes.sources == Sources::default() {
        true => there,
        false => Destination::From(wishes.sources, Arc::new(there)),
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
        let mut wishes = Wishes::default();
        let to = |wishes: &Wishes, settings: &Settings, address: &str| {
            destination(address, wishes, settings, &shared.engine).to_string()
        };
        assert_eq!(to(&wishes, &settings, "a@direct.test"), "direct.test");
        assert_eq!(to(&wishes, &settings, "a@PARTNER.test"), "front:2525");
        assert_eq!(to(&wishes, &settings, "a@x.partner.test"), "gate:2525");
        assert_eq!(to(&wishes, &settings, "a@xpartner.test"), "smart:2525");
        assert_eq!(to(&wishes, &settings, "ann@example.org"), "local");
        wishes.relay = Some(relay("own"));
        assert_eq!(to(&wishes, &settings, "a@xpartner.test"), "own:2525");
        assert_eq!(to(&wishes, &settings, "a@direct.test"), "direct.test", "a route says more of the recipient");
        (settings.relay, wishes.relay) = (None, None);
        assert_eq!(to(&wishes, &settings, "a@b\u{fc}cher.test"), "xn--bcher-kva.test");
        assert_eq!(to(&wishes, &settings, "a@[192.0.2.9]"), "[192.0.2.9]");
    }
}
