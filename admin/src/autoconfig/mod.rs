//! What mail programs ask for to set themselves up: one table of services, and a document in each program's own form. Says which domains are served here,
//! as DNS does, and never which addresses.
mod apple;
mod dns;
mod outlook;
mod routes;
mod thunderbird;

pub(crate) use routes::router;

/// A protocol that members' programs speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    /// RFC 9051.
    Imap,
    /// RFC 1939.
    Pop3,
    /// RFC 6409.
    Submission,
}

/// One way in for members' programs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// What is spoken.
    pub protocol: Protocol,
    /// TLS from the first byte (RFC 8314); else STARTTLS or STLS.
    pub implicit_tls: bool,
    /// The port that programs shall use.
    pub port: u16,
}

impl Service {
    /// The service of a listener of the configuration; none for those that are not for members' programs.
    pub fn of_listener(name: &str, port: u16) -> Option<Service> {
        let (protocol, implicit_tls) = match name {
            "imaps" => (Protocol::Imap, true),
            "imap" => (Protocol::Imap, false),
            "pop3s" => (Protocol::Pop3, true),
            "pop3" => (Protocol::Pop3, false),
            "submissions" => (Protocol::Submission, true),
            "submission" => (Protocol::Submission, false),
            _ => return None,
        };
        Some(Service { protocol, implicit_tls, port })
    }

    /// The port that IANA gave to it.
    pub fn standard_port(&self) -> u16 {
        match (self.protocol, self.implicit_tls) {
            (Protocol::Imap, true) => 993,
            (Protocol::Imap, false) => 143,
            (Protocol::Pop3, true) => 995,
            (Protocol::Pop3, false) => 110,
            (Protocol::Submission, true) => 465,
            (Protocol::Submission, false) => 587,
        }
    }
}

/// All ways in, the ones to prefer first: IMAP before POP3, TLS from the first byte before STARTTLS (RFC 8314 section 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Services {
    host: String,
    list: Vec<Service>,
}

impl Services {
    /// Those of a host: a domain name that programs connect to and that its certificate names.
    pub fn new(host: String, mut list: Vec<Service>) -> Services {
        list.sort_by_key(|service| (service.protocol == Protocol::Pop3, !service.implicit_tls, service.port));
        list.dedup_by_key(|service| (service.protocol, service.implicit_tls));
        Services { host, list }
    }

    /// The name that programs connect to.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// Those by which mail is read, the best first.
    fn incoming(&self) -> impl Iterator<Item = &Service> {
        self.list.iter().filter(|service| service.protocol != Protocol::Submission)
    }

    /// Those by which mail is sent, the best first.
    fn outgoing(&self) -> impl Iterator<Item = &Service> {
        self.list.iter().filter(|service| service.protocol == Protocol::Submission)
    }

    /// The records by which mail and programs find this host, as lines of a zone file (RFC 1035 section 5).
    pub fn dns(&self, domain: &str) -> Vec<String> {
        dns::lines(self, domain)
    }
}

/// The domain of an address as programs send it.
fn domain_of(address: &str) -> Option<&str> {
    let (local, domain) = address.rsplit_once('@')?;
    (!local.is_empty() && !domain.is_empty()).then_some(domain)
}

/// Text between two tags.
fn escaped(text: &str) -> std::borrow::Cow<'_, str> {
    quick_xml::escape::escape(text)
}

#[cfg(test)]
mod tests;
