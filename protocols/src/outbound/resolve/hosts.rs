//! From a domain or a relay to the addresses that are tried, in their order (RFC 5321 section 5.1). Connects to nobody.
use super::{Addresses, MailHosts, Mx, NoAnswer, Resolve};
use crate::dsn::Reply;
use crate::limits;
use crate::outbound::settings::Families;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

/// An address of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::outbound) struct Found {
    /// The host's name, or its address.
    pub(in crate::outbound) name: String,
    pub(in crate::outbound) ip: IpAddr,
    /// The names under which its TLSA records may stand; none when DNSSEC has not proven the way to it.
    pub(in crate::outbound) tlsa_bases: Arc<[String]>,
}

impl Found {
    /// An address that no name led to.
    fn literal(name: &str, ip: IpAddr) -> Found {
        Found { name: name.to_owned(), ip, tlsa_bases: Arc::default() }
    }
}

/// Where the mail of a domain goes. `own_name` is ours: hosts that are not better than ourselves are left out. `random` mixes equals.
pub(in crate::outbound) async fn hosts_of_domain(
    names: &dyn Resolve,
    domain: &str,
    own_name: &str,
    families: Families,
    random: &mut dyn FnMut() -> u64,
) -> Result<Vec<Found>, Reply> {
    if let Some(ip) = literal(domain) {
        return Ok(vec![Found::literal(domain, ip)]);
    }
    let MailHosts { mut hosts, secure } = match names.mx(domain).await {
        Ok(found) => found,
        // RFC 5321 section 5.1: without MX records the domain is its own host, and its address is what must be proven (RFC 7672 section 2.2.2).
        Err(NoAnswer::NoRecord) => {
            MailHosts { hosts: vec![Mx { preference: 0, host: domain.to_owned() }], secure: true }
        }
        Err(NoAnswer::NoName) => return Err(Reply::own("5.1.2", format!("the domain {domain} does not exist"))),
        Err(why) => return Err(Reply::own("4.4.3", format!("MX of {domain}: {why}"))),
    };
    if hosts.iter().all(|mx| mx.host.is_empty()) {
        // RFC 7505 section 4.
        return Err(Reply::own("5.1.10", format!("the domain {domain} takes no mail (null MX)")));
    }
    hosts.retain(|mx| !mx.host.is_empty());
    if let Some(ours) = hosts.iter().filter(|mx| mx.host.eq_ignore_ascii_case(own_name)).map(|mx| mx.preference).min() {
        hosts.retain(|mx| mx.preference < ours);
        if hosts.is_empty() {
            return Err(Reply::own("5.4.6", format!("the mail of {domain} would come back: its best MX is this host")));
        }
    }
    let mut keyed: Vec<(u16, u64, String)> = hosts.into_iter().map(|mx| (mx.preference, random(), mx.host)).collect();
    keyed.sort();
    keyed.truncate(limits::OUTBOUND_HOSTS_MAX);
    let ordered: Vec<String> = keyed.into_iter().map(|(_, _, host)| host).collect();
    let mut found = addresses(names, &ordered, domain, families, random).await?;
    if !secure {
        // Whoever has forged the MX records has hosts of his own, with TLSA records that fit.
        found.iter_mut().for_each(|one| one.tlsa_bases = Arc::default());
    }
    Ok(found)
}

/// The addresses of a relay, without a look at MX.
pub(in crate::outbound) async fn hosts_of_relay(
    names: &dyn Resolve,
    host: &str,
    families: Families,
    random: &mut dyn FnMut() -> u64,
) -> Result<Vec<Found>, Reply> {
    if let Some(ip) = host.parse().ok().or_else(|| literal(host)) {
        return Ok(vec![Found::literal(host, ip)]);
    }
    let found = addresses(names, &[host.to_owned()], host, families, random).await;
    // A relay is the operator's own: when its name is gone for a moment no mail is lost.
    found.map_err(|reply| Reply::own("4.4.3", format!("the relay {host}: {}", reply.text)))
}

async fn addresses(
    names: &dyn Resolve,
    hosts: &[String],
    domain: &str,
    families: Families,
    random: &mut dyn FnMut() -> u64,
) -> Result<Vec<Found>, Reply> {
    let mut found = Vec::new();
    let mut failed = None;
    for host in hosts {
        match names.addresses(host).await {
            Ok(Addresses { all, tlsa_bases }) => {
                let tlsa_bases: Arc<[String]> = tlsa_bases.into();
                let mut all: Vec<(u8, u64, IpAddr)> =
                    all.into_iter().filter_map(|ip| Some((rank(families, ip)?, random(), ip))).collect();
                all.sort();
                let one = |(_, _, ip)| Found { name: host.clone(), ip, tlsa_bases: tlsa_bases.clone() };
                found.extend(all.into_iter().map(one));
            }
            Err(NoAnswer::Failed(why)) => failed = failed.or(Some((host, why))),
            Err(_) => {}
        }
    }
    if !found.is_empty() {
        return Ok(found);
    }
    Err(match failed {
        Some((host, why)) => Reply::own("4.4.3", format!("address of {host}: {}", NoAnswer::Failed(why))),
        None => Reply::own("5.4.4", format!("no host of {domain} has an address that can be reached")),
    })
}

/// Which come first; `None` for those that are not tried at all.
fn rank(families: Families, ip: IpAddr) -> Option<u8> {
    match (families, ip) {
        (Families::Ipv4 | Families::Ipv4First, IpAddr::V4(_))
        | (Families::Ipv6 | Families::Ipv6First, IpAddr::V6(_)) => Some(0),
        (Families::Ipv4First, IpAddr::V6(_)) | (Families::Ipv6First, IpAddr::V4(_)) => Some(1),
        _ => None,
    }
}

/// `[192.0.2.1]` or `[IPv6:2001:db8::1]` (RFC 5321 section 4.1.3).
fn literal(domain: &str) -> Option<IpAddr> {
    let inner = domain.strip_prefix('[')?.strip_suffix(']')?;
    match inner.get(..5).filter(|tag| tag.eq_ignore_ascii_case("ipv6:")) {
        Some(_) => inner[5..].parse::<Ipv6Addr>().ok().map(IpAddr::from),
        None => inner.parse().ok(),
    }
}
