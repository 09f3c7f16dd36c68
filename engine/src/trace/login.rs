//! One login, or an attempt: its bytes (docs/format.md, "Login log"), and which ones somebody looks for. No I/O.
use super::files::{Files, Record, SLACK_MS, records};
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{AccountId, Protocol, Result, limits};
use std::io;
use std::net::{IpAddr, SocketAddr};

/// How a client wanted to prove itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// IMAP's LOGIN, POP3's USER and PASS.
    Command,
    /// SASL PLAIN.
    Plain,
    /// SASL LOGIN.
    Login,
    /// SASL SCRAM-SHA-1.
    ScramSha1,
    /// SASL SCRAM-SHA-1-PLUS.
    ScramSha1Plus,
    /// SASL SCRAM-SHA-256.
    ScramSha256,
    /// SASL SCRAM-SHA-256-PLUS.
    ScramSha256Plus,
    /// SASL OAUTHBEARER.
    OAuthBearer,
    /// SASL XOAUTH2.
    XOAuth2,
}

pub(super) const MEANS: [(Means, &str); 9] = [
    (Means::Command, "command"),
    (Means::Plain, "PLAIN"),
    (Means::Login, "LOGIN"),
    (Means::ScramSha1, "SCRAM-SHA-1"),
    (Means::ScramSha1Plus, "SCRAM-SHA-1-PLUS"),
    (Means::ScramSha256, "SCRAM-SHA-256"),
    (Means::ScramSha256Plus, "SCRAM-SHA-256-PLUS"),
    (Means::OAuthBearer, "OAUTHBEARER"),
    (Means::XOAuth2, "XOAUTH2"),
];

impl Means {
    /// For people.
    pub fn name(self) -> &'static str {
        MEANS.iter().find(|(means, _)| *means == self).map_or("", |(_, name)| name)
    }
}

/// How it ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginResult {
    /// Logged in.
    Done,
    /// Wrong name or password.
    Wrong,
    /// Too many failures; nothing was checked.
    Throttled,
    /// The rules do not allow the protocol.
    Protocol,
    /// The rules do not trust the client's address.
    Network,
    /// The rules demand an app password.
    AppPasswordNeeded,
    /// The app password has expired.
    Expired,
    /// The identity provider does not vouch for the token.
    Token,
    /// The token has not the scope that the protocol needs.
    Scope,
    /// The token is no member's, or another's than the client named.
    Identity,
    /// The identity provider gave no answer; nothing was checked.
    Unavailable,
}

pub(super) const RESULTS: [(LoginResult, &str); 11] = [
    (LoginResult::Done, "logged in"),
    (LoginResult::Wrong, "wrong name or password"),
    (LoginResult::Throttled, "too many failures"),
    (LoginResult::Protocol, "protocol not allowed"),
    (LoginResult::Network, "address not trusted"),
    (LoginResult::AppPasswordNeeded, "app password demanded"),
    (LoginResult::Expired, "app password expired"),
    (LoginResult::Token, "token not accepted"),
    (LoginResult::Scope, "token without the scope"),
    (LoginResult::Identity, "token of no member, or of another"),
    (LoginResult::Unavailable, "identity provider gave no answer"),
];

impl LoginResult {
    /// For people.
    pub fn name(self) -> &'static str {
        RESULTS.iter().find(|(result, _)| *result == self).map_or("", |(_, name)| name)
    }
}

/// One login.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginRecord {
    /// Milliseconds since 1970-01-01 UTC.
    pub when_ms: i64,
    /// By which protocol.
    pub protocol: Protocol,
    /// By which means.
    pub means: Means,
    /// Whether under TLS.
    pub tls: bool,
    /// How it ended.
    pub result: LoginResult,
    /// From where.
    pub peer: SocketAddr,
    /// Whose account, if the password was right or the name is known.
    pub account: Option<AccountId>,
    /// By which of its app passwords.
    pub app_password: Option<u32>,
    /// The name that the client gave.
    pub name: String,
}

/// A login as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginRow {
    /// Names it while its file is there: greater is newer.
    pub position: u64,
    /// It.
    pub record: LoginRecord,
}

/// Which logins.
#[derive(Clone, Debug, Default)]
pub struct LoginFilter {
    /// Only this account's.
    pub account: Option<AccountId>,
    /// Only those whose name contains this, in any case.
    pub contains: String,
    /// Only those from here on, milliseconds since 1970-01-01 UTC.
    pub since_ms: Option<i64>,
    /// Only those before this.
    pub until_ms: Option<i64>,
    /// Only by this protocol.
    pub protocol: Option<Protocol>,
    /// Only from this address.
    pub from: Option<IpAddr>,
    /// Only those that were not let in.
    pub failed: bool,
}

/// Some logins, the newest first.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginPage {
    /// They.
    pub rows: Vec<LoginRow>,
    /// What to ask `before` for the next page; `None`: this was the last.
    pub next: Option<u64>,
}

impl LoginFilter {
    /// Whether it lets one through.
    pub fn takes(&self, record: &LoginRecord) -> bool {
        self.account.is_none_or(|account| record.account == Some(account))
            && self.since_ms.is_none_or(|since| record.when_ms >= since)
            && self.until_ms.is_none_or(|until| record.when_ms < until)
            && self.protocol.is_none_or(|protocol| record.protocol == protocol)
            && self.from.is_none_or(|from| record.peer.ip().to_canonical() == from.to_canonical())
            && !(self.failed && record.result == LoginResult::Done)
            && (self.contains.is_empty() || record.name.to_lowercase().contains(&self.contains.to_lowercase()))
    }
}

/// The login log of a store.
pub type LoginLog = Files<LoginRecord>;

impl LoginLog {
    /// Up to `rows_max` logins that the filter takes, the newest first, older than `before`. Reads files; not for reactor threads.
    ///
    /// # Errors
    /// The disk's.
    pub fn page(&self, filter: &LoginFilter, before: Option<u64>, rows_max: usize) -> Result<LoginPage> {
        self.write()?;
        let failed = |why| self.failed("read", why);
        let before = before.unwrap_or(u64::MAX);
        let mut page = LoginPage::default();
        for id in self.ids().map_err(failed)?.into_iter().rev().filter(|id| id << 32 < before) {
            let bytes = match self.read(id) {
                Ok((_, bytes)) => bytes,
                // Removed meanwhile, being old.
                Err(why) if why.kind() == io::ErrorKind::NotFound => continue,
                Err(why) => return Err(failed(why)),
            };
            if !bytes.starts_with(LoginRecord::MAGIC) {
                continue;
            }
            let mut found: Vec<LoginRow> = records(&bytes)
                .map(|(at, _, record)| LoginRow { position: (id << 32) | at as u64, record })
                .filter(|row| row.position < before && filter.takes(&row.record))
                .collect();
            while let Some(row) = found.pop() {
                if page.rows.len() == rows_max {
                    page.next = page.rows.last().map(|last| last.position);
                    return Ok(page);
                }
                page.rows.push(row);
            }
            let first = records::<LoginRecord>(&bytes).next();
            if first.is_some_and(|(_, _, first)| filter.since_ms.is_some_and(|since| first.when_ms < since - SLACK_MS))
            {
                break;
            }
        }
        Ok(page)
    }
}

impl Record for LoginRecord {
    const DIR: &'static str = "logins";
    const DAMAGED: &'static str = "a login record with a right crc expected before this byte";
    const MAGIC: &'static [u8; 8] = b"PHLOGIN1";
    const FILE_BYTES_MAX: u64 = limits::LOGIN_LOG_FILE_BYTES_MAX;
    const BYTES_MAX: u64 = limits::LOGIN_LOG_BYTES_MAX;
    const DAYS_MAX: u64 = limits::LOGIN_LOG_DAYS_MAX as u64;
    const WAITING_BYTES_MAX: usize = limits::LOGIN_LOG_WAITING_BYTES_MAX;

    fn when_ms(&self) -> i64 {
        self.when_ms
    }

    fn put(&self, body: &mut Vec<u8>) {
        body.put_i64(self.when_ms);
        body.put_u8(self.protocol.bit());
        body.put_u8(code(&MEANS, self.means) + 1);
        body.put_u8(u8::from(self.tls));
        body.put_u8(code(&RESULTS, self.result));
        put_peer(body, self.peer);
        body.put_varint(self.account.map_or(0, |account| account.0));
        body.put_varint(self.app_password.map_or(0, u64::from));
        // A guesser may give any name; it is kept as far as an address may be long.
        body.put_str(shortened(&self.name, limits::ADDRESS_BYTES_MAX));
    }

    fn get(body: &mut Reader<'_>) -> std::result::Result<LoginRecord, DecodeError> {
        let record = LoginRecord {
            when_ms: body.i64()?,
            protocol: named(body, &Protocol::ALL.map(|it| (it, it.bit())), body.clone().u8()?)?,
            means: {
                body.u8()?;
                let code = body.u8()?;
                nth(body, &MEANS, code.wrapping_sub(1))?
            },
            tls: body.u8()? & 1 != 0,
            result: {
                let code = body.u8()?;
                nth(body, &RESULTS, code)?
            },
            peer: peer(body)?,
            account: Some(AccountId(body.varint()?)).filter(|account| account.0 != 0),
            app_password: Some(body.varint_u32()?).filter(|number| *number != 0),
            name: body.str()?.to_owned(),
        };
        Ok(record)
    }
}

pub(super) fn put_peer(body: &mut Vec<u8>, peer: SocketAddr) {
    body.put_ip(peer.ip());
    body.put_u16(peer.port());
}

pub(super) fn peer(body: &mut Reader<'_>) -> std::result::Result<SocketAddr, DecodeError> {
    Ok(SocketAddr::new(body.ip()?, body.u16()?))
}

fn code<T: PartialEq>(table: &[(T, &str)], value: T) -> u8 {
    table.iter().position(|(known, _)| *known == value).unwrap_or(0) as u8
}

fn nth<T: Copy>(body: &Reader<'_>, table: &[(T, &str)], code: u8) -> std::result::Result<T, DecodeError> {
    match table.get(usize::from(code)) {
        Some((value, _)) => Ok(*value),
        None => body.error("a known number expected before this byte"),
    }
}

fn named<T: Copy>(body: &Reader<'_>, table: &[(T, u8)], code: u8) -> std::result::Result<T, DecodeError> {
    match table.iter().find(|(_, known)| *known == code) {
        Some((value, _)) => Ok(*value),
        None => body.error("a known protocol expected"),
    }
}

/// As much of a text as fits.
pub(super) fn shortened(text: &str, bytes_max: usize) -> &str {
    let mut end = text.len().min(bytes_max);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}
