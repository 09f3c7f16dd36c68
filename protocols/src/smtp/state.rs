//! What one connection knows: who speaks, who has logged in, and the message under way. Holds no message when none is under way.
use super::header;
use super::reply::Reply;
use super::role::Role;
use crate::dsn;
use crate::runtime::Stream;
use crate::session::sasl::Mechanism;
use crate::session::{Room, Shared};
use crate::spending::Reserved;
use crate::verify::dnsbl::Listing;
use crate::verify::milter::Chain;
use posthouse_engine::Login;
use posthouse_engine::base::AccountId;
use posthouse_engine::directory::{Address, Recipient};
use posthouse_engine::mailflow::Facts;
use posthouse_engine::queue::{Terms, TlsDemand};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

/// One connection.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) stream: Stream,
    pub(super) role: Role,
    /// Names the connection in the mail log.
    pub(super) connection: u64,
    /// What the client calls itself, once it has said hello.
    pub(super) hello: Option<Box<Hello>>,
    /// What a host in front has said that its client calls itself.
    pub(super) said_helo: Option<Box<str>>,
    /// What DNS blocklists say of the client's host, once that was asked.
    pub(super) listing: Option<Arc<Listing>>,
    /// The host at the other end may say whose connection it passes on.
    pub(super) may_introduce: bool,
    pub(super) login: Option<Box<Login>>,
    /// How that was proven.
    pub(super) mechanism: Option<Mechanism>,
    pub(super) transaction: Option<Box<Transaction>>,
    pub(super) failed_logins: u32,
    /// Error replies since the last message that was taken.
    pub(super) errors: u32,
    /// The session ends after this command.
    pub(super) ended: bool,
}

/// HELO, EHLO or LHLO.
pub(super) struct Hello {
    pub(super) name: String,
    /// EHLO or LHLO, not HELO.
    pub(super) extended: bool,
}

/// A mail transaction (RFC 5321 section 3.3): from MAIL on.
#[derive(Default)]
pub(super) struct Transaction {
    /// Names the message in the logs and in Received.
    pub(super) id: u64,
    /// The reverse-path as it was given, without brackets; empty for `<>`.
    pub(super) sender: String,
    /// The client may send UTF-8 in addresses and headers (RFC 6531).
    pub(super) utf8: bool,
    /// RET of RFC 3461: 0 not given, 1 FULL, 2 HDRS.
    pub(super) ret: u8,
    /// What the sender demands of TLS (RFC 8689).
    pub(super) tls: TlsDemand,
    /// ENVID of RFC 3461, decoded.
    pub(super) envelope_id: String,
    /// SIZE of RFC 1870, 0 when not given.
    pub(super) size_bytes: u64,
    /// How it is to be carried.
    pub(super) terms: Terms,
    pub(super) recipients: Vec<Rcpt>,
    /// How many more were refused because there were so many.
    pub(super) excess: usize,
    /// The client has begun to send the message.
    pub(super) begun: bool,
    /// BDAT chunks so far.
    pub(super) chunks: Option<Box<Coming>>,
    /// The milters that see the message.
    pub(super) milters: Option<Box<Chain>>,
    /// Until when the filters of the whole message are heard.
    pub(super) filters_until: Option<Instant>,
}

impl Transaction {
    /// Takes from the message what it says of its own way; REQUIRETLS counts more (RFC 8689 section 4.1).
    pub(super) fn heed(&mut self, message: &[u8]) {
        if self.tls == TlsDemand::Usual && header::says_tls_is_not_required(message) {
            self.tls = TlsDemand::NotRequired;
        }
    }

    /// Whoever was forged has sent nothing, and hears of no failure, neither from here nor from the queue (RFC 3461 section 4.1).
    pub(super) fn tell_nobody_forged(&mut self, facts: Facts) {
        if !facts.believes_path() {
            self.recipients.iter_mut().for_each(|rcpt| rcpt.notify = dsn::NEVER);
        }
    }
}

/// A recipient that was accepted.
pub(super) struct Rcpt {
    /// As it was given.
    pub(super) given: String,
    pub(super) address: Address,
    /// What it has cost of the sender's rate.
    pub(super) reserved: Option<Reserved>,
    /// Accounts on this system.
    pub(super) local: Vec<Recipient>,
    /// Where it goes besides: addresses on other hosts.
    pub(super) external: Vec<Address>,
    /// NOTIFY of RFC 3461 as in `QueueRecipient`.
    pub(super) notify: u8,
    /// ORCPT of RFC 3461, decoded, `type;address`.
    pub(super) orcpt: String,
    /// All behind it have had the message: it is taken and goes to nobody.
    pub(super) ended: bool,
}

impl Rcpt {
    /// How many it stands for.
    pub(super) fn copies(&self) -> usize {
        self.local.len() + self.external.len()
    }
}

/// A message that is coming in, with DATA or in chunks (RFC 3030).
pub(super) struct Coming {
    pub(super) message: Vec<u8>,
    pub(super) room: Room,
    /// Why the message will be refused at its end.
    pub(super) refusal: Option<Reply>,
}

/// How a command ends.
pub(super) enum Answer {
    /// With that reply.
    Reply(Reply),
    /// The command has written its replies itself.
    Written,
}

impl Answer {
    pub(super) fn new(code: u16, text: impl Into<std::borrow::Cow<'static, str>>) -> Answer {
        Answer::Reply(Reply::new(code, text))
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Answer {
        Answer::Reply(reply)
    }
}

/// A command under way; boxed, so that a session that waits holds nothing of it.
pub(super) type Running<'s> = Pin<Box<dyn Future<Output = io::Result<Answer>> + 's>>;

impl Session {
    /// Whether this client may send a password now.
    pub(super) fn may_log_in(&self) -> bool {
        self.shared.may_authenticate(self.stream.is_tls(), self.stream.peer().ip())
    }

    /// The account of a member who submits.
    pub(super) fn account(&self) -> Option<AccountId> {
        self.login.as_ref().map(|login| login.account)
    }

    /// Writes a reply and counts it.
    pub(super) fn say(&mut self, reply: &Reply) {
        if reply.is_error() {
            self.errors += 1;
        }
        reply.write(self.stream.output());
    }

    /// Forgets the message under way (RFC 5321 section 4.1.4).
    pub(super) fn reset(&mut self) {
        self.transaction = None;
    }
}
