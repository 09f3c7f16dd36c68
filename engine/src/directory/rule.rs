//! Rules of the mail flow as records: what they say and for whom they hold. Judges no message: `mailflow` does.
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::base::{AccountId, Error, MailboxId, Result, TenantId, limits};

use super::acl::{Grant, Grantee};
use super::away::{quoted, unquoted};
use super::{Address, Away, Directory, Fetched, Keyword, Pattern, RelayHost, rate};

/// For whom a rule holds.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// An enterprise.
    Tenant(TenantId),
    /// One of its domains.
    Domain(Box<str>),
    /// A member or a business mailbox.
    Account(AccountId),
    /// A distribution list.
    Group(Address),
    /// A mailbox of an account: its access control list.
    Mailbox(AccountId, MailboxId),
}

/// What becomes of mail that a keyword filter finds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Found {
    /// It is refused.
    Reject,
    /// It goes to Junk.
    Quarantine,
}

/// Who may send to a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Senders {
    /// Members of the tenant.
    Tenant,
    /// Members of the group.
    Members,
    /// This address.
    Address(Address),
}

/// What an administrator of a tenant may do (C7).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Permission {
    /// Say what accounts of the tenant may hold.
    Quotas,
}

/// One rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rule {
    /// Mail of these senders is refused (F3).
    Block(Pattern),
    /// Mail of these senders skips the filters (F4).
    Allow(Pattern),
    /// Mail whose subject holds this text (F7).
    Keyword(Found, Keyword),
    /// Whether mail may be sent outside the tenant (F5).
    Outbound(bool),
    /// Recipients outside the tenant that one member may have in that many seconds (F6).
    Rate {
        /// How many.
        recipients: u32,
        /// In how long.
        seconds: u32,
    },
    /// Recipients outside the tenant that all its members together may have in that many seconds (A5).
    TenantRate {
        /// How many.
        recipients: u32,
        /// In how long.
        seconds: u32,
    },
    /// Mail for unknown addresses goes to that account (F8).
    CatchAll(Address),
    /// These may send to the group; without such a rule anybody may (D3).
    Senders(Senders),
    /// This account may send as the group (D3).
    Representative(Address),
    /// Rights in the mailbox (RFC 4314).
    Acl(Grant),
    /// Mail for the account goes on to that address (F11).
    Forward {
        /// Whether the account keeps a copy.
        keep: bool,
        /// Where it goes.
        to: Address,
    },
    /// Who writes is answered that the account's owner is away (F11).
    Away(Box<Away>),
    /// A script says what happens with mail for the account (F11).
    Sieve(Box<str>),
    /// The account holds so many messages at most (RFC 9208 section 5.2).
    Messages(u32),
    /// The member administers that of its tenant (C7).
    Admin(Permission),
    /// What becomes of messages that POP3 clients have fetched, in the place of what the server's configuration says.
    Fetched(Fetched),
    /// Mail on their behalf leaves by that host. `WayOut` wants this and the next to be the last.
    Relay(Box<RelayHost>),
    /// And from that address of ours.
    Source(IpAddr),
}

/// Shown with every refusal of `Rule::from_str`.
const ALLOWED: &str = "allowed: block PATTERN, allow PATTERN, keyword reject TEXT, keyword quarantine TEXT, outbound yes, outbound no, \
    rate NUMBER/PERIOD (as in 500/1d; units s, m, h, d), tenant-rate NUMBER/PERIOD, catch-all ADDRESS, senders tenant, senders members, senders ADDRESS, \
    representative ADDRESS, forward ADDRESS, forward-only ADDRESS, away days=7 from=0 until=0 subject=\"...\" text=\"...\", \
    sieve \"SCRIPT\", admin quotas, messages NUMBER, pop3 keep, pop3 seen, pop3 trash DAYS, pop3 delete DAYS, \
    relay HOST:PORT tls=verified user=NAME, source IP-ADDRESS";

impl FromStr for Rule {
    type Err = Error;

    /// Reads what `Display` writes.
    fn from_str(text: &str) -> Result<Rule> {
        let refuse = || Error::Invalid(format!("rule {text:?}; {ALLOWED}"));
        let (word, rest) = text.trim().split_once(char::is_whitespace).ok_or_else(refuse)?;
        let rest = rest.trim();
        match (word, rest) {
            ("block", pattern) => Ok(Rule::Block(pattern.parse()?)),
            ("allow", pattern) => Ok(Rule::Allow(pattern.parse()?)),
            ("outbound", "yes") => Ok(Rule::Outbound(true)),
            ("outbound", "no") => Ok(Rule::Outbound(false)),
            ("rate", text) => {
                let (recipients, seconds) = rate::read(text).ok_or_else(refuse)?;
                Ok(Rule::Rate { recipients, seconds })
            }
            ("tenant-rate", text) => {
                let (recipients, seconds) = rate::read(text).ok_or_else(refuse)?;
                Ok(Rule::TenantRate { recipients, seconds })
            }
            ("catch-all", address) => Ok(Rule::CatchAll(Address::parse(address)?)),
            ("representative", address) => Ok(Rule::Representative(Address::parse(address)?)),
            ("forward", address) => Ok(Rule::Forward { keep: true, to: Address::parse(address)? }),
            ("forward-only", address) => Ok(Rule::Forward { keep: false, to: Address::parse(address)? }),
            ("away", words) => Ok(Rule::Away(Box::new(words.parse()?))),
            ("sieve", text) => sieve(text),
            ("messages", number) => number.parse().map(Rule::Messages).map_err(|_| refuse()),
            ("pop3", words) => words.parse().map(Rule::Fetched).map_err(|()| refuse()),
            ("relay", words) => Ok(Rule::Relay(Box::new(words.parse()?))),
            ("source", ip) => ip.parse().map(Rule::Source).map_err(|_| refuse()),
            ("admin", "quotas") => Ok(Rule::Admin(Permission::Quotas)),
            ("senders", "tenant") => Ok(Rule::Senders(Senders::Tenant)),
            ("senders", "members") => Ok(Rule::Senders(Senders::Members)),
            ("senders", address) => Ok(Rule::Senders(Senders::Address(Address::parse(address)?))),
            ("keyword", rest) => {
                let (action, text) = rest.split_once(char::is_whitespace).ok_or_else(refuse)?;
                let action = match action {
                    "reject" => Found::Reject,
                    "quarantine" => Found::Quarantine,
                    _ => return Err(refuse()),
                };
                Ok(Rule::Keyword(action, Keyword::given(text.trim())?))
            }
            _ => Err(refuse()),
        }
    }
}

fn sieve(text: &str) -> Result<Rule> {
    let max = limits::SIEVE_BYTES_MAX;
    let script = unquoted(text).filter(|(script, rest)| script.len() <= max && rest.trim().is_empty());
    let script = script.ok_or_else(|| {
        Error::Invalid(format!(
            "rule sieve: allowed is a script of at most {max} bytes in quotes, with \\n, \\\" and \\\\"
        ))
    })?;
    Ok(Rule::Sieve(script.0.into()))
}

impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Block(pattern) => write!(f, "block {pattern}"),
            Rule::Allow(pattern) => write!(f, "allow {pattern}"),
            Rule::Keyword(Found::Reject, word) => write!(f, "keyword reject {}", word.text()),
            Rule::Keyword(Found::Quarantine, word) => write!(f, "keyword quarantine {}", word.text()),
            Rule::Outbound(yes) => f.write_str(if *yes { "outbound yes" } else { "outbound no" }),
            Rule::Rate { recipients, seconds } => {
                f.write_str("rate ")?;
                rate::write(f, *recipients, *seconds)
            }
            Rule::TenantRate { recipients, seconds } => {
                f.write_str("tenant-rate ")?;
                rate::write(f, *recipients, *seconds)
            }
            Rule::CatchAll(address) => write!(f, "catch-all {address}"),
            Rule::Representative(address) => write!(f, "representative {address}"),
            Rule::Senders(Senders::Tenant) => f.write_str("senders tenant"),
            Rule::Senders(Senders::Members) => f.write_str("senders members"),
            Rule::Senders(Senders::Address(address)) => write!(f, "senders {address}"),
            Rule::Acl(grant) => {
                write!(f, "acl {}{:?} {}", if grant.negative { "-" } else { "" }, grant.who, grant.rights)
            }
            Rule::Forward { keep: true, to } => write!(f, "forward {to}"),
            Rule::Forward { keep: false, to } => write!(f, "forward-only {to}"),
            Rule::Away(away) => write!(f, "away {away}"),
            Rule::Messages(max) => write!(f, "messages {max}"),
            Rule::Admin(Permission::Quotas) => f.write_str("admin quotas"),
            Rule::Fetched(fetched) => write!(f, "pop3 {fetched}"),
            Rule::Relay(relay) => write!(f, "relay {relay}"),
            Rule::Source(ip) => write!(f, "source {ip}"),
            Rule::Sieve(script) => {
                f.write_str("sieve ")?;
                quoted(f, script)
            }
        }
    }
}

impl Rule {
    /// Whether such a rule means something there.
    pub(super) fn fits(&self, scope: &Scope) -> bool {
        match self {
            Rule::Block(_) | Rule::Allow(_) | Rule::Outbound(_) | Rule::Rate { .. } => {
                matches!(scope, Scope::Tenant(_) | Scope::Account(_))
            }
            Rule::Keyword(..) | Rule::Fetched(_) | Rule::TenantRate { .. } => matches!(scope, Scope::Tenant(_)),
            Rule::Relay(_) | Rule::Source(_) => matches!(scope, Scope::Tenant(_) | Scope::Domain(_)),
            Rule::Forward { .. } | Rule::Away(_) | Rule::Sieve(_) | Rule::Messages(_) | Rule::Admin(_) => {
                matches!(scope, Scope::Account(_))
            }
            Rule::CatchAll(_) => matches!(scope, Scope::Domain(_)),
            Rule::Senders(_) | Rule::Representative(_) => matches!(scope, Scope::Group(_)),
            Rule::Acl(_) => matches!(scope, Scope::Mailbox(..)),
        }
    }

    /// Whom it gives rights to or takes rights from.
    pub(super) fn grantee(&self) -> Option<&Grantee> {
        match self {
            Rule::Acl(grant) => Some(&grant.who),
            _ => None,
        }
    }

    /// Whether only one of the two can stand: the later one takes the earlier one's place.
    pub(super) fn replaces(&self, other: &Rule) -> bool {
        matches!(
            (self, other),
            (Rule::Outbound(_), Rule::Outbound(_))
                | (Rule::Rate { .. }, Rule::Rate { .. })
                | (Rule::TenantRate { .. }, Rule::TenantRate { .. })
                | (Rule::CatchAll(_), Rule::CatchAll(_))
                | (Rule::Away(_), Rule::Away(_))
                | (Rule::Sieve(_), Rule::Sieve(_))
                | (Rule::Messages(_), Rule::Messages(_))
                | (Rule::Fetched(_), Rule::Fetched(_))
                | (Rule::Relay(_), Rule::Relay(_))
                | (Rule::Source(IpAddr::V4(_)), Rule::Source(IpAddr::V4(_)))
                | (Rule::Source(IpAddr::V6(_)), Rule::Source(IpAddr::V6(_)))
        ) || matches!((self, other), (Rule::Forward { to, .. }, Rule::Forward { to: other, .. }) if to == other)
    }

    /// Whether who takes back this rule, in words, means that one: a relay is known by its host and port.
    pub(super) fn means(&self, other: &Rule) -> bool {
        match (self, other) {
            (Rule::Relay(own), Rule::Relay(other)) => own.is_at(other),
            _ => self == other,
        }
    }
}

impl Directory {
    /// The rules of a scope, ascending.
    pub fn rules(&self, scope: &Scope) -> &[Rule] {
        self.rules.get(scope).map_or(&[], Vec::as_slice)
    }

    /// Whether a member administers that of its tenant.
    pub fn administers(&self, member: AccountId, what: Permission) -> bool {
        self.rules(&Scope::Account(member)).contains(&Rule::Admin(what))
    }

    /// Every scope that has rules, ascending.
    pub fn scopes(&self) -> impl Iterator<Item = (&Scope, &[Rule])> {
        self.rules.iter().map(|(scope, rules)| (scope, rules.as_slice()))
    }

    /// The tenant that a scope belongs to.
    pub fn tenant_of(&self, scope: &Scope) -> Option<TenantId> {
        match scope {
            Scope::Tenant(id) => Some(*id),
            Scope::Domain(name) => self.domain(name).map(|domain| domain.tenant),
            Scope::Account(id) | Scope::Mailbox(id, _) => self.account(*id).map(|account| account.tenant),
            Scope::Group(address) => self.group(address).map(|group| group.tenant),
        }
    }

    /// A scope as its name: a tenant's slug, a domain, an address.
    pub fn scope_name(&self, scope: &Scope) -> String {
        match scope {
            Scope::Tenant(id) => self.tenant(*id).map_or_else(|| id.to_string(), |tenant| tenant.name.to_string()),
            Scope::Domain(name) => name.to_string(),
            Scope::Account(id) | Scope::Mailbox(id, _) => {
                self.account(*id).map_or_else(|| id.to_string(), |account| account.address.to_string())
            }
            Scope::Group(address) => address.to_string(),
        }
    }
}
