//! What the sessions of every protocol share: the store, who may log in and how, and what all connections together may hold.
//! Speaks no protocol.
mod attendance;
mod bearer;
mod budget;
mod dialog;
mod exclusive;
mod login;
pub mod oauth;
mod reading;
mod room;
pub mod sasl;
mod scram;
mod throttle;
mod turn;
mod wait;

#[cfg(test)]
mod tests;

pub use attendance::{Attendance, Seat};
pub use budget::{Budget, Share};
pub use dialog::{Dialog, Step};
pub use exclusive::{Exclusive, Held};
pub use login::{Place, Proof, Shown, UNAVAILABLE};
pub use reading::Reading;
pub(crate) use reading::flush_holding;
pub use room::{Ended, Room};
pub use scram::Bindings;
pub use throttle::{Guess, Refusal, Throttle};
pub use turn::{Turn, Work};
pub use wait::{Over, wait_for_bytes};

use crate::limits;
use crate::runtime::Pace;
use crate::verify::Verifier;
use crate::verify::dnsbl::Blocklists;
use crate::verify::milter::MilterSettings;
use crate::verify::rspamd::RspamdSettings;
use posthouse_engine::Engine;
use posthouse_engine::base::Clock;
use posthouse_engine::directory::Network;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Who may send a password without TLS.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PlaintextAuth {
    /// Nobody.
    Never,
    /// Clients on this machine: what they send crosses no network.
    #[default]
    Loopback,
    /// Everybody.
    Always,
}

/// How many messages one IMAP command works on (RFC 9738).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MessageLimit {
    /// What is announced.
    pub messages_max: u32,
    /// Commands that only look, change flags, move or expunge work on no more either: on those with the highest uids. A client that does not
    /// know that takes the others for gone.
    pub cuts: bool,
}

impl Default for MessageLimit {
    fn default() -> MessageLimit {
        MessageLimit { messages_max: limits::IMAP_MESSAGES_DEFAULT, cuts: false }
    }
}

/// What the sessions of every protocol share.
pub struct Shared {
    /// The store.
    pub engine: Arc<Engine>,
    /// The time, the same as the store's.
    pub clock: Arc<dyn Clock>,
    /// For STARTTLS; `None` = not offered.
    pub tls: Option<Arc<rustls::ServerConfig>>,
    /// `tls-server-end-point` of the certificate in `tls` (`runtime::tls::end_point`), for SCRAM's -PLUS mechanisms.
    pub tls_end_point: Option<Vec<u8>>,
    /// Whether SCRAM is offered, and its keys are made when a password is proven.
    pub scram: bool,
    /// Takes tokens of an identity provider; `None`: OAUTHBEARER and XOAUTH2 are not offered.
    pub oauth: Option<oauth::OAuth>,
    /// Our name in greetings, Received and Message-ID.
    pub hostname: String,
    /// Who may send a password without TLS.
    pub plaintext_auth: PlaintextAuth,
    /// Bytes of the largest message accepted by SMTP, LMTP and APPEND.
    pub message_size_bytes_max: u64,
    /// Messages of one IMAP command.
    pub message_limit: MessageLimit,
    /// Bytes of messages on their way in, over all sessions.
    pub budget: Budget,
    /// Bytes of messages on their way out, over all sessions.
    pub reading: Budget,
    /// Failed logins.
    pub throttle: Throttle,
    /// Connections of each account.
    pub attendance: Attendance,
    /// Accounts with a POP3 session.
    pub maildrops: Exclusive,
    /// Checks senders and signs; `None`: neither is done.
    pub verifier: Option<Arc<Verifier>>,
    /// DNS blocklists that are asked about hosts which bring mail; `None`: none is.
    pub blocklists: Option<Arc<Blocklists>>,
    /// Milters, in the order in which mail is shown to them.
    pub milters: Vec<Arc<MilterSettings>>,
    /// The content filter for mail from other hosts; `None`: none is asked.
    pub rspamd: Option<RspamdSettings>,
    /// How long milters and content filter together may take at one command.
    pub filters_max: Duration,
    /// Recipients that each client site was refused of late, over all its SMTP sessions.
    pub refused: Pace,
    /// Hosts that may say whose SMTP connection they pass on (XCLIENT).
    pub xclient: Vec<Network>,
    /// Feeds [`Shared::next_id`].
    ids: AtomicU64,
}

impl Shared {
    /// Defaults for everything but these; change the fields before sharing it.
    pub fn new(engine: Arc<Engine>, clock: Arc<dyn Clock>, hostname: impl Into<String>) -> Shared {
        let started_ms = u64::try_from(clock.now_ms()).unwrap_or(0);
        Shared {
            engine,
            clock,
            tls: None,
            tls_end_point: None,
            scram: true,
            oauth: None,
            hostname: hostname.into(),
            plaintext_auth: PlaintextAuth::default(),
            message_size_bytes_max: limits::MESSAGE_SIZE_BYTES_MAX_DEFAULT,
            message_limit: MessageLimit::default(),
            budget: Budget::new(limits::BUDGET_BYTES_DEFAULT),
            reading: Budget::new(limits::BUDGET_BYTES_DEFAULT),
            throttle: Throttle::default(),
            attendance: Attendance::new(limits::CONNECTIONS_PER_ACCOUNT_DEFAULT),
            maildrops: Exclusive::default(),
            verifier: None,
            blocklists: None,
            milters: Vec::new(),
            rspamd: None,
            filters_max: limits::FILTERS_MAX_DEFAULT,
            refused: Pace::new(limits::SMTP_REFUSED_MINUTE_DEFAULT),
            xclient: Vec::new(),
            // 4096 numbers a millisecond from the start on: a later start begins above all that were given out.
            ids: AtomicU64::new(started_ms << 12),
        }
    }

    /// Whether a client may send its password now.
    pub fn may_authenticate(&self, is_tls: bool, peer: IpAddr) -> bool {
        is_tls
            || match self.plaintext_auth {
                PlaintextAuth::Never => false,
                PlaintextAuth::Loopback => peer.to_canonical().is_loopback(),
                PlaintextAuth::Always => true,
            }
    }

    /// A number that no other message or session of this system has: the id in Received, the log and Message-ID.
    pub fn next_id(&self) -> u64 {
        self.ids.fetch_add(1, Ordering::Relaxed)
    }
}
