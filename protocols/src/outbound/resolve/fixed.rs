//! Names with fixed answers, for tests and where nobody asks. Every other name does not exist.
use super::{Answer, Mx, NoAnswer, Resolve};
use std::collections::HashMap;
use std::net::IpAddr;

/// See above.
#[derive(Clone, Debug, Default)]
pub struct FixedNames {
    mx: HashMap<String, Result<Vec<Mx>, NoAnswer>>,
    addresses: HashMap<String, Result<Vec<IpAddr>, NoAnswer>>,
}

impl FixedNames {
    /// What MX says of a domain.
    #[must_use]
    pub fn mx(mut self, domain: &str, hosts: &[(u16, &str)]) -> FixedNames {
        let host = |(preference, host): &(u16, &str)| Mx { preference: *preference, host: (*host).to_owned() };
        self.mx.insert(domain.to_owned(), Ok(hosts.iter().map(host).collect()));
        self
    }

    /// Why MX says nothing of a domain.
    #[must_use]
    pub fn no_mx(mut self, domain: &str, why: NoAnswer) -> FixedNames {
        self.mx.insert(domain.to_owned(), Err(why));
        self
    }

    /// The addresses of a host; none: the name exists and has no such record.
    ///
    /// # Panics
    /// When one is no address.
    #[must_use]
    pub fn host(mut self, host: &str, addresses: &[&str]) -> FixedNames {
        let all: Vec<IpAddr> = addresses.iter().map(|address| address.parse().expect("an address")).collect();
        let answer = if all.is_empty() { Err(NoAnswer::NoRecord) } else { Ok(all) };
        self.addresses.insert(host.to_owned(), answer);
        self
    }

    /// Why nobody knows a host.
    #[must_use]
    pub fn no_host(mut self, host: &str, why: NoAnswer) -> FixedNames {
        self.addresses.insert(host.to_owned(), Err(why));
        self
    }
}

impl Resolve for FixedNames {
    fn mx(&self, domain: &str) -> Answer<Vec<Mx>> {
        let exists = self.addresses.contains_key(domain);
        let unknown = || Err(if exists { NoAnswer::NoRecord } else { NoAnswer::NoName });
        let answer = self.mx.get(domain).cloned().unwrap_or_else(unknown);
        Box::pin(std::future::ready(answer))
    }

    fn addresses(&self, host: &str) -> Answer<Vec<IpAddr>> {
        let answer = self.addresses.get(host).cloned().unwrap_or(Err(NoAnswer::NoName));
        Box::pin(std::future::ready(answer))
    }
}
