//! Names with fixed answers, for tests. Every other name does not exist.
use super::{Addresses, Answer, MailHosts, Mx, NoAnswer, Resolve, Tlsa};
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

/// See above.
#[derive(Clone, Debug, Default)]
pub struct FixedNames {
    mx: HashMap<String, Result<Vec<Mx>, NoAnswer>>,
    addresses: HashMap<String, Result<Vec<IpAddr>, NoAnswer>>,
    /// Where the name of a host leads.
    aliases: HashMap<String, String>,
    /// Domains and hosts that DNSSEC proves.
    secure: HashSet<String>,
    tlsa: HashMap<String, Result<Vec<Tlsa>, NoAnswer>>,
    txt: HashMap<String, Result<Vec<String>, NoAnswer>>,
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

    /// DNSSEC proves what is said of these domains and hosts.
    #[must_use]
    pub fn secure(mut self, names: &[&str]) -> FixedNames {
        self.secure.extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    /// A host's name that is another's.
    #[must_use]
    pub fn alias(mut self, name: &str, host: &str) -> FixedNames {
        self.aliases.insert(name.to_owned(), host.to_owned());
        self
    }

    /// A TLSA record of a name, beside those that it has.
    #[must_use]
    pub fn tlsa(mut self, name: &str, tlsa: Tlsa) -> FixedNames {
        let answer = self.tlsa.entry(name.to_owned()).or_insert_with(|| Ok(Vec::new()));
        if let Ok(all) = answer {
            all.push(tlsa);
        }
        self
    }

    /// Why there is no TLSA record of a name.
    #[must_use]
    pub fn no_tlsa(mut self, name: &str, why: NoAnswer) -> FixedNames {
        self.tlsa.insert(name.to_owned(), Err(why));
        self
    }

    /// The TXT records of a name.
    #[must_use]
    pub fn txt(mut self, name: &str, all: &[&str]) -> FixedNames {
        self.txt.insert(name.to_owned(), Ok(all.iter().map(|text| (*text).to_owned()).collect()));
        self
    }
}

impl Resolve for FixedNames {
    fn mx(&self, domain: &str) -> Answer<MailHosts> {
        let exists = self.addresses.contains_key(domain);
        let unknown = || Err(if exists { NoAnswer::NoRecord } else { NoAnswer::NoName });
        let answer = self.mx.get(domain).cloned().unwrap_or_else(unknown);
        let secure = self.secure.contains(domain);
        Box::pin(std::future::ready(answer.map(|hosts| MailHosts { hosts, secure })))
    }

    fn addresses(&self, host: &str) -> Answer<Addresses> {
        let end = self.aliases.get(host).map_or(host, String::as_str);
        let is_secure = |name: &&str| self.secure.contains(*name);
        let tlsa_bases = match end == host {
            true => [host].iter().filter(|name| is_secure(name)).map(ToString::to_string).collect(),
            false if !is_secure(&host) => Vec::new(),
            false => [end, host].iter().filter(|name| is_secure(name)).map(ToString::to_string).collect(),
        };
        let answer = self.addresses.get(end).cloned().unwrap_or(Err(NoAnswer::NoName));
        Box::pin(std::future::ready(answer.map(|all| Addresses { all, tlsa_bases })))
    }

    fn tlsa(&self, name: &str) -> Answer<Vec<Tlsa>> {
        Box::pin(std::future::ready(self.tlsa.get(name).cloned().unwrap_or(Err(NoAnswer::NoName))))
    }

    fn txt(&self, name: &str) -> Answer<Vec<String>> {
        Box::pin(std::future::ready(self.txt.get(name).cloned().unwrap_or(Err(NoAnswer::NoName))))
    }
}
