//! member, business.
use super::directory::first;
use super::{Context, End, access, away, import, removed};
use crate::cli::{BusinessCommand, MemberCommand};
use crate::ops::{Change, Failure, Patch, Request, Response, What};
use crate::password::Fresh;

pub(super) fn member(context: &mut Context<'_>, command: MemberCommand) -> Result<End, Failure> {
    match command {
        MemberCommand::Add { address, name, vip, quota, password } => {
            let done = format!("member {address} added");
            let fresh = password.fresh()?;
            let keys = access::keys_of(context, &address, fresh.as_ref())?;
            let password_hash = fresh.map(|fresh| fresh.hash);
            let add = Change::MemberAdd { address, name, password_hash, vip, quota };
            context.changes([add].into_iter().chain(keys).collect(), &done)
        }
        MemberCommand::Import { file } => import::run(context, &file),
        MemberCommand::List(args) => context.list(first(What::Member, args)),
        MemberCommand::Show { address } => context.show(&Request::Show { what: What::Member, name: address }),
        MemberCommand::Set { address, name, vip, quota, disabled, password } => {
            must_be(context, What::Member, &address)?;
            let patch = Patch { name, vip, quota, disabled, ..Patch::default() };
            set(context, "member", address, patch, password.fresh()?)
        }
        MemberCommand::Remove { address } => remove(context, What::Member, "member", address),
        MemberCommand::AppPassword(command) => access::app_password(context, command),
        MemberCommand::Away(args) => {
            must_be(context, What::Member, &args.address)?;
            away::away(context, args)
        }
        MemberCommand::Forward(args) => {
            must_be(context, What::Member, &args.address)?;
            away::forward(context, args)
        }
        MemberCommand::LoginRules { address, rules } => {
            must_be(context, What::Member, &address)?;
            access::account_login_rules(context, address, rules)
        }
        MemberCommand::Removed(command) => removed::run(context, "member", command),
    }
}

pub(super) fn business(context: &mut Context<'_>, command: BusinessCommand) -> Result<End, Failure> {
    match command {
        BusinessCommand::Add { address, name, quota, users, password } => {
            let done = format!("business mailbox {address} added");
            let fresh = password.fresh()?;
            let keys = access::keys_of(context, &address, fresh.as_ref())?;
            let password_hash = fresh.map(|fresh| fresh.hash);
            let add = Change::BusinessAdd { address, name, password_hash, quota, users };
            context.changes([add].into_iter().chain(keys).collect(), &done)
        }
        BusinessCommand::List(args) => context.list(first(What::Business, args)),
        BusinessCommand::Show { address } => context.show(&Request::Show { what: What::Business, name: address }),
        BusinessCommand::Set { address, name, quota, disabled, users_add, users_remove, password } => {
            must_be(context, What::Business, &address)?;
            let patch = Patch { name, quota, disabled, users_add, users_remove, ..Patch::default() };
            set(context, "business mailbox", address, patch, password.fresh()?)
        }
        BusinessCommand::Remove { address } => remove(context, What::Business, "business mailbox", address),
        BusinessCommand::Removed(command) => removed::run(context, "business", command),
    }
}

/// The directory sets and removes accounts of both kinds by one change; the words on the command line say which is meant.
pub(super) fn must_be(context: &mut Context<'_>, what: What, address: &str) -> Result<(), Failure> {
    match context.session.ask(&Request::Show { what, name: address.to_owned() })? {
        Response::Shown { .. } => Ok(()),
        other => Err(super::unexpected(&other)),
    }
}

fn set(
    context: &mut Context<'_>,
    word: &str,
    address: String,
    mut set: Patch,
    fresh: Option<Fresh>,
) -> Result<End, Failure> {
    let done = format!("{word} {address} set");
    let keys = access::keys_of(context, &address, fresh.as_ref())?;
    set.password_hash = fresh.map(|fresh| fresh.hash);
    context.changes([Change::AccountSet { address, set }].into_iter().chain(keys).collect(), &done)
}

fn remove(context: &mut Context<'_>, what: What, word: &str, address: String) -> Result<End, Failure> {
    must_be(context, what, &address)?;
    let done = format!("{word} {address} removed");
    context.change(Change::AccountRemove { address }, &done)
}
