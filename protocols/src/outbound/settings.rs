//! What an operator decides about mail to other hosts. Read once at the start; holds no state.
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

/// How a connection is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Security {
    /// Not at all.
    Plain,
    /// STARTTLS where it is offered, with any certificate; plain text where it fails.
    Opportunistic,
    /// STARTTLS or nothing, with any certificate.
    Required,
    /// STARTTLS or nothing, with a certificate that a known authority has signed for the host.
    Verified,
    /// TLS from the first byte (RFC 8314), with such a certificate.
    Implicit,
}

/// Name and password at a relay.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Login {
    /// Who.
    pub user: String,
    /// The secret.
    pub password: String,
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Login({})", self.user)
    }
}

/// A host that takes mail for others.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Relay {
    /// Its name, whose addresses are looked up, or an address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: Security,
    /// How we log in there, if we do.
    pub login: Option<Login>,
}

/// Where the mail of some domains goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// A domain, or with a leading dot all below it.
    pub domain: String,
    /// The relay; `None` is where the domain's MX records lead.
    pub relay: Option<Arc<Relay>>,
}

/// Which addresses of a host are tried, and which first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Families {
    /// IPv4, then IPv6.
    #[default]
    Ipv4First,
    /// IPv6, then IPv4.
    Ipv6First,
    /// IPv4 only.
    Ipv4,
    /// IPv6 only.
    Ipv6,
}

/// Our addresses for connections, if the kernel is not to choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Sources {
    pub(super) ipv4: Option<Ipv4Addr>,
    pub(super) ipv6: Option<Ipv6Addr>,
}

/// Everything.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Port of hosts that are found by MX records: 25, but for tests.
    pub port: u16,
    /// For hosts that are found by MX records.
    pub security: Security,
    /// Hosts with TLSA records must match them (RFC 7672); the resolver must be one that tells what DNSSEC has proven.
    pub dane: bool,
    /// Where all mail goes that no route names; `None` is where MX records lead.
    pub relay: Option<Arc<Relay>>,
    /// The first that fits counts.
    pub routes: Vec<Route>,
    /// Addresses of a host.
    pub families: Families,
    /// Our address for connections over IPv4, if the kernel is not to choose.
    pub source_ipv4: Option<Ipv4Addr>,
    /// The same over IPv6.
    pub source_ipv6: Option<Ipv6Addr>,
    /// Connections at a time; 0: what is for other hosts waits, and only what is for mailboxes here is delivered.
    pub sessions_max: usize,
    /// Connections at a time to one destination.
    pub sessions_per_destination_max: usize,
    /// Seconds after the first attempt before the second; doubles with each.
    pub retry_first_seconds: u32,
    /// Seconds between attempts at most.
    pub retry_max_seconds: u32,
    /// Seconds after which a message is given up.
    pub lifetime_seconds: u32,
    /// Seconds after which its sender is told of the delay; 0: never.
    pub delay_warning_seconds: u32,
    /// Bytes of messages being sent at a time.
    pub message_bytes_max: u64,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            port: 25,
            security: Security::Opportunistic,
            dane: false,
            relay: None,
            routes: Vec::new(),
            families: Families::default(),
            source_ipv4: None,
            source_ipv6: None,
            sessions_max: 100,
            sessions_per_destination_max: 20,
            retry_first_seconds: 300,
            retry_max_seconds: 4000,
            lifetime_seconds: 432_000,
            delay_warning_seconds: 14_400,
            message_bytes_max: 256 << 20,
        }
    }
}

impl Settings {
    /// Seconds between attempts at most, one at least.
    pub(super) fn wait_max(&self) -> i64 {
        i64::from(self.retry_max_seconds.max(1))
    }

    /// Our address for a connection to `to` on behalf of somebody who has these.
    pub(super) fn source(&self, own: Sources, to: IpAddr) -> Option<IpAddr> {
        match to {
            IpAddr::V4(_) => own.ipv4.or(self.source_ipv4).map(IpAddr::from),
            IpAddr::V6(_) => own.ipv6.or(self.source_ipv6).map(IpAddr::from),
        }
    }
}
