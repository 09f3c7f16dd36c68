//! What an account proves itself with besides its password hash, and the login rules that must be kept (F13 to F15). Checks no password:
//! see `keys`.
mod codec;
mod fold;
mod judge;
mod keys;
pub(super) mod plan;

pub use ipnet::IpNet as Network;
pub use judge::{Candidate, Denial, Proven, Scram};
pub use keys::{KeyPair, LoginKeys, ScramHash, app_password_form, dummy_salt, new_app_password};

pub(super) use codec::{get_access, get_login_rules, put_access, put_login_rules};
pub(super) use fold::fold;

pub use crate::base::Protocol;
use crate::base::{AccountId, TenantId};

/// A set of protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Protocols(u8);

impl Protocols {
    /// Every protocol.
    pub const ALL: Protocols = Protocols(7);

    /// The set of these.
    pub fn of(all: impl IntoIterator<Item = Protocol>) -> Protocols {
        Protocols(all.into_iter().fold(0, |bits, protocol| bits | protocol.bit()))
    }

    /// The set of these bits; `None` when one of them means nothing.
    pub fn from_bits(bits: u8) -> Option<Protocols> {
        (bits & !Protocols::ALL.0 == 0).then_some(Protocols(bits))
    }

    /// One bit for each.
    pub fn bits(self) -> u8 {
        self.0
    }

    /// Whether it is one of them.
    pub fn has(self, protocol: Protocol) -> bool {
        self.0 & protocol.bit() != 0
    }

    /// Those in the set.
    pub fn iter(self) -> impl Iterator<Item = Protocol> {
        Protocol::ALL.into_iter().filter(move |protocol| self.has(*protocol))
    }
}

/// A tenant's or an account's login rules; what is not given is as it is one step higher: account, tenant, nothing forbidden.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginRules {
    /// The protocols that may be used.
    pub protocols: Option<Protocols>,
    /// Where clients may come from, sorted; none at all: from anywhere.
    pub networks: Option<Vec<Network>>,
    /// Whether only app passwords are taken.
    pub app_only: Option<bool>,
}

/// A password for one client of a member, which can be taken away by itself. The server keeps its keys and never itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppPassword {
    /// Never given again in its account.
    pub number: u32,
    /// What its owner calls it.
    pub name: Box<str>,
    /// What it opens.
    pub protocols: Protocols,
    /// Seconds since 1970-01-01 UTC.
    pub created: i64,
    /// From when on it opens nothing, seconds since 1970-01-01 UTC.
    pub expires: Option<i64>,
    /// Its keys.
    pub keys: LoginKeys,
}

/// What an account has for logins besides its password hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Access {
    /// Keys of its password, once they could be made.
    pub keys: Option<LoginKeys>,
    /// The number of the next app password.
    pub app_next: u32,
    /// By number.
    pub app_passwords: Vec<AppPassword>,
    /// Its login rules.
    pub rules: LoginRules,
}

impl Default for Access {
    fn default() -> Access {
        Access { keys: None, app_next: 1, app_passwords: Vec::new(), rules: LoginRules::default() }
    }
}

/// What the salts of names are derived from: who has it can tell made-up names from others. `Debug` hides it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret(pub [u8; 32]);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Secret").finish_non_exhaustive()
    }
}

/// Whose login rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LoginRulesOf {
    /// Of all accounts of an enterprise.
    Tenant(TenantId),
    /// Of one account.
    Account(AccountId),
}

/// A fact about logins, as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessEvent {
    /// What the salts of names are derived from; made once.
    SecretMade(Secret),
    /// The keys of the password that the account has.
    KeysMade {
        /// Whose.
        account: AccountId,
        /// They.
        keys: Box<LoginKeys>,
    },
    /// One more app password.
    AppPasswordAdded {
        /// Whose.
        account: AccountId,
        /// It.
        app: Box<AppPassword>,
    },
    /// One less.
    AppPasswordRemoved {
        /// Whose.
        account: AccountId,
        /// Which one.
        number: u32,
    },
    /// Other login rules.
    LoginRulesSet {
        /// Whose.
        of: LoginRulesOf,
        /// All of them.
        rules: LoginRules,
    },
}

impl AccessEvent {
    /// The account that it speaks of.
    pub fn account(&self) -> Option<AccountId> {
        match self {
            AccessEvent::KeysMade { account, .. }
            | AccessEvent::AppPasswordAdded { account, .. }
            | AccessEvent::AppPasswordRemoved { account, .. }
            | AccessEvent::LoginRulesSet { of: LoginRulesOf::Account(account), .. } => Some(*account),
            AccessEvent::SecretMade(_) | AccessEvent::LoginRulesSet { of: LoginRulesOf::Tenant(_), .. } => None,
        }
    }
}
