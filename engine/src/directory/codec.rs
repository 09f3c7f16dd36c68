//! The bytes of the directory's records (docs/format.md, "Directory events"). Every value has one encoding; nothing else
//! is read. Bounds of `base/limits.rs` are not asked here: a log stays readable when one of them changes.
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{AccountId, TenantId};

use super::access::{get_access, get_login_rules, put_access, put_login_rules};
use super::{Account, AccountKind, Address, Domain, Group, LoginRules, Quota, Removed, Tenant, sorted};

pub(super) type Decoded<T> = std::result::Result<T, DecodeError>;

/// Reads one byte in which only the bits of `known` may be set.
pub(super) fn bits(reader: &mut Reader<'_>, known: u8) -> Decoded<u8> {
    let bits = reader.clone().u8()?;
    if bits & !known != 0 {
        return reader.error("a byte of known bits expected");
    }
    reader.u8()
}

pub(super) fn get_box(reader: &mut Reader<'_>) -> Decoded<Box<str>> {
    reader.str().map(Box::from)
}

pub(super) fn put_address(out: &mut Vec<u8>, address: &Address) {
    out.put_str(address.as_str());
}

pub(super) fn get_address(reader: &mut Reader<'_>) -> Decoded<Address> {
    let text = reader.clone().str()?;
    match Address::from_stored(text) {
        Some(address) => reader.str().map(|_| address),
        None => reader.error("a mail address expected"),
    }
}

pub(super) fn put_addresses(out: &mut Vec<u8>, addresses: &[Address]) {
    out.put_varint(addresses.len() as u64);
    addresses.iter().for_each(|address| put_address(out, address));
}

pub(super) fn get_addresses(reader: &mut Reader<'_>) -> Decoded<Vec<Address>> {
    get_set(reader, get_address)
}

pub(super) fn put_ids(out: &mut Vec<u8>, ids: &[AccountId]) {
    out.put_varint(ids.len() as u64);
    ids.iter().for_each(|id| out.put_varint(id.0));
}

pub(super) fn get_ids(reader: &mut Reader<'_>) -> Decoded<Vec<AccountId>> {
    get_set(reader, |reader| reader.varint().map(AccountId))
}

/// A count and as many items, ascending. Grows with what is read, not with what is promised.
fn get_set<T: Ord>(reader: &mut Reader<'_>, item: impl Fn(&mut Reader<'_>) -> Decoded<T>) -> Decoded<Vec<T>> {
    let count = reader.count()?;
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(item(reader)?);
    }
    if sorted::is_set(&items) { Ok(items) } else { reader.error("a list in ascending order expected") }
}

pub(super) fn put_quota(out: &mut Vec<u8>, quota: Quota) {
    match quota {
        Quota::Default => out.put_u8(0),
        Quota::Unlimited => out.put_u8(1),
        Quota::Bytes(bytes) => {
            out.put_u8(2);
            out.put_varint(bytes);
        }
    }
}

pub(super) fn get_quota(reader: &mut Reader<'_>) -> Decoded<Quota> {
    match reader.u8()? {
        0 => Ok(Quota::Default),
        1 => Ok(Quota::Unlimited),
        2 => reader.varint().map(Quota::Bytes),
        _ => reader.error("a kind of quota expected before this byte"),
    }
}

const DISABLED: u8 = 1;
const VIP: u8 = 2;
const HASHED: u8 = 4;
const BUSINESS: u8 = 8;
const ACCESS: u8 = 16;
const LOGIN_RULES: u8 = 2;

fn flag(on: bool, bit: u8) -> u8 {
    if on { bit } else { 0 }
}

pub(super) fn put_tenant(out: &mut Vec<u8>, tenant: &Tenant) {
    out.put_varint(u64::from(tenant.id.0));
    let has_rules = tenant.rules != LoginRules::default();
    out.put_u8(flag(tenant.disabled, DISABLED) | flag(has_rules, LOGIN_RULES));
    out.put_str(&tenant.name);
    out.put_str(&tenant.title);
    out.put_varint(u64::from(tenant.accounts_max));
    out.put_i64(tenant.created);
    if has_rules {
        put_login_rules(out, &tenant.rules);
    }
}

pub(super) fn get_tenant(reader: &mut Reader<'_>) -> Decoded<Tenant> {
    let id = TenantId(reader.varint_u32()?);
    let flags = bits(reader, DISABLED | LOGIN_RULES)?;
    Ok(Tenant {
        id,
        disabled: flags & DISABLED != 0,
        name: get_box(reader)?,
        title: get_box(reader)?,
        accounts_max: reader.varint_u32()?,
        created: reader.i64()?,
        rules: if flags & LOGIN_RULES != 0 { get_some_login_rules(reader)? } else { LoginRules::default() },
        accounts: 0,
        domains: Vec::new(),
    })
}

fn get_some_login_rules(reader: &mut Reader<'_>) -> Decoded<LoginRules> {
    let rules = get_login_rules(reader)?;
    if rules == LoginRules::default() {
        reader.error("login rules that say something expected before this byte")
    } else {
        Ok(rules)
    }
}

/// Two bits: whether a yes or no is given, and which.
pub(super) fn choice(reader: &Reader<'_>, bits: u8) -> Decoded<Option<bool>> {
    match bits & 3 {
        0 => Ok(None),
        1 => Ok(Some(false)),
        3 => Ok(Some(true)),
        _ => reader.error("a yes that is given expected"),
    }
}

pub(super) fn put_domain(out: &mut Vec<u8>, domain: &Domain) {
    out.put_varint(u64::from(domain.tenant.0));
    out.put_str(&domain.name);
    out.put_i64(domain.created);
}

pub(super) fn get_domain(reader: &mut Reader<'_>) -> Decoded<Domain> {
    let tenant = TenantId(reader.varint_u32()?);
    Ok(Domain { tenant, name: reader.str()?.into(), created: reader.i64()?, addresses: 0 })
}

pub(super) fn put_account(out: &mut Vec<u8>, account: &Account) {
    out.put_varint(account.id.0);
    out.put_u8(
        flag(account.disabled, DISABLED)
            | flag(account.vip, VIP)
            | flag(account.password_hash.is_some(), HASHED)
            | flag(account.kind == AccountKind::Business, BUSINESS)
            | flag(account.access.is_some(), ACCESS),
    );
    out.put_varint(u64::from(account.tenant.0));
    put_address(out, &account.address);
    out.put_str(&account.name);
    put_quota(out, account.quota);
    account.password_hash.iter().for_each(|hash| out.put_str(hash));
    put_addresses(out, &account.aliases);
    put_ids(out, &account.users);
    out.put_i64(account.created);
    account.access.iter().for_each(|access| put_access(out, access));
}

pub(super) fn get_account(reader: &mut Reader<'_>) -> Decoded<Account> {
    let id = AccountId(reader.varint()?);
    let flags = bits(reader, DISABLED | VIP | HASHED | BUSINESS | ACCESS)?;
    Ok(Account {
        id,
        kind: if flags & BUSINESS != 0 { AccountKind::Business } else { AccountKind::Member },
        tenant: TenantId(reader.varint_u32()?),
        address: get_address(reader)?,
        name: get_box(reader)?,
        vip: flags & VIP != 0,
        quota: get_quota(reader)?,
        password_hash: if flags & HASHED != 0 { Some(get_box(reader)?) } else { None },
        disabled: flags & DISABLED != 0,
        aliases: get_addresses(reader)?.into(),
        users: get_ids(reader)?.into(),
        created: reader.i64()?,
        access: if flags & ACCESS != 0 { Some(Box::new(get_access(reader)?)) } else { None },
    })
}

/// What the tables need of an account's record, without taking it out of its bytes.
pub(super) struct Skimmed<'a> {
    pub(super) id: AccountId,
    pub(super) kind: AccountKind,
    pub(super) tenant: TenantId,
    pub(super) address: &'a str,
    pub(super) name: &'a str,
    /// It has neither aliases nor users.
    pub(super) plain: bool,
}

/// Reads over a record that `get_account` would take, and over no other.
pub(super) fn skim_account<'a>(reader: &mut Reader<'a>) -> Decoded<Skimmed<'a>> {
    let id = AccountId(reader.varint()?);
    let flags = bits(reader, DISABLED | VIP | HASHED | BUSINESS | ACCESS)?;
    let tenant = TenantId(reader.varint_u32()?);
    let address = reader.clone().str()?;
    if !Address::is_stored(address) {
        return reader.error("a mail address expected");
    }
    reader.str()?;
    let name = reader.str()?;
    get_quota(reader)?;
    if flags & HASHED != 0 {
        reader.str()?;
    }
    let plain = get_addresses(reader)?.is_empty() & get_ids(reader)?.is_empty();
    reader.i64()?;
    if flags & ACCESS != 0 {
        get_access(reader)?;
    }
    let kind = if flags & BUSINESS != 0 { AccountKind::Business } else { AccountKind::Member };
    Ok(Skimmed { id, kind, tenant, address, name, plain })
}

pub(super) fn put_group(out: &mut Vec<u8>, group: &Group) {
    out.put_varint(u64::from(group.tenant.0));
    put_address(out, &group.address);
    out.put_str(&group.name);
    put_addresses(out, &group.members);
    out.put_i64(group.created);
}

pub(super) fn get_group(reader: &mut Reader<'_>) -> Decoded<Group> {
    Ok(Group {
        tenant: TenantId(reader.varint_u32()?),
        address: get_address(reader)?,
        name: get_box(reader)?,
        members: get_addresses(reader)?,
        created: reader.i64()?,
    })
}

const PURGE_BEGUN: u8 = 1;

pub(super) fn put_removed(out: &mut Vec<u8>, removed: &Removed) {
    put_account(out, &removed.account);
    out.put_u8(flag(removed.purge_begun, PURGE_BEGUN));
    out.put_i64(removed.when);
}

pub(super) fn get_removed(reader: &mut Reader<'_>) -> Decoded<Removed> {
    Ok(Removed { account: get_account(reader)?, purge_begun: bits(reader, PURGE_BEGUN)? != 0, when: reader.i64()? })
}
