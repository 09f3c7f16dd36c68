//! Answers of name servers, behind a trait so that tests have their own. `hosts` makes a domain's hosts of them.
mod fixed;
mod hosts;
mod names;

pub use fixed::FixedNames;
pub(super) use hosts::{Found, hosts_of_domain, hosts_of_relay};
pub use names::NameServers;
pub(crate) use names::build as resolver;

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
    /// The mail hosts of a domain, in any order. A CNAME is followed.
    fn mx(&self, domain: &str) -> Answer<Vec<Mx>>;

    /// The addresses of a host of both families. A CNAME is followed.
    fn addresses(&self, host: &str) -> Answer<Vec<IpAddr>>;

    /// The IPv4 addresses only: what lists of hosts answer with (RFC 5782 section 2.1).
    fn ipv4(&self, host: &str) -> Answer<Vec<Ipv4Addr>> {
        let all = self.addresses(host);
        Box::pin(async move {
            let four = |ip: IpAddr| if let IpAddr::V4(ip) = ip { Some(ip) } else { None };
            Ok(all.await?.into_iter().filter_map(four).collect())
        })
    }
}
