//! The whole directory as bytes, for a checkpoint (docs/format.md, "Directory snapshot"). Only what events said: counts
//! and tables are made anew, and what contradicts itself is not taken.
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{AccountId, Error, Result, TenantId};

use super::codec::Skimmed;
use super::fold::{
    admit_account, admit_domain, admit_group, admit_key, admit_removed, admit_rule, admit_tenant, corrupt, open_to,
    require_users,
};
use super::tables::{Next, Tables};
use super::{Address, Directory, codec, rule_codec, signing};

/// What is written.
const VERSION: u8 = 4;
/// What has no secret; it is read.
const VERSION_WITHOUT_SECRET: u8 = 3;
/// What has neither keys nor rules; it is read.
const VERSION_WITHOUT_RULES: u8 = 2;
/// What has no recycle bin; it is read.
const VERSION_WITHOUT_BIN: u8 = 1;

impl Directory {
    /// Appends the whole state, for a checkpoint. Equal states give equal bytes.
    pub fn encode_snapshot(&self, out: &mut Vec<u8>) {
        let next = self.next();
        out.put_u8(VERSION);
        out.put_varint(u64::from(next.tenant.0));
        out.put_varint(next.account.0);
        out.put_varint(self.tenants.len() as u64);
        self.tenants.values().for_each(|tenant| codec::put_tenant(out, tenant));
        out.put_varint(self.domains.len() as u64);
        self.domains(None).for_each(|domain| codec::put_domain(out, domain));
        out.put_varint(self.accounts.len() as u64);
        self.accounts.encode(out);
        out.put_varint(self.group_list.len() as u64);
        let groups = self.group_list.iter().filter_map(|address| self.groups.get(address));
        groups.for_each(|group| codec::put_group(out, group));
        out.put_varint(self.removed.len() as u64);
        self.removed.values().for_each(|removed| codec::put_removed(out, removed));
        out.put_varint(self.keys.len() as u64);
        self.keys.values().for_each(|key| signing::put_key(out, key));
        out.put_varint(self.rules.len() as u64);
        for (scope, rules) in &self.rules {
            rule_codec::put_scope(out, scope);
            out.put_varint(rules.len() as u64);
            rules.iter().for_each(|rule| rule_codec::put_rule(out, rule));
        }
        out.put_bytes(self.secret.as_ref().map_or(&[], |secret| secret.as_slice()));
    }

    /// Reads what `encode_snapshot` wrote; `Error::Corrupt` when it contradicts itself.
    pub fn decode_snapshot(bytes: &[u8]) -> Result<Directory> {
        let mut reader = Reader::new(bytes);
        let mut directory = Directory::default();
        let (version, next) = header(&mut reader).map_err(unreadable)?;
        directory.set_next(next);
        for _ in 0..reader.count().map_err(unreadable)? {
            let tenant = codec::get_tenant(&mut reader).map_err(unreadable)?;
            require_before(tenant.id < next.tenant)?;
            admit_tenant(&mut directory, &tenant)?;
        }
        for _ in 0..reader.count().map_err(unreadable)? {
            let domain = codec::get_domain(&mut reader).map_err(unreadable)?;
            admit_domain(&mut directory, &domain)?;
        }
        let mut shared: Vec<AccountId> = Vec::new();
        let count = reader.count().map_err(unreadable)?;
        directory.expect(bytes, count);
        for _ in 0..count {
            let (at, begun) = (reader.position(), reader.clone());
            let skimmed = codec::skim_account(&mut reader).map_err(unreadable)?;
            require_before(skimmed.id < next.account)?;
            if skimmed.plain && directory.accounts.comes_last(skimmed.id) {
                admit_plain(&mut directory, &skimmed, at)?;
                continue;
            }
            let account = codec::get_account(&mut begun.clone()).map_err(unreadable)?;
            admit_account(&mut directory, &account)?;
            shared.extend((!account.users.is_empty()).then_some(account.id));
        }
        open_shared(&mut directory, &shared)?;
        for _ in 0..reader.count().map_err(unreadable)? {
            let group = codec::get_group(&mut reader).map_err(unreadable)?;
            admit_group(&mut directory, &group)?;
        }
        let binned = if version == VERSION_WITHOUT_BIN { 0 } else { reader.count().map_err(unreadable)? };
        for _ in 0..binned {
            let removed = codec::get_removed(&mut reader).map_err(unreadable)?;
            require_before(removed.account.id < next.account)?;
            admit_removed(&mut directory, &removed)?;
        }
        if version > VERSION_WITHOUT_RULES {
            read_keys_and_rules(&mut directory, &mut reader)?;
        }
        if version > VERSION_WITHOUT_SECRET {
            directory.secret = secret(&mut reader).map_err(unreadable)?;
        }
        if reader.is_empty() { Ok(directory) } else { Err(corrupt("bytes after the snapshot's end".into())) }
    }
}

fn read_keys_and_rules(directory: &mut Directory, reader: &mut Reader<'_>) -> Result<()> {
    for _ in 0..reader.count().map_err(unreadable)? {
        let key = signing::get_key(reader).map_err(unreadable)?;
        admit_key(directory, &key)?;
    }
    for _ in 0..reader.count().map_err(unreadable)? {
        let scope = rule_codec::get_scope(reader).map_err(unreadable)?;
        for _ in 0..reader.count().map_err(unreadable)? {
            let rule = rule_codec::get_rule(reader).map_err(unreadable)?;
            admit_rule(directory, &scope, &rule)?;
        }
    }
    Ok(())
}

/// Equal when the same events would have to be said: counts and tables follow from those.
impl PartialEq for Directory {
    fn eq(&self, other: &Directory) -> bool {
        let bytes = |directory: &Directory| {
            let mut out = Vec::new();
            directory.encode_snapshot(&mut out);
            out
        };
        bytes(self) == bytes(other)
    }
}

impl Eq for Directory {}

fn header(reader: &mut Reader<'_>) -> std::result::Result<(u8, Next), DecodeError> {
    let version = reader.u8()?;
    if !(VERSION_WITHOUT_BIN..=VERSION).contains(&version) {
        return reader.error("version 1 to 4 of the directory snapshot expected before this byte");
    }
    Ok((version, Next { tenant: TenantId(reader.varint_u32()?), account: AccountId(reader.varint()?) }))
}

/// Takes an account in as `admit_account` does, but leaves its record in the snapshot.
fn admit_plain(directory: &mut Directory, account: &Skimmed<'_>, at: usize) -> Result<()> {
    let (address, id, tenant) = (account.address, account.id, account.tenant);
    let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
    let domain = directory.domains.get_mut(domain).filter(|domain| domain.tenant == tenant);
    let domain = domain.ok_or_else(|| corrupt(format!("{address} is in no domain of tenant {tenant}")))?;
    domain.addresses += 1;
    let of = directory.tenants.get_mut(&tenant).ok_or_else(|| corrupt(format!("no tenant {tenant}")))?;
    of.accounts += 1;
    let alias = !directory.aliases.is_empty()
        && Address::from_stored(address).is_some_and(|address| directory.aliases.contains_key(&address));
    if alias || !directory.take_plain(id, address, at) {
        return Err(corrupt(format!("{address} twice")));
    }
    Ok(())
}

/// Who opens what, once all accounts are there.
fn open_shared(directory: &mut Directory, shared: &[AccountId]) -> Result<()> {
    for id in shared {
        let business = directory.account(*id).cloned().ok_or_else(|| corrupt(format!("no account {id}")))?;
        require_users(directory, &business, &business.users)?;
        open_to(directory, *id, &business.users);
    }
    Ok(())
}

fn require_before(holds: bool) -> Result<()> {
    if holds { Ok(()) } else { Err(corrupt("an id that is not given yet".into())) }
}

fn unreadable(error: DecodeError) -> Error {
    Error::corrupt("directory snapshot", error.at as u64, error.what)
}

fn secret(reader: &mut Reader<'_>) -> std::result::Result<Option<[u8; 32]>, DecodeError> {
    match reader.bytes()? {
        [] => Ok(None),
        bytes => match bytes.try_into() {
            Ok(secret) => Ok(Some(secret)),
            Err(_) => reader.error("a secret of 32 bytes expected before this byte"),
        },
    }
}
