//! Opens a conversation with a host of a destination: names, addresses in their order, TLS where it can be had. Sends no message.
use super::client::{Client, Hello, NotOpen, Remote, open};
use super::office::Office;
use super::resolve::{Found, hosts_of_domain, hosts_of_relay};
use super::route::Destination;
use super::settings::{Login, Security};
use super::tlsrpt::Failed;
use super::trust::{Guard, Guards, NO_STARTTLS};
use crate::dsn::Reply;
use crate::limits;
use crate::runtime::{self, timeout};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};

/// Addresses of a host that are tried before other hosts have had their turn.
const FIRST_ADDRESSES: usize = 2;

/// Why no host of a destination takes messages now.
#[derive(Clone, Debug)]
pub(super) struct Unreachable {
    pub(super) reply: Reply,
    /// The host that said so, if one did.
    pub(super) remote: Option<Remote>,
}

/// Opens a conversation, or says why not: what may be otherwise later counts more than what may not. Addresses that were `tried` are left out,
/// and other hosts come before other addresses of theirs.
pub(super) async fn connect(
    office: &Office,
    destination: &Destination,
    tried: &[Remote],
) -> Result<Client, Unreachable> {
    let nowhere = |reply| Unreachable { reply, remote: None };
    let (sources, destination) = destination.parts();
    let (mut found, port, security, login) = look_up(office, destination).await.map_err(nowhere)?;
    found.retain(|host| tried.iter().all(|tried| tried.addr.ip() != host.ip));
    let mut worst: Option<Unreachable> = None;
    let mut guards = Guards::new(office, destination, security);
    for host in in_turn(found, tried).into_iter().take(limits::OUTBOUND_ADDRESSES_MAX) {
        let remote = Remote { name: host.name.clone(), addr: SocketAddr::new(host.ip, port) };
        let from = office.settings.source(sources, remote.addr.ip());
        let opened = match guards.of(&host, port).await {
            Ok(guard) => try_host(office, &remote, from, &guard, login).await,
            Err(reply) => Err(reply.into()),
        };
        match opened {
            Ok(client) => return Ok(client),
            Err(NotOpen { reply, .. }) => {
                tracing::debug!(relay = %remote, %reply, "a host takes no messages now");
                if worst.as_ref().is_none_or(|worst| !worst.reply.is_transient()) {
                    worst = Some(Unreachable { reply, remote: Some(remote) });
                }
            }
        }
    }
    Err(worst.unwrap_or_else(|| nowhere(Reply::own("4.4.4", "there is no host to try"))))
}

/// Hosts that were not tried come first, and of each at most two addresses before the rest of any: one with many that is down hides no other
/// (RFC 5321 section 5.1). Else in their order.
fn in_turn(found: Vec<Found>, tried: &[Remote]) -> Vec<Found> {
    let mut seen: HashMap<String, usize> = HashMap::new();
    let rank = |host: Found| {
        let before = seen.entry(host.name.clone()).or_default();
        *before += 1;
        ((tried.iter().any(|tried| tried.name == host.name), *before > FIRST_ADDRESSES), host)
    };
    let mut ranked: Vec<_> = found.into_iter().map(rank).collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    ranked.into_iter().map(|(_, host)| host).collect()
}

type Hosts<'a> = (Vec<Found>, u16, Security, Option<&'a Login>);

async fn look_up<'a>(office: &Office, destination: &'a Destination) -> Result<Hosts<'a>, Reply> {
    let (names, settings) = (&*office.names, &office.settings);
    let mut random = || office.random();
    let late = || Err(Reply::own("4.4.3", "the name servers took too long"));
    match destination {
        Destination::Domain(domain, _) => {
            let hosts = hosts_of_domain(names, domain, &office.hostname, settings.families, &mut random);
            let found = timeout(limits::OUTBOUND_RESOLVE_MAX, hosts).await.unwrap_or_else(late)?;
            Ok((found, settings.port, settings.security, None))
        }
        Destination::Relay(relay, _) => {
            let hosts = hosts_of_relay(names, &relay.host, settings.families, &mut random);
            let found = timeout(limits::OUTBOUND_RESOLVE_MAX, hosts).await.unwrap_or_else(late)?;
            Ok((found, relay.port, relay.security, relay.login.as_ref()))
        }
        Destination::Local | Destination::From(..) => Err(Reply::own("5.4.6", "the mail would come back to this host")),
    }
}

/// One address; once more in plain text when TLS is only a wish and fails.
async fn try_host(
    office: &Office,
    remote: &Remote,
    from: Option<IpAddr>,
    guard: &Guard,
    login: Option<&Login>,
) -> Result<Client, NotOpen> {
    match try_once(office, remote, from, guard, login).await {
        Err(NotOpen { reply, without_tls: true, .. }) => {
            tracing::info!(relay = %remote, %reply, "TLS failed and is not demanded: going on in plain text");
            let plain = Guard::configured(Security::Plain, &office.tls, &remote.name);
            try_once(office, remote, from, &plain, login).await
        }
        done => done,
    }
}

async fn try_once(
    office: &Office,
    remote: &Remote,
    from: Option<IpAddr>,
    guard: &Guard,
    login: Option<&Login>,
) -> Result<Client, NotOpen> {
    let stream = runtime::connect(remote.addr, from, limits::OUTBOUND_CONNECT_MAX).await;
    let stream = stream.map_err(|error| Reply::own("4.4.1", format!("connect to {remote}: {error}")))?;
    let hello = Hello { hostname: &office.hostname, guard, login };
    let ips = (stream.local().ip(), remote.addr.ip());
    let opened = open(stream, remote.clone(), &hello).await;
    note_tls(office, remote, guard, ips, &opened);
    opened
}

/// For reports about TLS: a session that came to nothing for another reason is not counted.
fn note_tls(office: &Office, remote: &Remote, guard: &Guard, ips: (IpAddr, IpAddr), opened: &Result<Client, NotOpen>) {
    let Some(published) = &guard.published else { return };
    let result = match opened {
        Ok(client) if client.tls.is_none() => Some(NO_STARTTLS),
        Ok(_) => guard.objection.get().copied(),
        Err(NotOpen { tls: None, .. }) => return,
        Err(NotOpen { tls, .. }) => *tls,
    };
    let failed = |result| Failed { result, ips: Some(ips), host: remote.name.clone() };
    office.note_tls(published, result.map_or(Ok(()), |result| Err(failed(result))));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(name: &str, last: u8) -> Found {
        Found { name: name.into(), ip: IpAddr::from([192, 0, 2, last]), tlsa_bases: [].into() }
    }

    #[test]
    fn a_host_with_many_addresses_hides_no_other() {
        let all: Vec<Found> = (1..=8).map(|last| found("mx1", last)).chain([found("mx2", 9)]).collect();
        let last = |host: &Found| if let IpAddr::V4(ip) = host.ip { ip.octets()[3] } else { 0 };
        let turns: Vec<u8> = in_turn(all.clone(), &[]).iter().map(last).collect();
        assert_eq!(turns, [1, 2, 9, 3, 4, 5, 6, 7, 8]);
        let tried = Remote { name: "mx1".into(), addr: SocketAddr::new(IpAddr::from([192, 0, 2, 1]), 25) };
        let turns: Vec<u8> = in_turn(all, &[tried]).iter().map(last).collect();
        assert_eq!(turns[0], 9);
    }
}
