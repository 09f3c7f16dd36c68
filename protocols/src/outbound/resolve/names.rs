//! Asks real name servers, by hickory-resolver on a thread of its own, since that wants tokio and our reactors may run on io_uring. Answers
//! are kept as long as their records allow.
use super::{Answer, Mx, NoAnswer, Resolve};
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, RecordType};
use hickory_resolver::{Resolver, TokioResolver};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use tokio::sync::{mpsc, oneshot};

/// The name servers.
pub struct NameServers(mpsc::UnboundedSender<Question>);

enum Question {
    Mx(String, oneshot::Sender<Result<Vec<Mx>, NoAnswer>>),
    Addresses(String, oneshot::Sender<Result<Vec<IpAddr>, NoAnswer>>),
    Ipv4(String, oneshot::Sender<Result<Vec<Ipv4Addr>, NoAnswer>>),
}

impl NameServers {
    /// Asks `servers`, or those of the system (`/etc/resolv.conf`) when there are none. The thread ends with the last handle.
    ///
    /// # Errors
    /// The system's configuration cannot be read, or the thread cannot start.
    pub fn start(servers: &[SocketAddr]) -> io::Result<NameServers> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let resolver = {
            let _inside = runtime.enter();
            build(servers).map_err(|error| io::Error::other(format!("name servers: {error}")))?
        };
        let (questions, asked) = mpsc::unbounded_channel();
        std::thread::Builder::new().name("names".into()).spawn(move || runtime.block_on(serve(resolver, asked)))?;
        Ok(NameServers(questions))
    }

    fn ask<T: Send + 'static>(&self, make: impl FnOnce(oneshot::Sender<Result<T, NoAnswer>>) -> Question) -> Answer<T> {
        let (reply, answer) = oneshot::channel();
        let sent = self.0.send(make(reply)).is_ok();
        Box::pin(async move {
            let ended = || Err(NoAnswer::Failed("the resolver has ended".into()));
            if sent { answer.await.unwrap_or_else(|_| ended()) } else { ended() }
        })
    }
}

impl Resolve for NameServers {
    fn mx(&self, domain: &str) -> Answer<Vec<Mx>> {
        self.ask(|reply| Question::Mx(domain.to_owned(), reply))
    }

    fn addresses(&self, host: &str) -> Answer<Vec<IpAddr>> {
        self.ask(|reply| Question::Addresses(host.to_owned(), reply))
    }

    fn ipv4(&self, host: &str) -> Answer<Vec<Ipv4Addr>> {
        self.ask(|reply| Question::Ipv4(host.to_owned(), reply))
    }
}

/// A resolver for the tokio runtime that this is called in.
pub(crate) fn build(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let mut builder = if servers.is_empty() {
        Resolver::builder_tokio()?
    } else {
        let server = |addr: &SocketAddr| {
            let mut server = NameServerConfig::udp_and_tcp(addr.ip());
            server.connections.iter_mut().for_each(|connection: &mut ConnectionConfig| connection.port = addr.port());
            server
        };
        let config = ResolverConfig::from_parts(None, Vec::new(), servers.iter().map(server).collect());
        Resolver::builder_with_config(config, TokioRuntimeProvider::default())
    };
    let options: &mut ResolverOpts = builder.options_mut();
    options.try_tcp_on_error = true;
    builder.build()
}

async fn serve(resolver: TokioResolver, mut asked: mpsc::UnboundedReceiver<Question>) {
    while let Some(question) = asked.recv().await {
        let resolver = resolver.clone();
        tokio::spawn(async move {
            // Who asked may have gone meanwhile.
            match question {
                Question::Mx(domain, reply) => drop(reply.send(mx(&resolver, &domain).await)),
                Question::Addresses(host, reply) => drop(reply.send(addresses(&resolver, &host).await)),
                Question::Ipv4(host, reply) => drop(reply.send(ipv4(&resolver, &host).await)),
            }
        });
    }
}

async fn mx(resolver: &TokioResolver, domain: &str) -> Result<Vec<Mx>, NoAnswer> {
    let hosts: Vec<Mx> = records(resolver, domain, RecordType::MX, |data| match data {
        RData::MX(mx) => {
            let host = mx.exchange.to_ascii().to_ascii_lowercase();
            Some(Mx { preference: mx.preference, host: host.trim_end_matches('.').to_owned() })
        }
        _ => None,
    })
    .await?;
    if hosts.is_empty() { Err(NoAnswer::NoRecord) } else { Ok(hosts) }
}

async fn ipv4(resolver: &TokioResolver, host: &str) -> Result<Vec<Ipv4Addr>, NoAnswer> {
    let read = |data: &RData| if let RData::A(a) = data { Some(a.0) } else { None };
    records(resolver, host, RecordType::A, read).await
}

/// Both families; one that fails does not hide what the other has.
async fn addresses(resolver: &TokioResolver, host: &str) -> Result<Vec<IpAddr>, NoAnswer> {
    let (v4, v6) = tokio::join!(
        ipv4(resolver, host),
        records(resolver, host, RecordType::AAAA, |data| match data {
            RData::AAAA(aaaa) => Some(IpAddr::from(aaaa.0)),
            _ => None,
        }),
    );
    let mut found = Vec::new();
    let mut worst = None;
    for answer in [v4.map(|all| all.into_iter().map(IpAddr::from).collect()), v6] {
        match answer {
            Ok(some) => found.extend(some),
            Err(why @ NoAnswer::Failed(_)) => worst = Some(why),
            Err(why) => worst = worst.or(Some(why)),
        }
    }
    if found.is_empty() { Err(worst.unwrap_or(NoAnswer::NoRecord)) } else { Ok(found) }
}

async fn records<T>(
    resolver: &TokioResolver,
    name: &str,
    kind: RecordType,
    read: impl Fn(&RData) -> Option<T>,
) -> Result<Vec<T>, NoAnswer> {
    // With its final dot a name is whole: the system's search list is for people.
    match resolver.lookup(format!("{}.", name.trim_end_matches('.')), kind).await {
        Ok(lookup) => Ok(lookup.answers().iter().filter_map(|record| read(&record.data)).collect()),
        Err(error) => Err(no_answer(&error)),
    }
}

fn no_answer(error: &NetError) -> NoAnswer {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => match none.response_code {
            ResponseCode::NXDomain => NoAnswer::NoName,
            ResponseCode::NoError => NoAnswer::NoRecord,
            code => NoAnswer::Failed(code.to_string()),
        },
        // A name that no server can be asked for does not exist.
        NetError::Proto(error) => match error.to_string() {
            what if what.contains("label") || what.contains("name") => NoAnswer::NoName,
            what => NoAnswer::Failed(what),
        },
        error => NoAnswer::Failed(error.to_string()),
    }
}
