//! Tests of the directory through its public calls, and what they share. Each random test prints its seed.
mod access;
mod address;
mod bytes;
mod history;
mod lists;
mod rules;
mod small;

use super::{AccountPatch, Address, Change, Directory, Quota};
use crate::base::{AccountId, Result};

pub(super) fn at(text: &str) -> Address {
    Address::parse(text).expect("a test's address")
}

/// Plans and applies.
pub(super) fn make(directory: &mut Directory, change: Change) -> Result<()> {
    let events = directory.plan(&change, 1_000)?;
    events.iter().try_for_each(|event| directory.apply(event))
}

pub(super) fn member(address: &str) -> Change {
    let (name, quota) = (address.to_uppercase(), Quota::Default);
    Change::MemberAdd { address: at(address), name, password_hash: None, vip: false, quota }
}

pub(super) fn set(address: &str, set: AccountPatch) -> Change {
    Change::AccountSet { address: at(address), set }
}

pub(super) fn group(address: &str, members: &[&str]) -> Change {
    let members = members.iter().map(|member| at(member)).collect();
    Change::GroupAdd { address: at(address), name: String::new(), members }
}

pub(super) fn business(address: &str, users: &[&str]) -> Change {
    let users = users.iter().map(|user| at(user)).collect();
    let (name, quota) = (String::new(), Quota::Default);
    Change::BusinessAdd { address: at(address), name, password_hash: None, quota, users }
}

pub(super) fn alias(account: &str, alias: &str) -> Change {
    Change::AliasAdd { account: at(account), alias: at(alias) }
}

pub(super) fn tenant(name: &str) -> Change {
    Change::TenantAdd { name: name.into(), title: String::new(), accounts_max: Some(100_000) }
}

pub(super) fn domain(tenant: &str, domain: &str) -> Change {
    Change::DomainAdd { tenant: tenant.into(), domain: domain.into() }
}

pub(super) fn id_of(directory: &Directory, address: &str) -> AccountId {
    directory.account_at(&at(address)).expect("an account").id
}

/// Two tenants: `acme` with ann, bob (alias robert), the group all and the business mailbox sales; `other` with eve.
pub(super) fn town() -> Directory {
    let mut directory = Directory::default();
    let changes = [
        tenant("acme"),
        domain("acme", "acme.example"),
        tenant("other"),
        domain("other", "other.example"),
        member("ann@acme.example"),
        member("bob@acme.example"),
        alias("bob@acme.example", "robert@acme.example"),
        member("eve@other.example"),
        group("all@acme.example", &["ann@acme.example", "robert@acme.example", "bob@acme.example", "far@away.example"]),
        business("sales@acme.example", &["ann@acme.example"]),
    ];
    changes.into_iter().for_each(|change| make(&mut directory, change).expect("the town is allowed"));
    directory
}
