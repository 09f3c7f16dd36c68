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
use std::net::{IpAddr, SocketAddr};

/// Why no host of a destination takes messages now.
#[derive(Clone, Debug)]
pub(super) struct Unreachable {
    pub(super) reply: Reply,
    /// The host that said so, if one did.
    pub(super) remote: Option<Remote>,
}

/// Opens a conversation, or says why not: what may be otherwise later counts more than what may not.
pub(super) async fn connect(office: &Office, destination: &Destination) -> Result<Client, Unreachable> {
    let nowhere = |reply| Unreachable { reply, remote: None };
    let (found, port, security, login) = look_up(office, destination).await.map_err(nowhere)?;
    let mut worst: Option<Unreachable> = None;
    let mut guards = Guards::new(office, destination, security);
    for host in found.into_iter().take(limits::OUTBOUND_ADDRESSES_MAX) {
        let remote = Remote { name: host.name.clone(), addr: SocketAddr::new(host.ip, port) };
        let opened = match guards.of(&host, port).await {
            Ok(guard) => try_host(office, &remote, &guard, login).await,
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
        Destination::Local => Err(Reply::own("5.4.6", "the mail would come back to this host")),
    }
}

/// One address; once more in plain text when TLS is only a wish and fails.
async fn try_host(office: &Office, remote: &Remote, guard: &Guard, login: Option<&Login>) -> Result<Client, NotOpen> {
    match try_once(office, remote, guard, login).await {
        Err(NotOpen { reply, without_tls: true, .. }) => {
            tracing::info!(relay = %remote, %reply, "TLS failed and is not demanded: going on in plain text");
            let plain = Guard::configured(Security::Plain, &office.tls, &remote.name);
            try_once(office, remote, &plain, login).await
        }
        done => done,
    }
}

async fn try_once(office: &Office, remote: &Remote, guard: &Guard, login: Option<&Login>) -> Result<Client, NotOpen> {
    let from = office.settings.source(remote.addr.ip());
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
