//! `[outbound]`: mail to other hosts, with its defaults. docs/configuration.md explains the keys.
use super::check::{Wrong, within, wrong};
use super::values::{Address, Ip, Place, words};
use posthouse_engine::directory::normalise_domain;
use posthouse_protocols::outbound::resolve::Dnssec;
use posthouse_protocols::outbound::{Families, Security};
use serde::Deserialize;
use std::path::{Path, PathBuf};

words!(
    /// How a connection is protected.
    TlsChoice {
        /// Not at all.
        None = "none",
        /// STARTTLS where it is offered, with any certificate.
        Opportunistic = "opportunistic",
        /// STARTTLS or nothing, with any certificate.
        Required = "required",
        /// STARTTLS or nothing, with a certificate that proves the host's name.
        Verified = "verified",
        /// TLS from the first byte, with such a certificate.
        Implicit = "implicit",
    }
);

words!(
    /// `outbound.dane`: whose word for DNSSEC counts.
    DaneChoice {
        /// Nobody's: TLSA records are not asked for.
        Off = "off",
        /// The name servers', which are trusted and near.
        ResolverValidates = "resolver_validates",
    }
);

words!(
    /// `outbound.ip`: which addresses of a host are tried, and which first.
    IpChoice {
        /// IPv4, then IPv6.
        Ipv4First = "ipv4_first",
        /// IPv6, then IPv4.
        Ipv6First = "ipv6_first",
        /// IPv4 only.
        Ipv4 = "ipv4",
        /// IPv6 only.
        Ipv6 = "ipv6",
    }
);

/// `[outbound]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Outbound {
    /// Whether the queue is sent at all.
    pub enabled: bool,
    /// The port of hosts that MX records name.
    pub port: u16,
    /// Name servers; none: the system's.
    pub resolver: Vec<Address>,
    /// For hosts that MX records name.
    pub tls: TlsChoice,
    /// Whether hosts must match their TLSA records.
    pub dane: DaneChoice,
    /// Whether policies of MTA-STS count.
    pub mta_sts: bool,
    /// Whom reports about TLS are from, an address of ours; empty: none are sent.
    pub tls_reports_from: String,
    /// PEM file of authorities for proven certificates; empty: the system's.
    pub tls_authorities: PathBuf,
    /// Where all mail goes that no route names; empty: where MX records lead.
    pub relay: Place,
    /// For the relay.
    pub relay_tls: TlsChoice,
    /// Who we are at the relay; empty: no login.
    pub relay_user: String,
    /// File whose first line is the password.
    pub relay_password_file: PathBuf,
    /// Other ways for some domains.
    pub route: Vec<RouteTable>,
    /// Which addresses of a host are tried, and which first.
    pub ip: IpChoice,
    /// Our address over IPv4; empty: the kernel chooses.
    pub source_ipv4: Ip,
    /// Our address over IPv6; empty: the kernel chooses.
    pub source_ipv6: Ip,
    /// Connections at a time.
    pub connections_max: u32,
    /// Connections at a time to one destination.
    pub connections_per_destination_max: u32,
    /// Seconds between the first two attempts; doubles with each.
    pub retry_first_seconds: u32,
    /// Seconds between attempts at most.
    pub retry_max_seconds: u32,
    /// Seconds after which a message is given up.
    pub lifetime_seconds: u32,
    /// Seconds after which the sender is told of the delay; 0: never.
    pub delay_warning_seconds: u32,
}

/// One `[[outbound.route]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RouteTable {
    /// A domain, or with a leading dot all below it.
    pub domain: String,
    /// Where its mail goes; empty or missing: where its MX records lead.
    #[serde(default)]
    pub relay: Place,
    /// How the connection is protected.
    #[serde(default = "opportunistic")]
    pub tls: TlsChoice,
    /// Who we are there; empty: no login.
    #[serde(default)]
    pub user: String,
    /// File whose first line is the password.
    #[serde(default)]
    pub password_file: PathBuf,
}

fn opportunistic() -> TlsChoice {
    TlsChoice::Opportunistic
}

impl Default for Outbound {
    fn default() -> Outbound {
        Outbound {
            enabled: true,
            port: 25,
            resolver: Vec::new(),
            tls: TlsChoice::Opportunistic,
            dane: DaneChoice::Off,
            mta_sts: true,
            tls_reports_from: String::new(),
            tls_authorities: PathBuf::new(),
            relay: Place::default(),
            relay_tls: TlsChoice::Opportunistic,
            relay_user: String::new(),
            relay_password_file: PathBuf::new(),
            route: Vec::new(),
            ip: IpChoice::Ipv4First,
            source_ipv4: Ip::default(),
            source_ipv6: Ip::default(),
            connections_max: 100,
            connections_per_destination_max: 20,
            retry_first_seconds: 300,
            retry_max_seconds: 4000,
            lifetime_seconds: 432_000,
            delay_warning_seconds: 14_400,
        }
    }
}

impl TlsChoice {
    /// The client's word for it.
    pub fn security(self) -> Security {
        match self {
            TlsChoice::None => Security::Plain,
            TlsChoice::Opportunistic => Security::Opportunistic,
            TlsChoice::Required => Security::Required,
            TlsChoice::Verified => Security::Verified,
            TlsChoice::Implicit => Security::Implicit,
        }
    }
}

impl DaneChoice {
    /// The client's word for it.
    pub fn dnssec(self) -> Dnssec {
        match self {
            DaneChoice::Off => Dnssec::Ignored,
            DaneChoice::ResolverValidates => Dnssec::ResolverValidates,
        }
    }
}

impl IpChoice {
    /// The client's word for it.
    pub fn families(self) -> Families {
        match self {
            IpChoice::Ipv4First => Families::Ipv4First,
            IpChoice::Ipv6First => Families::Ipv6First,
            IpChoice::Ipv4 => Families::Ipv4,
            IpChoice::Ipv6 => Families::Ipv6,
        }
    }
}

/// The files that the section names.
pub(super) fn paths(outbound: &mut Outbound) -> impl Iterator<Item = &mut PathBuf> {
    let own = [&mut outbound.tls_authorities, &mut outbound.relay_password_file];
    own.into_iter().chain(outbound.route.iter_mut().map(|route| &mut route.password_file))
}

/// Ranges, halves of a login, routes that name no domain.
pub(super) fn check(outbound: &Outbound) -> Result<(), Wrong> {
    within("outbound.port", outbound.port.into(), 1..=65_535)?;
    within("outbound.connections_max", outbound.connections_max.into(), 1..=10_000)?;
    within("outbound.connections_per_destination_max", outbound.connections_per_destination_max.into(), 1..=1000)?;
    within("outbound.retry_first_seconds", outbound.retry_first_seconds.into(), 1..=86_400)?;
    within("outbound.retry_max_seconds", outbound.retry_max_seconds.into(), 1..=604_800)?;
    within("outbound.lifetime_seconds", outbound.lifetime_seconds.into(), 1..=8_640_000)?;
    within("outbound.delay_warning_seconds", outbound.delay_warning_seconds.into(), 0..=8_640_000)?;
    for (key, ip, is_family) in [
        ("outbound.source_ipv4", outbound.source_ipv4, outbound.source_ipv4.0.is_none_or(|ip| ip.is_ipv4())),
        ("outbound.source_ipv6", outbound.source_ipv6, outbound.source_ipv6.0.is_none_or(|ip| ip.is_ipv6())),
    ] {
        if !is_family {
            let family = if key.ends_with('4') { "IPv4" } else { "IPv6" };
            let shown = ip.0.map_or(String::new(), |ip| ip.to_string());
            return wrong(key, format!("\"{shown}\" is not allowed; allowed: an {family} address, or \"\""));
        }
    }
    if outbound.tls == TlsChoice::Implicit {
        let what = "\"implicit\" is not allowed; allowed: none, opportunistic, required, verified".to_owned();
        return wrong("outbound.tls", what);
    }
    let from = &outbound.tls_reports_from;
    if !from.is_empty() && posthouse_engine::directory::Address::parse(from).is_err() {
        return wrong("outbound.tls_reports_from", format!("{from:?} is not allowed; allowed: an address, or \"\""));
    }
    if outbound.tls == TlsChoice::None && outbound.dane != DaneChoice::Off {
        let what =
            "\"resolver_validates\" is not allowed beside outbound.tls = \"none\"; allowed: off, or TLS".to_owned();
        return wrong("outbound.dane", what);
    }
    login("outbound.relay_user", "outbound.relay_password_file", &outbound.relay_user, &outbound.relay_password_file)?;
    for (at, route) in outbound.route.iter().enumerate() {
        let key = |name: &str| format!("outbound.route[{at}].{name}");
        login(&key("user"), &key("password_file"), &route.user, &route.password_file)?;
        let domain = route.domain.strip_prefix('.').unwrap_or(&route.domain);
        if normalise_domain(domain).is_err() {
            let shown = &route.domain;
            let what = format!("{shown:?} is not allowed; allowed: a domain, or .domain for all below it");
            return wrong(&key("domain"), what);
        }
        let same = |other: &RouteTable| same_domain(&other.domain, &route.domain);
        if let Some(first) = outbound.route[..at].iter().position(same) {
            let what =
                format!("{:?} has outbound.route[{first}] already; allowed: one route for a domain", route.domain);
            return wrong(&key("domain"), what);
        }
    }
    Ok(())
}

/// Whether two routes are for one domain: both for it alone, or both for all below it.
fn same_domain(one: &str, other: &str) -> bool {
    let form = |text: &str| (text.starts_with('.'), normalise_domain(text.strip_prefix('.').unwrap_or(text)).ok());
    form(one) == form(other)
}

fn login(user_key: &str, file_key: &str, user: &str, file: &Path) -> Result<(), Wrong> {
    if user.is_empty() == file.as_os_str().is_empty() {
        return Ok(());
    }
    let missing = if user.is_empty() { user_key } else { file_key };
    wrong(missing, format!("missing; allowed: both {user_key} and {file_key}, or neither"))
}
