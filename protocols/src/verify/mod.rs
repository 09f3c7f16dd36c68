//! Who has sent a message: SPF, DKIM, DMARC and ARC of mail that comes in; signatures and seals of mail that goes out. All name servers are asked
//! here, on threads of its own, before anything is judged; what is left of it are facts (`mailflow` judges them) and header fields. Refuses nothing.
//!
//! `desk` owns the threads, `check` asks and finds, `names` asks name servers about keys and policies, `spf` goes through records of SPF, `dnsbl` asks lists about hosts, `rspamd` asks a content filter, `milter/` shows mail to milters, `sign` signs and seals, `seen` says what a DMARC report tells, `forged` finds results that somebody else wrote in our name.
mod check;
mod desk;
pub mod dnsbl;
mod forged;
pub mod milter;
mod names;
pub mod rspamd;
mod seen;
mod sign;
mod spf;
#[cfg(test)]
pub(crate) mod tests;

pub(crate) use forged::{without_fields, without_forged};
pub(crate) use seen::{Seen, published_record};

use crate::runtime::elsewhere;
use desk::{Desk, Job};
use posthouse_engine::directory::SigningKey;
use posthouse_engine::mailflow::Facts;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::sync::oneshot;

/// What an operator decides about it.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who answers for names; none: those of the system.
    pub servers: Vec<SocketAddr>,
    /// Our name in Authentication-Results (authserv-id, RFC 8601 section 2.5).
    pub hostname: String,
    /// Whether senders are checked at all; signing needs no name server.
    pub checks: bool,
    /// Whether hosts on loopback addresses are checked too.
    pub checks_loopback: bool,
    /// Whether DMARC's policies are obeyed.
    pub obeys_dmarc: bool,
    /// Whether what DMARC finds is kept for reports.
    pub keeps_dmarc: bool,
    /// How long name servers are waited for: once for all that a message names, and once more for what its author's domain is asked then.
    pub timeout: Duration,
    /// Threads that check; as many sign.
    pub threads: usize,
}

/// Checks senders and signs.
pub struct Verifier {
    settings: Settings,
    desk: Desk,
}

/// What SMTP knows of the sender.
#[derive(Clone, Debug)]
pub(crate) struct Envelope {
    pub(crate) ip: IpAddr,
    pub(crate) helo: String,
    /// Empty for `<>`.
    pub(crate) sender: String,
}

/// An ARC set for mail that goes on to other hosts.
#[derive(Clone, Debug)]
pub(crate) struct Seal {
    pub(crate) key: SigningKey,
    /// What goes on, where that is no longer what came: milters have changed it.
    pub(crate) over: Option<Vec<u8>>,
}

/// What was found out, and the message that goes on.
#[derive(Debug)]
pub(crate) struct Checked {
    pub(crate) message: Vec<u8>,
    pub(crate) facts: Facts,
    /// Authentication-Results, and above it an ARC set when the message was sealed.
    pub(crate) fields: Vec<u8>,
    /// For the report that the domain of From wants, if reports are sent.
    pub(crate) seen: Option<Box<Seen>>,
    /// The author's domain asks to refuse or suspect what is forged, and what could prove that it is not is without an answer.
    pub(crate) is_open: bool,
}

/// A message with its signatures.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) top: Vec<u8>,
    pub(crate) message: Vec<u8>,
    /// A DKIM-Signature for each key.
    pub(crate) fields: Vec<u8>,
}

impl Verifier {
    /// Starts the threads; they end with the last handle.
    ///
    /// # Errors
    /// The system's configuration of name servers cannot be read, or a thread cannot start.
    pub fn start(settings: Settings) -> io::Result<Verifier> {
        let desk = Desk::start(&settings)?;
        Ok(Verifier { settings, desk })
    }

    pub(crate) fn obeys_dmarc(&self) -> bool {
        self.settings.obeys_dmarc
    }

    /// Whether a host at that address is checked. SPF says nothing of hosts that are this machine.
    pub(crate) fn wants(&self, ip: IpAddr) -> bool {
        self.settings.checks && (self.settings.checks_loopback || !ip.to_canonical().is_loopback())
    }

    /// Asks for everything within the time-out; what is not answered by then is a temporary error. With `seal` the message gets an ARC set, for
    /// it goes on to other hosts: results of what came, and a signature of what goes on (RFC 8617 section 5.1). `None`: it is to come again, for nothing
    /// can be said of it now, or it may be forged and its author's domain, whose policy is obeyed, wants something done then.
    pub(crate) async fn check(&self, envelope: Envelope, message: Vec<u8>, seal: Option<Seal>) -> Option<Checked> {
        let checked = elsewhere(self.desk.check(envelope, message, seal)).await?;
        (!checked.is_open || !self.settings.obeys_dmarc).then_some(checked)
    }

    /// Which of these addresses agree to get reports about a domain (RFC 9990 section 4); `None`: name servers give no answer.
    pub(crate) async fn takes_reports(&self, domain: &str, addresses: Vec<String>) -> Option<Vec<String>> {
        let (reply, answer) = oneshot::channel();
        self.desk.send(Job::TakesReports { domain: domain.to_owned(), addresses, reply });
        elsewhere(answer).await.ok().flatten()
    }

    /// Signs `top` + `message` with each key. A key that cannot sign is left out and told in the log.
    pub(crate) async fn sign(&self, top: Vec<u8>, message: Vec<u8>, keys: Vec<SigningKey>) -> Option<Signed> {
        let (reply, answer) = oneshot::channel();
        self.desk.send(Job::Sign { top, message, keys, reply });
        elsewhere(answer).await.ok()
    }
}
