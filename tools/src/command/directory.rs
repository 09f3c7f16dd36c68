//! tenant, domain, alias, group.
use super::{Context, End, access, dns};
use crate::cli::{AliasCommand, DomainCommand, GroupCommand, ListArgs, TenantCommand};
use crate::ops::{Change, Failure, Request, What};

/// The first page.
pub(super) fn first(what: What, args: ListArgs) -> Request {
    Request::List { what, tenant: args.tenant, contains: args.contains, after: None }
}

pub(super) fn tenant(context: &mut Context<'_>, command: TenantCommand) -> Result<End, Failure> {
    match command {
        TenantCommand::Add { name, title, accounts_max } => {
            let done = format!("tenant {name} added");
            let title = title.unwrap_or_else(|| name.clone());
            context.change(Change::TenantAdd { name, title, accounts_max }, &done)
        }
        TenantCommand::List { contains } => context.list(first(What::Tenant, ListArgs { tenant: None, contains })),
        TenantCommand::Show { name } => context.show(&Request::Show { what: What::Tenant, name }),
        TenantCommand::Set { name, title, accounts_max, disabled } => {
            let done = format!("tenant {name} set");
            context.change(Change::TenantSet { name, title, accounts_max, disabled }, &done)
        }
        TenantCommand::LoginRules { name, rules } => access::tenant_login_rules(context, name, rules),
        TenantCommand::Remove { name } => {
            let done = format!("tenant {name} removed");
            context.change(Change::TenantRemove { name }, &done)
        }
    }
}

pub(super) fn domain(context: &mut Context<'_>, command: DomainCommand) -> Result<End, Failure> {
    match command {
        DomainCommand::Add { domain, tenant } => {
            let done = format!("domain {domain} added");
            context.change(Change::DomainAdd { tenant, domain }, &done)
        }
        DomainCommand::List(args) => context.list(first(What::Domain, args)),
        DomainCommand::Show { domain } => context.show(&Request::Show { what: What::Domain, name: domain }),
        DomainCommand::Dns { domain } => dns::records(context, &domain),
        DomainCommand::Remove { domain } => {
            let done = format!("domain {domain} removed");
            context.change(Change::DomainRemove { domain }, &done)
        }
    }
}

pub(super) fn alias(context: &mut Context<'_>, command: AliasCommand) -> Result<End, Failure> {
    match command {
        AliasCommand::Add { alias, account } => {
            let done = format!("alias {alias} added");
            context.change(Change::AliasAdd { account, alias }, &done)
        }
        AliasCommand::List(args) => {
            let of = |what| Request::List {
                what,
                tenant: args.tenant.clone(),
                contains: args.contains.clone(),
                after: None,
            };
            context.lists([of(What::MemberAlias), of(What::BusinessAlias)])
        }
        AliasCommand::Show { alias } => context.show(&Request::Show { what: What::MemberAlias, name: alias }),
        AliasCommand::Remove { alias } => {
            let done = format!("alias {alias} removed");
            context.change(Change::AliasRemove { alias }, &done)
        }
    }
}

pub(super) fn group(context: &mut Context<'_>, command: GroupCommand) -> Result<End, Failure> {
    match command {
        GroupCommand::Add { address, name, members } => {
            let done = format!("group {address} added");
            context.change(Change::GroupAdd { address, name, members }, &done)
        }
        GroupCommand::List(args) => context.list(first(What::Group, args)),
        GroupCommand::Show { address } => context.show(&Request::Show { what: What::Group, name: address }),
        GroupCommand::Set { address, name, members_add, members_remove } => {
            let done = format!("group {address} set");
            context.change(Change::GroupSet { address, name, members_add, members_remove }, &done)
        }
        GroupCommand::Remove { address } => {
            let done = format!("group {address} removed");
            context.change(Change::GroupRemove { address }, &done)
        }
    }
}
