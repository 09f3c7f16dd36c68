//! What becomes of messages that POP3 clients have fetched and not deleted (RFC 1939 section 8): a tenant's rule, and what the server's
//! configuration says where there is none. Carries nothing out.
use std::fmt;
use std::str::FromStr;

use crate::base::AccountId;
use crate::base::bytes::{Put, Reader};
use crate::base::limits::POP3_FETCHED_DAYS_MAX;

use super::Directory;
use super::codec::Decoded;
use super::rule::{Rule, Scope};

/// What becomes of a message that a client has fetched and not deleted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fetched {
    /// It stays, unseen to IMAP.
    #[default]
    Keep,
    /// It stays, and gets \Seen.
    Seen,
    /// It goes to Trash once it has been in INBOX for so many days; 0: at the end of the session.
    Trash {
        /// Days since it came.
        after_days: u32,
    },
    /// It is removed then.
    Delete {
        /// Days since it came.
        after_days: u32,
    },
}

impl Fetched {
    /// The days for which a message stays at least, for EXPIRE (RFC 2449 section 6.7); `None`: for ever.
    pub fn kept_days(self) -> Option<u32> {
        match self {
            Fetched::Keep | Fetched::Seen => None,
            Fetched::Trash { after_days } | Fetched::Delete { after_days } => Some(after_days),
        }
    }

    pub(super) fn put(self, out: &mut Vec<u8>) {
        let kind = match self {
            Fetched::Keep => 0,
            Fetched::Seen => 1,
            Fetched::Trash { .. } => 2,
            Fetched::Delete { .. } => 3,
        };
        out.put_u8(kind);
        if let Some(days) = self.kept_days() {
            out.put_varint(u64::from(days));
        }
    }

    pub(super) fn get(reader: &mut Reader<'_>) -> Decoded<Fetched> {
        Ok(match reader.u8()? {
            0 => Fetched::Keep,
            1 => Fetched::Seen,
            2 => Fetched::Trash { after_days: reader.varint_u32()? },
            3 => Fetched::Delete { after_days: reader.varint_u32()? },
            _ => return reader.error("what becomes of fetched messages expected before this byte"),
        })
    }
}

impl FromStr for Fetched {
    type Err = ();

    /// Reads what `Display` writes; without days: at the end of the session.
    fn from_str(text: &str) -> Result<Fetched, ()> {
        let (word, days) = text.split_once(char::is_whitespace).unwrap_or((text, "0"));
        let after_days = days.trim().parse().ok().filter(|days| *days <= POP3_FETCHED_DAYS_MAX).ok_or(())?;
        match word {
            "keep" if word == text => Ok(Fetched::Keep),
            "seen" if word == text => Ok(Fetched::Seen),
            "trash" => Ok(Fetched::Trash { after_days }),
            "delete" => Ok(Fetched::Delete { after_days }),
            _ => Err(()),
        }
    }
}

impl fmt::Display for Fetched {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fetched::Keep => f.write_str("keep"),
            Fetched::Seen => f.write_str("seen"),
            Fetched::Trash { after_days } => write!(f, "trash {after_days}"),
            Fetched::Delete { after_days } => write!(f, "delete {after_days}"),
        }
    }
}

impl Directory {
    /// What an account's tenant has decided; `None`: nothing.
    pub fn fetched(&self, account: AccountId) -> Option<Fetched> {
        self.account(account).and_then(|account| self.tenant_fetched(Scope::Tenant(account.tenant)))
    }

    /// What all tenants have decided, each once.
    pub fn all_fetched(&self) -> impl Iterator<Item = Option<Fetched>> {
        self.tenants().map(|tenant| self.tenant_fetched(Scope::Tenant(tenant.id)))
    }

    fn tenant_fetched(&self, scope: Scope) -> Option<Fetched> {
        self.rules(&scope).iter().find_map(|rule| if let Rule::Fetched(fetched) = rule { Some(*fetched) } else { None })
    }
}
