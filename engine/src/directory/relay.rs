//! How the mail of a tenant or a domain leaves: its smarthost, with bytes and words. The password is never among the words. Connects to nobody.
use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::base::bytes::{Put, Reader};
use crate::base::{Error, Result, limits};

use super::away::unquoted;
use super::codec::{self, Decoded};
use super::{Directory, Rule, Scope, normalise_domain};

/// What no error, list or log shows.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Secret(Box<str>);

impl Secret {
    /// For whom it is meant.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// How a connection to a smarthost is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum RelayTls {
    /// Not at all.
    None,
    /// STARTTLS where it is offered, with any certificate.
    Opportunistic,
    /// STARTTLS or nothing, with any certificate.
    Required,
    /// STARTTLS or nothing, with a certificate that proves the host's name.
    #[default]
    Verified,
    /// TLS from the first byte, with such a certificate.
    Implicit,
}

const TLS: [(RelayTls, &str); 5] = [
    (RelayTls::None, "none"),
    (RelayTls::Opportunistic, "opportunistic"),
    (RelayTls::Required, "required"),
    (RelayTls::Verified, "verified"),
    (RelayTls::Implicit, "implicit"),
];

/// A smarthost.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct RelayHost {
    /// Its name, whose addresses are looked up, or an address.
    pub host: Box<str>,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: RelayTls,
    /// Who logs in there; empty: nobody.
    pub user: Box<str>,
    /// With what.
    pub password: Secret,
}

const FORM: &str = "allowed: relay HOST:PORT [tls=none|opportunistic|required|verified|implicit] [user=NAME], and a password with a user \
    (posthouse rule add --password-stdin)";

impl RelayHost {
    /// Whether both are the same host: there it does not matter who logs in, and how.
    pub(super) fn is_at(&self, other: &RelayHost) -> bool {
        self.host == other.host && self.port == other.port
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.put_str(&self.host);
        out.put_varint(u64::from(self.port));
        out.put_u8(TLS.iter().position(|(tls, _)| *tls == self.tls).unwrap_or_default() as u8);
        out.put_str(&self.user);
        out.put_str(&self.password.0);
    }

    pub(super) fn get(reader: &mut Reader<'_>) -> Decoded<RelayHost> {
        let host = codec::get_box(reader)?;
        let Ok(port) = u16::try_from(reader.varint_u32()?) else {
            return reader.error("a port expected before this byte");
        };
        let Some((tls, _)) = TLS.get(usize::from(reader.u8()?)) else {
            return reader.error("a kind of TLS expected before this byte");
        };
        let (user, password) = (codec::get_box(reader)?, Secret(codec::get_box(reader)?));
        Ok(RelayHost { host, port, tls: *tls, user, password })
    }
}

/// `host:port`, with brackets round an IPv6 address.
fn place(text: &str) -> Option<(Box<str>, u16)> {
    let (host, port) = text.rsplit_once(':')?;
    let port = port.parse().ok().filter(|port| *port > 0)?;
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match bare.parse::<IpAddr>() {
        Ok(ip) => Some((ip.to_string().into(), port)),
        Err(_) => Some((normalise_domain(host).ok()?.into(), port)),
    }
}

fn parse(text: &str) -> Option<RelayHost> {
    let (at, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text.trim(), ""));
    let (host, port) = place(at)?;
    let mut relay = RelayHost { host, port, ..RelayHost::default() };
    let mut rest = rest.trim_start();
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=')?;
        let (word, behind) = match unquoted(value) {
            Some(found) => found,
            None => {
                let end = value.find(char::is_whitespace).unwrap_or(value.len());
                (value[..end].to_owned(), &value[end..])
            }
        };
        let is_bounded = word.len() <= limits::RULE_TEXT_BYTES_MAX && !word.chars().any(char::is_control);
        match key {
            "tls" => relay.tls = TLS.iter().find(|(_, name)| *name == word)?.0,
            "user" if is_bounded => relay.user = word.into(),
            "password" if is_bounded => relay.password = Secret(word.into()),
            _ => return None,
        }
        rest = behind.trim_start();
    }
    Some(relay)
}

impl FromStr for RelayHost {
    type Err = Error;

    /// Reads what `Display` writes, and a password besides, which no error repeats.
    fn from_str(text: &str) -> Result<RelayHost> {
        parse(text).ok_or_else(|| Error::Invalid(format!("rule relay: {FORM}")))
    }
}

impl fmt::Display for RelayHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tls = TLS.iter().find(|(tls, _)| *tls == self.tls).map_or("", |(_, name)| name);
        match self.host.contains(':') {
            true => write!(f, "[{}]:{} tls={tls}", self.host, self.port)?,
            false => write!(f, "{}:{} tls={tls}", self.host, self.port)?,
        }
        if self.user.is_empty() {
            return Ok(());
        }
        f.write_str(" user=")?;
        super::away::quoted(f, &self.user)
    }
}

/// What the rules say of mail on behalf of a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WayOut {
    /// The smarthost.
    pub relay: Option<RelayHost>,
    /// Our address over IPv4.
    pub source_ipv4: Option<Ipv4Addr>,
    /// Our address over IPv6.
    pub source_ipv6: Option<Ipv6Addr>,
}

impl Directory {
    /// How mail on behalf of a domain of ours leaves: what is said of the domain counts before what is said of its tenant.
    pub fn way_out(&self, domain: &str) -> WayOut {
        let mut way = WayOut::default();
        let Some(domain) = self.domain(domain) else { return way };
        for scope in [Scope::Domain(domain.name.to_string().into()), Scope::Tenant(domain.tenant)] {
            // They are the last of a scope's rules, of which there may be thousands.
            for rule in self.rules(&scope).iter().rev() {
                match rule {
                    Rule::Relay(relay) => way.relay = way.relay.take().or_else(|| Some((**relay).clone())),
                    Rule::Source(IpAddr::V4(ip)) => way.source_ipv4 = way.source_ipv4.or(Some(*ip)),
                    Rule::Source(IpAddr::V6(ip)) => way.source_ipv6 = way.source_ipv6.or(Some(*ip)),
                    _ => break,
                }
            }
        }
        way
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_without_the_password_and_wrong_ones_are_told_without_it() {
        for (text, shown) in [
            ("smtp.acme.example:587", "smtp.acme.example:587 tls=verified"),
            ("[2001:db8::1]:25 tls=none", "[2001:db8::1]:25 tls=none"),
            (
                "192.0.2.1:465 tls=implicit user=acme password=\"s3 \\\"cret\"",
                "192.0.2.1:465 tls=implicit user=\"acme\"",
            ),
            (
                "B\u{fc}cher.example:25 user=\"a b\" password=s3cret",
                "xn--bcher-kva.example:25 tls=verified user=\"a b\"",
            ),
        ] {
            let relay: RelayHost = text.parse().expect(text);
            assert_eq!(relay.to_string(), shown);
            assert!(!format!("{relay:?}").contains("s3"), "{relay:?}");
            let again: RelayHost = shown.parse().expect(shown);
            assert!(again.is_at(&relay) && again.password == Secret::default());
            let mut bytes = Vec::new();
            relay.put(&mut bytes);
            assert_eq!(RelayHost::get(&mut Reader::new(&bytes)).expect("decoded"), relay);
        }
        for bad in [
            "",
            "smtp.acme.example",
            "x:0",
            "x:70000",
            "a b:25",
            "x.test:25 tls=yes",
            "x.test:25 s3cret",
            "x.test:25 key=s3cret",
        ] {
            let error = bad.parse::<RelayHost>().expect_err(bad).to_string();
            assert!(error.contains("allowed: relay HOST:PORT") && !error.contains("s3cret"), "{error}");
        }
    }
}
