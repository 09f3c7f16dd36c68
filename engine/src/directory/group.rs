//! A distribution list's record. Never expands itself: see `resolve`.
use crate::base::TenantId;

use super::Address;

/// An address that stands for many (one level: a group is never a member of a group of its tenant).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Where it receives.
    pub address: Address,
    /// The enterprise it belongs to: that of its address's domain.
    pub tenant: TenantId,
    /// The name shown to people.
    pub name: Box<str>,
    /// Accounts, aliases and addresses elsewhere, sorted, each once.
    pub members: Vec<Address>,
    /// Seconds since 1970-01-01 UTC.
    pub created: i64,
}
