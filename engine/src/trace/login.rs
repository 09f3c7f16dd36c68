//! One login, or an attempt: its bytes (docs/format.md, "Login log"), and which ones somebody looks for. No I/O.
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{AccountId, Protocol, limits};
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
}

pub(super) const MEANS: [(Means, &str); 7] = [
    (Means::Command, "command"),
    (Means::Plain, "PLAIN"),
    (Means::Login, "LOGIN"),
    (Means::ScramSha1, "SCRAM-SHA-1"),
    (Means::ScramSha1Plus, "SCRAM-SHA-1-PLUS"),
    (Means::ScramSha256, "SCRAM-SHA-256"),
    (Means::ScramSha256Plus, "SCRAM-SHA-256-PLUS"),
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
}

pub(super) const RESULTS: [(LoginResult, &str); 7] = [
    (LoginResult::Done, "logged in"),
    (LoginResult::Wrong, "wrong name or password"),
    (LoginResult::Throttled, "too many failures"),
    (LoginResult::Protocol, "protocol not allowed"),
    (LoginResult::Network, "address not trusted"),
    (LoginResult::AppPasswordNeeded, "app password demanded"),
    (LoginResult::Expired, "app password expired"),
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

impl LoginRecord {
    /// Appends the record: length, crc, fields.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let mut body = Vec::with_capacity(64);
        body.put_i64(self.when_ms);
        body.put_u8(self.protocol.bit());
        body.put_u8(code(&MEANS, self.means) + 1);
        body.put_u8(u8::from(self.tls));
        body.put_u8(code(&RESULTS, self.result));
        match self.peer.ip() {
            IpAddr::V4(v4) => {
                body.put_u8(4);
                body.put(&v4.octets());
            }
            IpAddr::V6(v6) => {
                body.put_u8(6);
                body.put(&v6.octets());
            }
        }
        body.put_u16(self.peer.port());
        body.put_varint(self.account.map_or(0, |account| account.0));
        body.put_varint(self.app_password.map_or(0, u64::from));
        body.put_str(shortened(&self.name));
        out.put_u16(body.len() as u16);
        out.put_u32(crc32fast::hash(&body));
        out.put(&body);
    }

    /// Reads one record; an error where it is not whole.
    pub fn decode(reader: &mut Reader<'_>) -> Result<LoginRecord, DecodeError> {
        let len = reader.u16()?;
        let crc = reader.u32()?;
        let body = reader.take(usize::from(len))?;
        if crc32fast::hash(body) != crc {
            return reader.error("a login record with a right crc expected before this byte");
        }
        let mut body = Reader::new(body);
        let record = LoginRecord {
            when_ms: body.i64()?,
            protocol: named(&body, &Protocol::ALL.map(|it| (it, it.bit())), body.clone().u8()?)?,
            means: {
                body.u8()?;
                let code = body.u8()?;
                nth(&body, &MEANS, code.wrapping_sub(1))?
            },
            tls: body.u8()? & 1 != 0,
            result: {
                let code = body.u8()?;
                nth(&body, &RESULTS, code)?
            },
            peer: peer(&mut body)?,
            account: Some(AccountId(body.varint()?)).filter(|account| account.0 != 0),
            app_password: Some(body.varint_u32()?).filter(|number| *number != 0),
            name: body.str()?.to_owned(),
        };
        Ok(record)
    }
}

fn peer(body: &mut Reader<'_>) -> Result<SocketAddr, DecodeError> {
    let ip = match body.u8()? {
        4 => IpAddr::from(body.array::<4>()?),
        6 => IpAddr::from(body.array::<16>()?),
        _ => return body.error("an IPv4 or IPv6 address expected before this byte"),
    };
    Ok(SocketAddr::new(ip, body.u16()?))
}

fn code<T: PartialEq>(table: &[(T, &str)], value: T) -> u8 {
    table.iter().position(|(known, _)| *known == value).unwrap_or(0) as u8
}

fn nth<T: Copy>(body: &Reader<'_>, table: &[(T, &str)], code: u8) -> Result<T, DecodeError> {
    match table.get(usize::from(code)) {
        Some((value, _)) => Ok(*value),
        None => body.error("a known number expected before this byte"),
    }
}

fn named<T: Copy>(body: &Reader<'_>, table: &[(T, u8)], code: u8) -> Result<T, DecodeError> {
    match table.iter().find(|(_, known)| *known == code) {
        Some((value, _)) => Ok(*value),
        None => body.error("a known protocol expected"),
    }
}

/// A guesser may give any name; it is kept as far as an address may be long.
fn shortened(name: &str) -> &str {
    let mut end = name.len().min(limits::ADDRESS_BYTES_MAX);
    while !name.is_char_boundary(end) {
        end -= 1;
    }
    &name[..end]
}
