//! An account's record: whose it is, its addresses and its quota rule. Never holds mail or what it has used.
use std::fmt;
use std::str::FromStr;

use crate::base::{AccountId, Error, Result, TenantId, limits};

use super::{Access, Address};

/// How much an account may hold.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quota {
    /// What its kind gets (A2): 1 GiB, or no bound for a VIP.
    #[default]
    Default,
    /// This many bytes, whatever its kind.
    Bytes(u64),
    /// No bound, whatever its kind.
    Unlimited,
}

const UNITS: [(&str, u64); 10] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("kB", 1_000),
    ("B", 1),
];

impl FromStr for Quota {
    type Err = Error;

    /// Reads `default`, `unlimited`, a number of bytes, or a whole number with a unit: `1GiB` (2^30), `500MB` (10^6).
    fn from_str(text: &str) -> Result<Quota> {
        let text = text.trim();
        if text.eq_ignore_ascii_case("default") {
            return Ok(Quota::Default);
        }
        if text.eq_ignore_ascii_case("unlimited") {
            return Ok(Quota::Unlimited);
        }
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at(digits);
        let scale = match unit.trim() {
            "" => Some(1),
            unit => UNITS.iter().find(|(name, _)| name.eq_ignore_ascii_case(unit)).map(|(_, scale)| *scale),
        };
        let bytes = scale.and_then(|scale| number.parse::<u64>().ok()?.checked_mul(scale));
        bytes.map(Quota::Bytes).ok_or_else(|| {
            Error::Invalid(format!(
                "quota {text:?}: allowed are default, unlimited, or a whole number with B, KB, MB, GB, TB, KiB, MiB, GiB or TiB, as in 1GiB"
            ))
        })
    }
}

impl fmt::Display for Quota {
    /// The largest unit that needs no fraction; `from_str` reads it back to the same value.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Quota::Default => f.write_str("default"),
            Quota::Unlimited => f.write_str("unlimited"),
            Quota::Bytes(bytes) => {
                let fits = |(_, scale): &&(&str, u64)| bytes >= *scale && bytes.is_multiple_of(*scale);
                let (unit, scale) = UNITS.iter().find(fits).copied().unwrap_or(("B", 1));
                write!(f, "{}{unit}", bytes / scale)
            }
        }
    }
}

/// Who opens an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AccountKind {
    /// A person with a mailbox.
    Member,
    /// A shared mailbox that members open (D2).
    Business,
}

/// A mail store with a quota: a member's or a business mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Never reused, not even after the account is removed.
    pub id: AccountId,
    /// A member's or a business mailbox.
    pub kind: AccountKind,
    /// The enterprise it belongs to: that of its address's domain.
    pub tenant: TenantId,
    /// Where it receives; also its login name.
    pub address: Address,
    /// The name shown to people.
    pub name: Box<str>,
    /// On the unlimited plan.
    pub vip: bool,
    /// What it may hold.
    pub quota: Quota,
    /// A PHC string (see `password`). Without one nobody can log in by this account's name.
    pub password_hash: Option<Box<str>>,
    /// What it logs in with besides, and its rules; only if there is any of it.
    pub access: Option<Box<Access>>,
    /// No login, no sending, no receiving.
    pub disabled: bool,
    /// Other addresses of the same account, sorted; at most `limits::ALIASES_MAX`.
    pub aliases: Box<[Address]>,
    /// Business mailbox: the members who may open it, sorted. Empty for a member.
    pub users: Box<[AccountId]>,
    /// Seconds since 1970-01-01 UTC.
    pub created: i64,
}

impl Account {
    /// Bytes that it may hold; `None` is no bound.
    pub fn quota_bytes_max(&self) -> Option<u64> {
        match self.quota {
            Quota::Bytes(bytes) => Some(bytes),
            Quota::Unlimited => None,
            Quota::Default if self.vip => None,
            Quota::Default => Some(limits::QUOTA_BYTES_DEFAULT),
        }
    }

    /// Whether `address` is its own or one of its aliases.
    pub fn has_address(&self, address: &Address) -> bool {
        self.address == *address || self.aliases.contains(address)
    }
}
