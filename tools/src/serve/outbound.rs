//! The sending of the queue as the configuration wishes it. Sends nothing itself.
use crate::config::{Config, Outbound as Wishes, Place};
use crate::ops::Failure;
use crate::store::Opened;
use posthouse_engine::directory::{Address, normalise_domain};
use posthouse_protocols::outbound::resolve::{Dnssec, FixedNames, NameServers, Resolve};
use posthouse_protocols::outbound::{
    Login, Means, Outbound, PolicyHosts, Relay, Reports, Route, Security, Settings, TlsConfigs,
};
use posthouse_protocols::runtime::Spawner;
use posthouse_protocols::verify::Verifier;
use std::net::{IpAddr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

/// Everything that can fail, before anything listens.
pub(super) fn prepare(
    config: &Config,
    opened: &Opened,
    hostname: &str,
    verifier: Arc<Verifier>,
) -> Result<Means, Failure> {
    let wishes = &config.outbound;
    let authorities = Some(wishes.tls_authorities.as_path()).filter(|path| !path.as_os_str().is_empty());
    let tls = TlsConfigs::new(authorities).map_err(|error| Failure::io("outbound.tls_authorities", &error))?;
    let servers: Vec<SocketAddr> = wishes.resolver.iter().map(|address| address.0).collect();
    let dnssec = wishes.dane.dnssec();
    let names: Arc<dyn Resolve> = match wishes.enabled {
        true => {
            Arc::new(NameServers::start(&servers, dnssec).map_err(|error| Failure::io("outbound.resolver", &error))?)
        }
        // Nobody asks: mail for mailboxes here needs no names.
        false => Arc::new(FixedNames::default()),
    };
    let asks = wishes.enabled && wishes.mta_sts && wishes.tls.security() != Security::Plain;
    let policies = asks.then(|| PolicyHosts::start(authorities, &servers)).transpose();
    let reports = match wishes.tls_reports_from.as_str() {
        from if wishes.enabled && !from.is_empty() => {
            let reports = Reports::start(Address::parse(from)?, Some(verifier.clone()), authorities, &servers);
            Some(reports.map_err(|error| Failure::io("outbound.tls_reports_from", &error))?)
        }
        _ => None,
    };
    Ok(Means {
        engine: opened.engine.clone(),
        clock: opened.clock.clone(),
        hostname: hostname.to_owned(),
        verifier: Some(verifier),
        names,
        tls,
        policies: policies.map_err(|error| Failure::io("outbound.mta_sts", &error))?,
        tls_reports: reports,
        settings: settings(config)?,
    })
}

/// Begins to send.
pub(super) fn start(means: Means, spawner: Spawner) -> Outbound {
    if means.settings.sessions_max == 0 {
        tracing::info!("mail for other hosts waits: outbound.enabled is false");
    }
    Outbound::start(means, spawner)
}

fn settings(config: &Config) -> Result<Settings, Failure> {
    let wishes = &config.outbound;
    let route = |route: &crate::config::RouteTable| {
        let relay = relay(&route.relay, route.tls.security(), &route.user, &route.password_file)?;
        let (dot, domain) = match route.domain.strip_prefix('.') {
            Some(domain) => (".", domain),
            None => ("", route.domain.as_str()),
        };
        Ok(Route { domain: format!("{dot}{}", normalise_domain(domain)?), relay })
    };
    Ok(Settings {
        port: wishes.port,
        security: wishes.tls.security(),
        dane: wishes.dane.dnssec() == Dnssec::ResolverValidates,
        relay: relay(&wishes.relay, wishes.relay_tls.security(), &wishes.relay_user, &wishes.relay_password_file)?,
        routes: wishes.route.iter().map(route).collect::<Result<_, Failure>>()?,
        families: wishes.ip.families(),
        source_ipv4: source(wishes).0,
        source_ipv6: source(wishes).1,
        sessions_max: if wishes.enabled { wishes.connections_max as usize } else { 0 },
        sessions_per_destination_max: wishes.connections_per_destination_max as usize,
        retry_first_seconds: wishes.retry_first_seconds,
        retry_max_seconds: wishes.retry_max_seconds.max(wishes.retry_first_seconds),
        lifetime_seconds: wishes.lifetime_seconds,
        delay_warning_seconds: wishes.delay_warning_seconds,
        message_bytes_max: config.store.stage_bytes_max,
    })
}

fn source(wishes: &Wishes) -> (Option<std::net::Ipv4Addr>, Option<std::net::Ipv6Addr>) {
    let v4 = wishes.source_ipv4.0.and_then(|ip| if let IpAddr::V4(ip) = ip { Some(ip) } else { None });
    let v6 = wishes.source_ipv6.0.and_then(|ip| if let IpAddr::V6(ip) = ip { Some(ip) } else { None });
    (v4, v6)
}

fn relay(place: &Place, security: Security, user: &str, file: &Path) -> Result<Option<Arc<Relay>>, Failure> {
    let Some((host, port)) = &place.0 else { return Ok(None) };
    let login = match user {
        "" => None,
        user => {
            let text = std::fs::read_to_string(file).map_err(|error| Failure::io(file.display(), &error))?;
            Some(Login { user: user.to_owned(), password: text.lines().next().unwrap_or_default().to_owned() })
        }
    };
    Ok(Some(Arc::new(Relay { host: host.clone(), port: *port, security, login })))
}
