//! Answers of name servers, behind a trait so that tests have their own. `hosts` makes a domain's hosts of them.
mod fixed;
mod hosts;
mod names;
mod servers;

pub use fixed::FixedNames;
pub(super) use hosts::{Found, hosts_of_domain, hosts_of_relay};
pub use names::NameServers;
pub use servers::Dnssec;
pub(crate) use servers::build as resolver;

use std::fmt;
use std::future::Future;
use std::net::{IpAddr, Ipv4Addr};
use std::pin::Pin;

/// A mail host of a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mx {
    /// Lower ones come first.
    pub preference: u16,
    /// Its name, without a final dot; empty says that the domain takes no mail (RFC 7505).
    pub host: String,
}

/// The mail hosts of a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MailHosts {
    /// In any order.
    pub hosts: Vec<Mx>,
    /// DNSSEC has proven the answer, and the CNAME records that led to it.
    pub secure: bool,
}

/// The addresses of a host.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses {
    /// Of both families.
    pub all: Vec<IpAddr>,
    /// The names under which TLSA records of the host may stand, the one to be asked for first first (RFC 7672 section 2.2.2); none when DNSSEC
    /// has not proven the host's name.
    pub tlsa_bases: Vec<String>,
}

/// A TLSA record (RFC 6698 section 2.1), its numbers as they stand there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    /// Which certificate of a chain is meant, and what else must hold.
    pub usage: u8,
    /// Which part of it.
    pub selector: u8,
    /// How `data` shows that part.
    pub matching: u8,
    /// The part, or its hash.
    pub data: Vec<u8>,
}

impl fmt::Display for Tlsa {
    /// As in a zone file.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} ", self.usage, self.selector, self.matching)?;
        self.data.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoAnswer {
    /// The name does not exist (NXDOMAIN).
    NoName,
    /// The name exists and has no such record.
    NoRecord,
    /// Nobody could say (SERVFAIL, time-out): it may be otherwise later.
    Failed(String),
}

impl fmt::Display for NoAnswer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NoAnswer::NoName => f.write_str("the name does not exist"),
            NoAnswer::NoRecord => f.write_str("the name has no such record"),
            NoAnswer::Failed(why) => write!(f, "the name servers gave no answer: {why}"),
        }
    }
}

/// An answer on its way.
pub type Answer<T> = Pin<Box<dyn Future<Output = Result<T, NoAnswer>> + Send>>;

/// Who answers.
pub trait Resolve: Send + Sync + 'static {
    /// The mail hosts of a domain. A CNAME is followed.
    fn mx(&self, domain: &str) -> Answer<MailHosts>;

    /// The addresses of a host. A CNAME is followed.
    fn addresses(&self, host: &str) -> Answer<Addresses>;

    /// The TLSA records of a name such as `_25._tcp.mx.example.org`; those that DNSSEC has not proven are none (RFC 7672 section 2.2.3).
    fn tlsa(&self, name: &str) -> Answer<Vec<Tlsa>>;

    /// The TXT records of a name, each as one text. A CNAME is followed.
    fn txt(&self, name: &str) -> Answer<Vec<String>>;

    /// The IPv4 addresses only: what lists of hosts answer with (RFC 5782 section 2.1).
    fn ipv4(&self, host: &str) -> Answer<Vec<Ipv4Addr>> {
        let all = self.addresses(host);
        Box::pin(async move {
            let four = |ip: IpAddr| if let IpAddr::V4(ip) = ip { Some(ip) } else { None };
            Ok(all.await?.all.into_iter().filter_map(four).collect())
        })
    }
}
