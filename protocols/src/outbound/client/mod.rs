//! The SMTP client: one connection to one host, from its greeting over any number of messages to its QUIT. Knows no queue and no name
//! server, and decides nothing about trying again.
mod auth;
mod hello;
mod mail;
mod parts;
mod reading;

pub(super) use hello::{Hello, NotOpen, open};
pub(super) use mail::{Mail, Rcpt, Sent};

use crate::dsn::Reply;
use crate::limits;
use crate::runtime::{Stream, timeout};
use reading::Broken;
use std::net::SocketAddr;
use std::time::Duration;

/// The host at the other end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Remote {
    /// The name under which it was found.
    pub(super) name: String,
    /// Where it was reached.
    pub(super) addr: SocketAddr,
}

impl std::fmt::Display for Remote {
    /// `host[ip]:port`, as in other servers' logs.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}[{}]:{}", self.name, self.addr.ip(), self.addr.port())
    }
}

/// What its EHLO offered.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Offers {
    pub(super) pipelining: bool,
    pub(super) eight_bit: bool,
    pub(super) utf8: bool,
    pub(super) dsn: bool,
    pub(super) requiretls: bool,
    pub(super) starttls: bool,
    /// BDAT (RFC 3030).
    pub(super) chunking: bool,
    /// BODY=BINARYMIME (RFC 3030).
    pub(super) binary: bool,
    /// DELIVERBY (RFC 2852): the fewest seconds that it takes with R, 0 when it named none.
    pub(super) deliver_by: Option<i64>,
    /// MT-PRIORITY (RFC 6710).
    pub(super) priority: bool,
    /// SIZE: with the bound, if it named one other than 0 (RFC 1870 section 4).
    pub(super) size: Option<Option<u64>>,
    /// Mechanisms of AUTH, in capitals.
    pub(super) auth: Vec<String>,
    /// LIMITS (RFC 9422): messages of one connection.
    pub(super) mail_max: Option<u32>,
    /// LIMITS: recipients of one message.
    pub(super) rcpt_max: Option<usize>,
    /// LIMITS: domains among the recipients of one message.
    pub(super) rcpt_domain_max: Option<usize>,
}

/// An open connection that takes messages.
pub(super) struct Client {
    stream: Stream,
    pub(super) remote: Remote,
    pub(super) offers: Offers,
    /// What protects it, for the log; `None` in plain text.
    pub(super) tls: Option<String>,
    /// A transaction was begun and not ended by a message: RSET first.
    dirty: bool,
    /// Messages that were begun on it.
    pub(super) begun: u32,
    /// Nothing more can be sent on it.
    pub(super) broken: bool,
    /// The last message itself was begun to be sent: nobody knows what became of it unless the host says so.
    transferring: bool,
}

impl Client {
    /// No other message goes over it: it is broken, or the host has had as many as it takes (RFC 9422).
    pub(super) fn is_spent(&self) -> bool {
        self.broken || self.offers.mail_max.is_some_and(|most| self.begun >= most)
    }

    /// Sends what is gathered and waits for one reply.
    async fn say(&mut self, line: &str, wait: Duration) -> Result<Reply, Broken> {
        self.put(line);
        self.flush().await?;
        self.hear(wait).await
    }

    fn put(&mut self, line: &str) {
        let out = self.stream.output();
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    async fn flush(&mut self) -> Result<(), Broken> {
        let flushed = self.stream.flush().await.map_err(|error| Broken::of(&error));
        self.broken |= flushed.is_err();
        flushed
    }

    /// One reply; 421 means that there will be no other (RFC 5321 section 3.8).
    async fn hear(&mut self, wait: Duration) -> Result<Reply, Broken> {
        let heard = reading::reply(&mut self.stream, wait).await;
        self.broken |= heard.as_ref().map_or(true, |lines| lines.code == 421);
        heard.map(|lines| lines.joined())
    }

    /// Ends the connection in good order; a host that does not answer is left.
    pub(super) async fn quit(mut self) {
        if !self.broken {
            // What it says to that changes nothing any more.
            let _ = timeout(limits::OUTBOUND_QUIT_MAX, self.say("QUIT", limits::OUTBOUND_QUIT_MAX)).await;
        }
        timeout(limits::OUTBOUND_QUIT_MAX, self.stream.close()).await;
    }
}
