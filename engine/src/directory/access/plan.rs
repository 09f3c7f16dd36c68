//! Whether a change of what accounts log in with is allowed, and what would happen then. Changes nothing.
use super::super::event::Event;
use super::super::plan::{account_at, display_name, tenant};
use super::super::tables::Tables;
use super::super::{Account, Address};
use super::{AccessEvent, AppPassword, LoginKeys, LoginRules, LoginRulesOf, Network, Protocols, Secret, dummy_salt};
use crate::base::{Error, Result, limits};

/// Whose login rules an administrator means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whose {
    /// A tenant, by its slug.
    Tenant(String),
    /// An account, by its address or an alias.
    Account(Address),
}

/// What shall change in login rules. `None` keeps what is, `Some(None)` takes the rule away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LoginRulesPatch {
    /// The protocols that may be used.
    pub protocols: Option<Option<Protocols>>,
    /// Where clients may come from; none at all: from anywhere.
    pub networks: Option<Option<Vec<Network>>>,
    /// Whether only app passwords are taken.
    pub app_only: Option<Option<bool>>,
}

/// A change of what accounts log in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AccessChange {
    /// The secret, unless there is one.
    SecretMake([u8; 32]),
    /// Keys that were made of the password whose hash is `of_hash`; nothing when the account has another by now.
    KeysMake {
        /// Whose: an address or an alias.
        account: Address,
        /// The password's hash.
        of_hash: String,
        /// Its keys, with the account's salt.
        keys: Box<LoginKeys>,
    },
    /// One more app password.
    AppPasswordAdd {
        /// Whose: an address or an alias.
        account: Address,
        /// What its owner calls it; no other of the account is called so.
        name: String,
        /// What it opens.
        protocols: Protocols,
        /// From when on it opens nothing, seconds since 1970-01-01 UTC.
        expires: Option<i64>,
        /// Its keys, with the account's salt.
        keys: Box<LoginKeys>,
    },
    /// One less.
    AppPasswordRemove {
        /// Whose: an address or an alias.
        account: Address,
        /// Which one.
        number: u32,
    },
    /// Other login rules.
    LoginRulesSet {
        /// Whose.
        of: Whose,
        /// What shall change.
        set: LoginRulesPatch,
    },
}

/// The events of one change.
pub(in crate::directory) fn plan(tables: &impl Tables, change: &AccessChange, now: i64) -> Result<Vec<Event>> {
    let event = match change {
        AccessChange::SecretMake(_) if tables.secret().is_some() => None,
        AccessChange::SecretMake(secret) => Some(AccessEvent::SecretMade(Secret(*secret))),
        AccessChange::KeysMake { account, of_hash, keys } => keys_make(tables, account, of_hash, keys)?,
        AccessChange::AppPasswordAdd { account, name, protocols, expires, keys } => {
            let account = account_at(tables, account)?;
            let number = account.access.as_deref().map_or(1, |access| access.app_next);
            require_salt(tables, account, keys)?;
            let (name, keys) = (app_name(account, name)?, (**keys).clone());
            if protocols.bits() == 0 || expires.is_some_and(|expires| expires <= now) {
                let what = "an app password needs a protocol that it opens, and a time to come at which it expires";
                return Err(Error::Invalid(what.into()));
            }
            let app = AppPassword { number, name, protocols: *protocols, created: now, expires: *expires, keys };
            Some(AccessEvent::AppPasswordAdded { account: account.id, app: Box::new(app) })
        }
        AccessChange::AppPasswordRemove { account: address, number } => {
            let account = account_at(tables, address)?;
            let there = account.access.iter().flat_map(|access| &access.app_passwords).any(|app| app.number == *number);
            if !there {
                return Err(Error::NotFound(format!("app password {number} of {address}")));
            }
            Some(AccessEvent::AppPasswordRemoved { account: account.id, number: *number })
        }
        AccessChange::LoginRulesSet { of, set } => rules_set(tables, of, set)?,
    };
    Ok(event.map(Event::Access).into_iter().collect())
}

fn keys_make(tables: &impl Tables, address: &Address, of_hash: &str, keys: &LoginKeys) -> Result<Option<AccessEvent>> {
    let account = account_at(tables, address)?;
    let has_keys = account.access.as_deref().is_some_and(|access| access.keys.is_some());
    if account.password_hash.as_deref() != Some(of_hash) || has_keys {
        return Ok(None);
    }
    require_salt(tables, account, keys)?;
    Ok(Some(AccessEvent::KeysMade { account: account.id, keys: Box::new(keys.clone()) }))
}

/// All keys of an account have one salt, because SCRAM says the salt before it knows which password it will see.
fn require_salt(tables: &impl Tables, account: &Account, keys: &LoginKeys) -> Result<()> {
    let stored = account
        .access
        .as_deref()
        .and_then(|access| access.keys.as_ref().or_else(|| access.app_passwords.first().map(|app| &app.keys)));
    let expected = match stored {
        Some(stored) => Some((stored.salt, stored.iterations)),
        None => tables.secret().map(|secret| (dummy_salt(&secret, account.address.as_str()), keys.iterations)),
    };
    if expected == Some((keys.salt, keys.iterations)) {
        return Ok(());
    }
    Err(Error::Invalid(format!(
        "keys for {} were made with another salt than its own; ask for the salt again",
        account.address
    )))
}

fn app_name(account: &Account, name: &str) -> Result<Box<str>> {
    let name = display_name("name of the app password", name)?;
    let others = account.access.as_deref().map_or(&[][..], |access| &access.app_passwords);
    if others.iter().any(|other| other.name == name) {
        return Err(Error::Exists(format!("app password {name:?} of {}", account.address)));
    }
    if others.len() >= limits::APP_PASSWORDS_MAX {
        let max = limits::APP_PASSWORDS_MAX;
        return Err(Error::Limit(format!(
            "{} has {max} app passwords, as many as an account may have",
            account.address
        )));
    }
    Ok(name)
}

fn rules_set(tables: &impl Tables, of: &Whose, set: &LoginRulesPatch) -> Result<Option<AccessEvent>> {
    let (of, before) = match of {
        Whose::Tenant(name) => {
            let tenant = tenant(tables, name)?;
            (LoginRulesOf::Tenant(tenant.id), tenant.rules.clone())
        }
        Whose::Account(address) => {
            let account = account_at(tables, address)?;
            let rules = account.access.as_deref().map(|access| access.rules.clone());
            (LoginRulesOf::Account(account.id), rules.unwrap_or_default())
        }
    };
    let rules = LoginRules {
        protocols: set.protocols.unwrap_or(before.protocols),
        networks: set.networks.clone().unwrap_or_else(|| before.networks.clone()).map(sorted),
        app_only: set.app_only.unwrap_or(before.app_only),
    };
    if rules.networks.as_ref().is_some_and(|networks| networks.len() > limits::TRUSTED_NETWORKS_MAX) {
        return Err(Error::Limit(format!("{} trusted networks; allowed are {0}", limits::TRUSTED_NETWORKS_MAX)));
    }
    Ok((rules != before).then_some(AccessEvent::LoginRulesSet { of, rules }))
}

fn sorted(networks: Vec<Network>) -> Vec<Network> {
    super::super::sorted::set(networks.iter().map(Network::trunc).collect())
}
