//! What each event does to what accounts log in with. Refuses with `Corrupt`, before it changes anything, what no plan can have made.
use super::super::fold::corrupt;
use super::super::tables::Tables;
use super::{Access, AccessEvent, LoginRulesOf};
use crate::base::{AccountId, Error, Result};

/// Folds one event into the tables.
pub(in crate::directory) fn fold(tables: &mut impl Tables, event: &AccessEvent) -> Result<()> {
    match event {
        AccessEvent::SecretMade(secret) => {
            if tables.secret().is_some() {
                return Err(corrupt("a secret is made twice".into()));
            }
            tables.set_secret(secret.0);
            Ok(())
        }
        AccessEvent::KeysMade { account, keys } => {
            let hash = tables.account(*account).map(|account| account.password_hash.is_some());
            if hash == Some(false) {
                return Err(corrupt(format!("keys of account {account}, which has no password")));
            }
            edit(tables, *account, |access| {
                access.keys = Some((**keys).clone());
                Ok(())
            })
        }
        AccessEvent::AppPasswordAdded { account, app } => edit(tables, *account, |access| {
            let after = app.number.checked_add(1).filter(|_| app.number >= access.app_next);
            access.app_next = after.ok_or_else(|| corrupt(format!("app password {} twice", app.number)))?;
            access.app_passwords.push((**app).clone());
            Ok(())
        }),
        AccessEvent::AppPasswordRemoved { account, number } => edit(tables, *account, |access| {
            let at = access.app_passwords.iter().position(|app| app.number == *number);
            access.app_passwords.remove(at.ok_or_else(|| corrupt(format!("no app password {number}")))?);
            Ok(())
        }),
        AccessEvent::LoginRulesSet { of: LoginRulesOf::Account(account), rules } => edit(tables, *account, |access| {
            access.rules = rules.clone();
            Ok(())
        }),
        AccessEvent::LoginRulesSet { of: LoginRulesOf::Tenant(id), rules } => {
            let tenant = tables.tenant_mut(*id).ok_or_else(|| corrupt(format!("no tenant {id}")))?;
            tenant.rules = rules.clone();
            Ok(())
        }
    }
}

fn edit(tables: &mut impl Tables, id: AccountId, change: impl FnOnce(&mut Access) -> Result<(), Error>) -> Result<()> {
    let account = tables.account_mut(id).ok_or_else(|| corrupt(format!("no account {id}")))?;
    let mut access = account.access.as_deref().cloned().unwrap_or_default();
    change(&mut access)?;
    account.access = kept(access);
    Ok(())
}

/// An account that has nothing of it holds nothing for it.
fn kept(access: Access) -> Option<Box<Access>> {
    (access != Access::default()).then(|| Box::new(access))
}

impl Access {
    /// The same without keys: the password is another now.
    pub(in crate::directory) fn without_keys(access: Option<Box<Access>>) -> Option<Box<Access>> {
        access.and_then(|access| kept(Access { keys: None, ..*access }))
    }
}
