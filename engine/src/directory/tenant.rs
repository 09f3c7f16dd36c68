//! A tenant's and a domain's record. Never holds what their accounts hold.
use std::sync::Arc;

use crate::base::TenantId;

use super::LoginRules;

/// An enterprise on this system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenant {
    /// Never reused.
    pub id: TenantId,
    /// Unique: small letters, digits and hyphens.
    pub name: Box<str>,
    /// The name shown to people.
    pub title: Box<str>,
    /// Accounts that it may have (A9).
    pub accounts_max: u32,
    /// No account of it logs in, sends or receives.
    pub disabled: bool,
    /// What the logins of its accounts must keep.
    pub rules: LoginRules,
    /// Seconds since 1970-01-01 UTC.
    pub created: i64,
    /// Accounts that it has now; derived.
    pub accounts: u32,
    /// Its domains, sorted; derived.
    pub domains: Vec<Arc<str>>,
}

/// A domain whose mail is received here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain {
    /// In A-labels and small letters.
    pub name: Arc<str>,
    /// Whose it is.
    pub tenant: TenantId,
    /// Seconds since 1970-01-01 UTC.
    pub created: i64,
    /// Accounts, aliases and groups in it; derived.
    pub addresses: u64,
}
