//! Every key of the configuration with its default. docs/configuration.md explains them; a test holds the two together.
use super::dnsbl::Dnsbl;
use super::milter::MilterTable;
use super::oauth::OAuth;
use super::outbound::Outbound;
use super::pop3::Pop3;
use super::proxy::Proxy;
use super::reports::Reports;
use super::rspamd::Rspamd;
use super::values::{Address, Count, words};
use super::verify::Verify;
use posthouse_engine::base::limits;
use serde::Deserialize;
use std::path::PathBuf;

words!(
    /// `runtime`: what moves the bytes.
    RuntimeChoice {
        /// io_uring where the kernel lets us, else tokio.
        Auto = "auto",
        /// io_uring or no start.
        Uring = "uring",
        /// tokio.
        Tokio = "tokio",
    }
);

words!(
    /// `log.format`.
    LogFormat {
        /// A line for people.
        Text = "text",
        /// A JSON object a line.
        Json = "json",
    }
);

words!(
    /// `login.plaintext_auth`: where a password may cross an unencrypted connection.
    PlaintextAuth {
        /// Nowhere.
        Never = "never",
        /// On connections from this machine.
        Loopback = "loopback",
        /// Everywhere.
        Always = "always",
    }
);

words!(
    /// `limits.command_messages_of`: which IMAP commands work on a limited number of messages.
    MessagesOf {
        /// Those that copy messages, all of them or none.
        Saves = "saves",
        /// All: those of which some can be done do the newest messages.
        All = "all",
    }
);

words!(
    /// `clients.ports`: which ports members' programs are told.
    ClientPorts {
        /// Those of `[listen]`.
        Listen = "listen",
        /// Those that IANA gave to the protocols, which something in front sends on.
        Standard = "standard",
    }
);

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The data directory.
    pub data: PathBuf,
    /// Whom `serve` becomes when root starts it; empty: it stays who it is.
    pub user: String,
    /// The name in greetings and trace headers; `auto` is the machine's.
    pub hostname: String,
    /// What moves the bytes.
    pub runtime: RuntimeChoice,
    /// Threads that own connections; `auto` is one a core.
    pub reactors: Count,
    /// Where each protocol listens.
    pub listen: Listen,
    /// What stands in front of the listeners.
    pub proxy: Proxy,
    /// What one client and all of them may take.
    pub limits: Limits,
    /// The server's identity.
    pub tls: Tls,
    /// Who may log in how.
    pub login: Login,
    /// Tokens in the place of passwords.
    pub oauth: OAuth,
    /// What becomes of what POP3 has fetched.
    pub pop3: Pop3,
    /// How the store is laid out.
    pub store: Store,
    /// Checks of who has sent mail.
    pub verify: Verify,
    /// What DNS lists say of hosts.
    pub dnsbl: Dnsbl,
    /// The content filter.
    pub rspamd: Rspamd,
    /// Milters, in their order.
    pub milter: Vec<MilterTable>,
    /// What other domains are told of their mail.
    pub reports: Reports,
    /// When old mail is rewritten into less room.
    pub compaction: Compaction,
    /// Mail to other hosts.
    pub outbound: Outbound,
    /// What members' mail programs are told.
    pub clients: Clients,
    /// The way of each message, kept.
    pub mail_log: MailLog,
    /// What is logged and how.
    pub log: Log,
}

/// `[listen]`: addresses by protocol; an empty list turns it off.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Listen {
    /// Mail from other hosts (RFC 5321).
    pub smtp: Vec<Address>,
    /// Mail from members, STARTTLS (RFC 6409).
    pub submission: Vec<Address>,
    /// Mail from members, TLS at once (RFC 8314).
    pub submissions: Vec<Address>,
    /// Mail from a mail server in front (RFC 2033).
    pub lmtp: Vec<Address>,
    /// RFC 3501, STARTTLS.
    pub imap: Vec<Address>,
    /// RFC 3501, TLS at once.
    pub imaps: Vec<Address>,
    /// RFC 1939, STLS.
    pub pop3: Vec<Address>,
    /// RFC 1939, TLS at once.
    pub pop3s: Vec<Address>,
    /// Status page, health and metrics, without TLS or login.
    pub admin: Vec<Address>,
    /// Settings for members' mail programs, without TLS or login.
    pub autoconfig: Vec<Address>,
}

/// `[limits]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Bytes of one message.
    pub message_size_bytes_max: u64,
    /// Connections at a time.
    pub connections_max: u32,
    /// Connections at a time from one IPv4 address or IPv6 /64.
    pub connections_per_ip_max: u32,
    /// New connections within a minute from one of them; 0: any number.
    pub connections_per_ip_minute_max: u32,
    /// Recipients that one of them may be refused within a minute; 0: any number.
    pub refused_recipients_per_ip_minute_max: u32,
    /// IMAP and POP3 connections at a time that are logged in to one account.
    pub connections_per_account_max: u32,
    /// Messages that one IMAP command works on.
    pub command_messages_max: u32,
    /// Which IMAP commands are held to that.
    pub command_messages_of: MessagesOf,
    /// Seconds that milters and content filter together may take at one command of a client.
    pub filters_seconds_max: u32,
    /// Seconds that sessions get to end when the server stops.
    pub stop_grace_seconds: u32,
}

/// `[tls]`: both or none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tls {
    /// PEM file with the certificate and its chain; empty: a self-signed one is made.
    pub certificate: PathBuf,
    /// PEM file with its private key.
    pub key: PathBuf,
}

/// `[login]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Login {
    /// Where a password may cross an unencrypted connection.
    pub plaintext_auth: PlaintextAuth,
    /// Whether SCRAM is offered, and its keys are kept beside each password hash.
    pub scram: bool,
}

/// `[store]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Store {
    /// Logs that accounts are spread over; fixed when the store is made.
    pub shards: Count,
    /// Bytes after which a segment file is sealed.
    pub segment_size_bytes_max: u64,
    /// Bytes of log after which a checkpoint is written.
    pub checkpoint_log_bytes: u64,
    /// Bytes of messages on their way in, over all sessions.
    pub stage_bytes_max: u64,
    /// Threads for password hashing, large messages and cold reads; `auto` is one a core, at least two.
    pub workers: Count,
}

/// `[compaction]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Compaction {
    /// Whether the server compacts by itself.
    pub schedule: bool,
    /// Hours between the ends of one run and the beginning of the next.
    pub every_hours: u32,
    /// A run begins in a minute in which fewer requests than this were committed.
    pub idle_requests_per_minute: u64,
    /// Hours after which a sealed segment is cold.
    pub cold_after_hours: u32,
    /// Percent of dead messages that make a segment worth rewriting before it is cold, or again.
    pub dead_percent_min: u8,
    /// Bytes of mail a second at most; 0: as fast as it goes.
    pub bytes_per_second_max: u64,
    /// Hours for which replaced files are kept.
    pub keep_hours: u32,
    /// Bytes that stay free on the disk.
    pub free_bytes_min: u64,
}

/// `[clients]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Clients {
    /// The name that programs connect to; `auto` is `hostname`.
    pub host: String,
    /// Which ports they are told.
    pub ports: ClientPorts,
}

/// `[mail_log]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MailLog {
    /// Days for which it is kept.
    pub keep_days: u32,
    /// Bytes that it takes at most.
    pub size_bytes_max: u64,
    /// Seconds after which mail that was answered 250 must be in its mailbox; 0: no alarm.
    pub alarm_seconds: u32,
    /// Seconds after which mail in the queue that is due must have been tried once; 0: no alarm.
    pub queue_alarm_seconds: u32,
}

impl Default for MailLog {
    fn default() -> MailLog {
        MailLog {
            keep_days: limits::MAIL_LOG_DAYS_DEFAULT as u32,
            size_bytes_max: limits::MAIL_LOG_BYTES_DEFAULT,
            alarm_seconds: 60,
            queue_alarm_seconds: 7200,
        }
    }
}

/// `[log]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Log {
    /// Lines for people or for machines.
    pub format: LogFormat,
    /// What is logged: a level, or tracing directives.
    pub level: String,
}

/// An IPv4 loopback address.
fn local(port: u16) -> Vec<Address> {
    vec![Address(([127, 0, 0, 1], port).into())]
}

impl Default for Config {
    fn default() -> Config {
        Config {
            data: "./posthouse-data".into(),
            user: String::new(),
            hostname: "auto".into(),
            runtime: RuntimeChoice::Auto,
            reactors: Count::Auto,
            listen: Listen::default(),
            proxy: Proxy::default(),
            limits: Limits::default(),
            tls: Tls::default(),
            login: Login::default(),
            oauth: OAuth::default(),
            pop3: Pop3::default(),
            store: Store::default(),
            verify: Verify::default(),
            dnsbl: Dnsbl::default(),
            rspamd: Rspamd::default(),
            milter: Vec::new(),
            reports: Reports::default(),
            compaction: Compaction::default(),
            outbound: Outbound::default(),
            clients: Clients::default(),
            mail_log: MailLog::default(),
            log: Log::default(),
        }
    }
}

impl Default for Listen {
    fn default() -> Listen {
        Listen {
            smtp: local(2525),
            submission: local(2587),
            submissions: local(2465),
            lmtp: local(2424),
            imap: local(2143),
            imaps: local(2993),
            pop3: local(2110),
            pop3s: local(2995),
            admin: local(2080),
            autoconfig: local(2081),
        }
    }
}

impl Listen {
    /// Every protocol's name with its addresses, in the order of the file.
    pub fn all(&self) -> [(&'static str, &[Address]); 10] {
        [
            ("smtp", &self.smtp),
            ("submission", &self.submission),
            ("submissions", &self.submissions),
            ("lmtp", &self.lmtp),
            ("imap", &self.imap),
            ("imaps", &self.imaps),
            ("pop3", &self.pop3),
            ("pop3s", &self.pop3s),
            ("admin", &self.admin),
            ("autoconfig", &self.autoconfig),
        ]
    }
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            message_size_bytes_max: 50 << 20,
            connections_max: 20_000,
            connections_per_ip_max: 1_000,
            connections_per_ip_minute_max: 6_000,
            refused_recipients_per_ip_minute_max: 100,
            connections_per_account_max: 100,
            command_messages_max: 20_000,
            command_messages_of: MessagesOf::Saves,
            filters_seconds_max: 120,
            stop_grace_seconds: 10,
        }
    }
}

impl Default for Login {
    fn default() -> Login {
        Login { plaintext_auth: PlaintextAuth::Loopback, scram: true }
    }
}

impl Default for Store {
    fn default() -> Store {
        Store {
            shards: Count::Auto,
            segment_size_bytes_max: 64 << 20,
            checkpoint_log_bytes: 64 << 20,
            stage_bytes_max: 256 << 20,
            workers: Count::Auto,
        }
    }
}

impl Default for Compaction {
    fn default() -> Compaction {
        Compaction {
            schedule: true,
            every_hours: 24,
            idle_requests_per_minute: 600,
            cold_after_hours: 24,
            dead_percent_min: 25,
            bytes_per_second_max: 20 << 20,
            keep_hours: 24,
            free_bytes_min: 1 << 30,
        }
    }
}

impl Default for Clients {
    fn default() -> Clients {
        Clients { host: "auto".into(), ports: ClientPorts::Listen }
    }
}

impl Default for Log {
    fn default() -> Log {
        Log { format: LogFormat::Text, level: "info".into() }
    }
}
