//! Which servers are asked, and whether their word for DNSSEC counts. Gives records as they are and follows nothing.
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::xfer::{DnsHandle, FirstAnswer, RetryDnsHandle};
use hickory_resolver::proto::op::{DnsRequestOptions, Query};
use hickory_resolver::proto::rr::{Name, Record, RecordType};
use hickory_resolver::{NameServerPool, PoolContext, Resolver, TlsConfig, TokioResolver, system_conf};
use std::net::SocketAddr;
use std::sync::Arc;

/// Whether DNSSEC counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dnssec {
    /// Nothing that is heard counts as proven.
    #[default]
    Ignored,
    /// What the servers have validated (the AD bit, RFC 4035 section 3.2.3) is proven: they, and the way to them, are trusted.
    ResolverValidates,
}

/// See above.
#[derive(Clone)]
pub(super) enum Servers {
    /// Answers are kept as long as their records allow.
    Ignorant(Box<TokioResolver>),
    /// Asks with the DO bit and keeps nothing: servers that validate keep their answers.
    Validating(RetryDnsHandle<NameServerPool<TokioRuntimeProvider>>, Box<ResolverOpts>),
}

impl Servers {
    /// For the tokio runtime that this is called in.
    pub(super) fn new(servers: &[SocketAddr], dnssec: Dnssec) -> Result<Servers, NetError> {
        if dnssec == Dnssec::Ignored {
            return build(servers).map(|resolver| Servers::Ignorant(Box::new(resolver)));
        }
        let (config, options) = configuration(servers)?;
        // An answer that crosses a network can be changed on its way, and the word that it is proven with it.
        for server in config.name_servers.iter().filter(|server| !server.ip.is_loopback()) {
            tracing::warn!(server = %server.ip, "DANE trusts the word of this name server, which is not on this machine");
        }
        let context = Arc::new(PoolContext::new(options.clone(), TlsConfig::new()?));
        let pool = NameServerPool::from_config(config.name_servers, context, TokioRuntimeProvider::default());
        Ok(Servers::Validating(RetryDnsHandle::new(pool, options.attempts), Box::new(options)))
    }

    /// The answer section, and whether it is proven as a whole.
    pub(super) async fn ask(&self, name: Name, kind: RecordType) -> Result<(Vec<Record>, bool), NetError> {
        match self {
            Servers::Ignorant(resolver) => Ok((resolver.lookup(name, kind).await?.answers().to_vec(), false)),
            Servers::Validating(servers, options) => {
                let mut how = DnsRequestOptions::default();
                how.edns_payload_len = options.edns_payload_len;
                how.case_randomization = options.case_randomization;
                how.use_edns = true;
                how.edns_set_dnssec_ok = true;
                let mut response = servers.lookup(Query::query(name, kind), how).first_answer().await?;
                let secure = response.metadata.authentic_data;
                Ok((std::mem::take(&mut response.answers), secure))
            }
        }
    }
}

/// As it can stand in a question; `None`: nowhere.
pub(super) fn whole(name: &str) -> Option<Name> {
    // With its final dot a name is whole: the system's search list is for people.
    let name = format!("{}.", name.trim_end_matches('.'));
    if name.is_ascii() { Name::from_ascii(name).ok() } else { Name::from_utf8(name).ok() }
}

/// A resolver for the tokio runtime that this is called in.
pub(crate) fn build(servers: &[SocketAddr]) -> Result<TokioResolver, NetError> {
    let (config, options) = configuration(servers)?;
    Resolver::builder_with_config(config, TokioRuntimeProvider::default()).with_options(options).build()
}

/// For these servers, or those of the system (`/etc/resolv.conf`) when there are none.
fn configuration(servers: &[SocketAddr]) -> Result<(ResolverConfig, ResolverOpts), NetError> {
    let (config, mut options) = if servers.is_empty() {
        system_conf::read_system_conf()?
    } else {
        let server = |addr: &SocketAddr| {
            let mut server = NameServerConfig::udp_and_tcp(addr.ip());
            server.connections.iter_mut().for_each(|connection: &mut ConnectionConfig| connection.port = addr.port());
            server
        };
        (ResolverConfig::from_parts(None, Vec::new(), servers.iter().map(server).collect()), ResolverOpts::default())
    };
    options.try_tcp_on_error = true;
    Ok((config, options))
}
