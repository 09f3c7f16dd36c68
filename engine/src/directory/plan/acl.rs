//! Changes of access control lists. Changes nothing itself.
use crate::base::{AccountId, Error, MailboxId, Result, limits};

use super::super::fold::is_in_tenant;
use super::super::tables::Tables;
use super::super::{AclChange, AclMode, Event, Grant, Grantee, Rights, Rule, Scope};

/// The events of one change.
pub(super) fn plan(tables: &impl Tables, change: &AclChange) -> Result<Vec<Event>> {
    match change {
        AclChange::Set { owner, mailbox, who, negative, mode, rights } => {
            set(tables, (*owner, *mailbox), (who, *negative), *mode, *rights)
        }
        AclChange::Inherit { owner, from, to } => {
            let (from, to) = (Scope::Mailbox(*owner, *from), Scope::Mailbox(*owner, *to));
            if !tables.rules_of(&to).is_empty() || tables.rules_of(&from).is_empty() {
                return Ok(Vec::new());
            }
            require_room(tables, *owner, 0)?;
            Ok(tables.rules_of(&from).iter().map(|rule| Event::RuleAdded(to.clone(), rule.clone())).collect())
        }
        AclChange::Clear { owner, mailbox } => {
            let scope = Scope::Mailbox(*owner, *mailbox);
            let rules = tables.rules_of(&scope).iter();
            Ok(rules.map(|rule| Event::RuleRemoved(scope.clone(), rule.clone())).collect())
        }
    }
}

/// A list is read with each command in its mailbox, and the lists of all mailboxes are in memory.
fn require_room(tables: &impl Tables, owner: AccountId, len: usize) -> Result<()> {
    if len >= limits::ACL_ENTRIES_MAX {
        let max = limits::ACL_ENTRIES_MAX;
        return Err(Error::Limit(format!("the list has {max} entries already, as many as a mailbox may have")));
    }
    let all: usize = tables.shared_by(owner).iter().map(|scope| tables.rules_of(scope).len()).sum();
    if all >= limits::ACL_ENTRIES_ACCOUNT_MAX {
        let max = limits::ACL_ENTRIES_ACCOUNT_MAX;
        return Err(Error::Limit(format!(
            "the lists of the account have {max} entries already, as many as they may have"
        )));
    }
    Ok(())
}

fn set(
    tables: &impl Tables,
    (owner, mailbox): (AccountId, MailboxId),
    (who, negative): (&Grantee, bool),
    mode: AclMode,
    rights: Rights,
) -> Result<Vec<Event>> {
    let account = tables.account(owner).ok_or_else(|| Error::NotFound(format!("account {owner}")))?;
    if *who == Grantee::Account(owner) {
        return Err(Error::Invalid(format!("{} has all rights in its own mailboxes, always", account.address)));
    }
    if !is_in_tenant(tables, who, account.tenant) {
        return Err(Error::NotFound("whom the rights are for".into()));
    }
    let scope = Scope::Mailbox(owner, mailbox);
    let rules = tables.rules_of(&scope);
    let is_its = |grant: &&Grant| grant.who == *who && grant.negative == negative;
    let grants = rules.iter().filter_map(|rule| match rule {
        Rule::Acl(grant) => Some(grant),
        _ => None,
    });
    let before = grants.into_iter().find(is_its);
    let had = before.map_or(Rights::NONE, |grant| grant.rights);
    let rights = match mode {
        AclMode::Replace => rights,
        AclMode::Add => had.union(rights),
        AclMode::Remove => had.without(rights),
    };
    if rights == had {
        return Ok(Vec::new());
    }
    if before.is_none() {
        require_room(tables, owner, rules.len())?;
    }
    let removed = before.map(|grant| Event::RuleRemoved(scope.clone(), Rule::Acl(grant.clone())));
    let grant = Grant { who: who.clone(), negative, rights };
    let added = (!rights.is_empty()).then(|| Event::RuleAdded(scope.clone(), Rule::Acl(grant)));
    Ok(removed.into_iter().chain(added).collect())
}
