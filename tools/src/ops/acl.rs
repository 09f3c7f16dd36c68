//! Access control lists of mailboxes, as they are listed and set (RFC 4314). Names members by address and mailboxes by name; the directory
//! knows numbers only.
use super::{Failure, Kind, Response, View};
use crate::limits::PAGE_ROWS_MAX;
use posthouse_engine::Engine;
use posthouse_engine::base::{AccountId, MailboxId};
use posthouse_engine::directory::{self, AclChange, AclMode, Address, Rights};
use serde::{Deserialize, Serialize};

/// One entry of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclView {
    /// Whose mailbox.
    pub account: String,
    /// Its name.
    pub mailbox: String,
    /// A member, a group, or `anyone`; with `-` before it, from whom the rights are taken.
    pub who: String,
    /// The letters of RFC 4314.
    pub rights: String,
}

/// The account of an address or alias, whose mailboxes are there from its first use on.
fn account(engine: &Engine, address: &str) -> Result<(AccountId, String), Failure> {
    let at = Address::parse(address)?;
    let found = engine.directory(|directory| directory.account_at(&at).map(|it| (it.id, it.address.to_string())));
    found.ok_or_else(|| Failure::not_found(format_args!("account {address}")))
}

/// One page, behind as many rows as `after` says.
pub(super) fn list(engine: &Engine, of: &str, mailbox: Option<&str>, after: Option<&str>) -> Result<Response, Failure> {
    let (owner, address) = account(engine, of)?;
    let view = engine.open_account(owner).wait()?;
    if let Some(name) = mailbox.filter(|name| view.mailbox_named(name).is_none()) {
        return Err(Failure::not_found(format_args!("mailbox {name} of {address}")));
    }
    let wanted =
        |name: &str| mailbox.is_none_or(|wanted| view.mailbox_named(wanted).is_some_and(|it| &*it.name == name));
    let mut rows = Vec::new();
    for folder in view.mailboxes.iter().filter(|folder| wanted(&folder.name)) {
        engine.directory(|directory| {
            for grant in directory.grants(owner, folder.id) {
                let sign = if grant.negative { "-" } else { "" };
                let who = format!("{sign}{}", directory.grantee_name(&grant.who));
                let (account, mailbox) = (address.clone(), folder.name.to_string());
                rows.push(View::Acl(AclView { account, mailbox, who, rights: grant.rights.to_string() }));
            }
        });
    }
    let skipped: usize = after.and_then(|after| after.parse().ok()).unwrap_or(0);
    let more = rows.len() > skipped.saturating_add(PAGE_ROWS_MAX);
    let rows = rows.into_iter().skip(skipped).take(PAGE_ROWS_MAX).collect();
    Ok(Response::Listed { rows, next: more.then(|| (skipped + PAGE_ROWS_MAX).to_string()) })
}

/// Gives somebody rights, takes some, or all; with all mailboxes of the account when none is named.
pub(super) fn set(
    engine: &Engine,
    of: &str,
    mailbox: Option<&str>,
    who: &str,
    rights: &str,
) -> Result<Response, Failure> {
    let (owner, address) = account(engine, of)?;
    let view = engine.open_account(owner).wait()?;
    let chosen: Vec<MailboxId> = match mailbox {
        None => view.mailboxes.iter().map(|folder| folder.id).collect(),
        Some(name) => match view.mailbox_named(name) {
            Some(folder) => vec![folder.id],
            None => return Err(Failure::not_found(format_args!("mailbox {name} of {address}"))),
        },
    };
    let (negative, bare) = who.strip_prefix('-').map_or((false, who), |bare| (true, bare));
    let grantee = engine.directory(|directory| directory.grantee(owner, bare));
    let grantee = grantee.ok_or_else(|| {
        Failure::new(
            Kind::NotFound,
            format!("no member and no group {bare} in the tenant of {address}; anyone means all its members"),
        )
    })?;
    let (mode, letters) = match rights.as_bytes().first() {
        Some(b'+') => (AclMode::Add, &rights[1..]),
        Some(b'-') => (AclMode::Remove, &rights[1..]),
        _ => (AclMode::Replace, rights),
    };
    let rights: Rights = letters.parse()?;
    let change = |mailbox: MailboxId| {
        let who = grantee.clone();
        directory::Change::Acl(AclChange::Set { owner, mailbox, who, negative, mode, rights })
    };
    let answers = engine.change_directory(chosen.into_iter().map(change).collect()).wait();
    let failed: Option<Failure> = answers.into_iter().find_map(|answer| answer.err().map(Failure::from));
    Ok(Response::Changed { results: vec![failed] })
}
