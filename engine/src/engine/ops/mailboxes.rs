//! CREATE, DELETE, RENAME, SUBSCRIBE (RFC 3501 sections 6.3.3 to 6.3.7).
use super::copy;
use crate::base::limits::{MAILBOX_NAME_BYTES_MAX, MAILBOXES_MAX};
use crate::base::{AccountId, Error, MailboxId, Result, SpecialUse, Uid, UidSet};
use crate::engine::At;
use crate::engine::txn::Txn;
use crate::format::Event;
use crate::index::check_mailbox_name;
use std::collections::HashSet;

fn missing(name: &str) -> Error {
    Error::NotFound(format!("mailbox {name}"))
}

/// Makes the mailbox and the parents it lacks. A name that a mailbox has is `Exists`.
pub(in crate::engine) fn create(
    txn: &mut Txn<'_>,
    account: AccountId,
    name: &str,
    special_use: Option<SpecialUse>,
) -> Result<MailboxId> {
    let name = check_mailbox_name(name)?;
    let view = txn.opened(account)?;
    if view.mailbox_named(&name).is_some() {
        return Err(Error::Exists(format!("mailbox {name}")));
    }
    if let Some(special_use) = special_use.filter(|special_use| view.mailbox_for(*special_use).is_some()) {
        return Err(Error::Exists(format!("a mailbox with {}", special_use.attribute())));
    }
    let made: Vec<String> =
        parents(&name).filter(|parent| view.mailbox_named(parent).is_none()).chain([name.clone()]).collect();
    if view.mailboxes.len() + made.len() > MAILBOXES_MAX {
        return Err(Error::Limit(format!("an account has at most {MAILBOXES_MAX} mailboxes")));
    }
    let mut id = MailboxId::INBOX;
    for made in made {
        let special_use = special_use.filter(|_| made == name);
        id = make(txn, account, made, special_use)?;
    }
    Ok(id)
}

fn make(txn: &mut Txn<'_>, account: AccountId, name: String, special_use: Option<SpecialUse>) -> Result<MailboxId> {
    let now = u32::try_from(txn.now).unwrap_or(1);
    let view = txn.account(account)?;
    let (mailbox, uid_validity) = (view.mailbox_next, view.uid_validity_next.max(now));
    txn.emit(&Event::MailboxMade { account, mailbox, uid_validity, special_use, name })?;
    Ok(mailbox)
}

fn parents(name: &str) -> impl Iterator<Item = String> + '_ {
    name.match_indices('/').map(|(at, _)| name[..at].to_owned())
}

/// The mailbox that has that name now.
pub(in crate::engine) fn named(txn: &mut Txn<'_>, account: AccountId, name: &str) -> Result<MailboxId> {
    let found = txn.opened(account)?.mailbox_named(name).ok_or_else(|| missing(name))?;
    Ok(found.id)
}

/// Takes a mailbox away, whatever it is called by now.
pub(in crate::engine) fn delete(txn: &mut Txn<'_>, account: AccountId, mailbox: MailboxId) -> Result<()> {
    txn.mailbox(account, mailbox)?;
    if mailbox == MailboxId::INBOX {
        return Err(Error::Invalid("INBOX cannot be deleted".into()));
    }
    txn.emit(&Event::MailboxRemoved { account, mailbox })
}

/// Gives a mailbox another name, whatever it is called by now, and its children with it.
pub(in crate::engine) fn rename(txn: &mut Txn<'_>, account: AccountId, mailbox: MailboxId, to: &str) -> Result<()> {
    let to = check_mailbox_name(to)?;
    let view = txn.opened(account)?.clone();
    let found = txn.mailbox(account, mailbox)?.clone();
    if view.mailbox_named(&to).is_some() {
        return Err(Error::Exists(format!("mailbox {to}")));
    }
    if found.id == MailboxId::INBOX {
        return rename_inbox(txn, account, &to);
    }
    let below = format!("{}/", found.name);
    if to.starts_with(&below) {
        return Err(Error::Invalid(format!("mailbox {} cannot move below itself", found.name)));
    }
    let names: HashSet<&str> = view.mailboxes.iter().map(|mailbox| &*mailbox.name).collect();
    let mut renamed = vec![(found.id, to.clone())];
    for child in view.mailboxes.iter().filter(|mailbox| mailbox.name.starts_with(&below)) {
        let name = format!("{to}/{}", &child.name[below.len()..]);
        if name.len() > MAILBOX_NAME_BYTES_MAX || names.contains(name.as_str()) {
            return Err(Error::Exists(format!("mailbox {name}, or its name is too long")));
        }
        renamed.push((child.id, name));
    }
    for parent in parents(&to) {
        if txn.account(account)?.mailbox_named(&parent).is_none() {
            make(txn, account, parent, None)?;
        }
    }
    for (mailbox, name) in renamed {
        txn.emit(&Event::MailboxRenamed { account, mailbox, name })?;
    }
    Ok(())
}

/// RFC 3501 section 6.3.5: the messages move to the new mailbox, INBOX stays, its children too.
fn rename_inbox(txn: &mut Txn<'_>, account: AccountId, to: &str) -> Result<()> {
    let uids = UidSet::range(Uid(1), Uid(u32::MAX));
    txn.promises.check((account, MailboxId::INBOX), &uids)?;
    let to = create(txn, account, to, None)?;
    let (from, to) = (At::own(account, MailboxId::INBOX), At::own(account, to));
    let request = copy::Request { from, uids, to, bound: None, moves: true };
    copy::plan(txn, &request).map(drop)
}

pub(in crate::engine) fn subscribe(txn: &mut Txn<'_>, account: AccountId, name: &str, on: bool) -> Result<()> {
    let name = check_mailbox_name(name)?;
    let view = txn.opened(account)?;
    if view.subscriptions.contains(name.as_str()) == on {
        return Ok(());
    }
    if on && view.subscriptions.len() >= MAILBOXES_MAX {
        return Err(Error::Limit(format!("an account has at most {MAILBOXES_MAX} subscriptions")));
    }
    txn.emit(&Event::Subscribed { account, on, name })
}
