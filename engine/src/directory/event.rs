//! What the log keeps of the directory, and its bytes (docs/format.md, "Directory events"). Never judges: see `plan`.
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{AccountId, TenantId};
use crate::format::Mending;
use crate::format::mending::{DIRECTORY_PUT, is_common};

use super::codec::choice;
use super::{
    AccessEvent, Account, Address, Domain, Group, KeyState, Quota, Rule, Scope, SigningKey, Tenant, codec, rule_codec,
    signing,
};

/// A fact about the directory, as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A tenant as it began.
    TenantAdded(Tenant),
    /// Other settings; `None` keeps what is.
    TenantSet {
        /// Which one.
        id: TenantId,
        /// The name shown to people.
        title: Option<Box<str>>,
        /// Accounts that it may have.
        accounts_max: Option<u32>,
        /// Nobody of it may log in, send or receive.
        disabled: Option<bool>,
    },
    /// It is gone.
    TenantRemoved(TenantId),
    /// A domain as it began.
    DomainAdded(Domain),
    /// It is gone.
    DomainRemoved(Box<str>),
    /// An account as it began.
    AccountAdded(Account),
    /// Other settings.
    AccountSet(AccountEdit),
    /// It is gone, with its aliases.
    AccountRemoved(AccountId),
    /// One more address.
    AliasAdded {
        /// Whose.
        account: AccountId,
        /// The new one.
        alias: Address,
    },
    /// One address less.
    AliasRemoved(Address),
    /// A group as it began.
    GroupAdded(Group),
    /// Other settings; members are removed before members are added.
    GroupSet {
        /// Which one.
        address: Address,
        /// The name shown to people; `None` keeps what is.
        name: Option<Box<str>>,
        /// New members, sorted, none of them in it.
        members_add: Vec<Address>,
        /// Members that leave, sorted, all of them in it.
        members_remove: Vec<Address>,
    },
    /// It is gone.
    GroupRemoved(Address),
    /// What accounts log in with, and the rules for it.
    Access(AccessEvent),
    /// What a repair states: a place where something stood, or that all is whole again.
    Mending(Mending),
    /// A piece of a snapshot, written by a repair; with the last piece the directory is what the snapshot says.
    DirectoryPut {
        /// Whether no piece follows.
        last: bool,
        /// The piece.
        bytes: Vec<u8>,
    },
    /// It is in the recycle bin; its addresses are free.
    AccountBinned {
        /// Which one.
        id: AccountId,
        /// Seconds since 1970-01-01 UTC.
        when: i64,
    },
    /// It is back from the bin.
    AccountRestored {
        /// Which one.
        id: AccountId,
        /// Its address from now on.
        address: Address,
        /// Its aliases from now on, sorted.
        aliases: Vec<Address>,
        /// Business mailbox: who may open it from now on, sorted.
        users: Vec<AccountId>,
    },
    /// Its mail is about to go.
    AccountPurgeBegun {
        /// Which one.
        id: AccountId,
        /// Seconds since 1970-01-01 UTC.
        when: i64,
    },
    /// Its mail is gone, and its record with it.
    AccountPurged(AccountId),
    /// A domain's signing key as it began.
    KeyAdded(SigningKey),
    /// What it is for from now on.
    KeySet {
        /// Whose.
        domain: Box<str>,
        /// Which one.
        selector: Box<str>,
        /// The new state.
        state: KeyState,
    },
    /// It is gone.
    KeyRemoved {
        /// Whose.
        domain: Box<str>,
        /// Which one.
        selector: Box<str>,
    },
    /// A rule holds.
    RuleAdded(Scope, Rule),
    /// It holds no longer.
    RuleRemoved(Scope, Rule),
}

/// What changed in an account; `None` and empty lists keep what is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AccountEdit {
    /// Which one.
    pub id: AccountId,
    /// The name shown to people.
    pub name: Option<Box<str>>,
    /// A PHC string.
    pub password_hash: Option<Box<str>>,
    /// On the unlimited plan.
    pub vip: Option<bool>,
    /// What it may hold.
    pub quota: Option<Quota>,
    /// No login, no sending, no receiving.
    pub disabled: Option<bool>,
    /// Business mailbox: who may open it from now on; sorted, none of them in it.
    pub users_add: Vec<AccountId>,
    /// Business mailbox: who may no longer; sorted, all of them in it.
    pub users_remove: Vec<AccountId>,
}

const TENANT_ADDED: u8 = 1;
const TENANT_SET: u8 = 2;
const TENANT_REMOVED: u8 = 3;
const DOMAIN_ADDED: u8 = 4;
const DOMAIN_REMOVED: u8 = 5;
const ACCOUNT_ADDED: u8 = 6;
const ACCOUNT_SET: u8 = 7;
const ACCOUNT_REMOVED: u8 = 8;
const ALIAS_ADDED: u8 = 9;
const ALIAS_REMOVED: u8 = 10;
const GROUP_ADDED: u8 = 11;
const GROUP_SET: u8 = 12;
const GROUP_REMOVED: u8 = 13;
const ACCOUNT_BINNED: u8 = 14;
const ACCOUNT_RESTORED: u8 = 15;
const ACCOUNT_PURGE_BEGUN: u8 = 16;
const ACCOUNT_PURGED: u8 = 17;
const KEY_ADDED: u8 = 18;
const KEY_SET: u8 = 19;
const KEY_REMOVED: u8 = 20;
const RULE_ADDED: u8 = 21;
const RULE_REMOVED: u8 = 22;

impl Event {
    /// Whether what somebody may do in a mailbox, or the name by which it is known, may be another after it.
    pub fn may_change_rights(&self) -> bool {
        match self {
            Event::RuleAdded(_, rule) | Event::RuleRemoved(_, rule) => matches!(rule, Rule::Acl(_)),
            Event::AccountSet(edit) => !edit.users_add.is_empty() || !edit.users_remove.is_empty(),
            Event::GroupSet { members_add, members_remove, .. } => {
                !members_add.is_empty() || !members_remove.is_empty()
            }
            Event::AccountAdded(_)
            | Event::AccountRemoved(_)
            | Event::AccountBinned { .. }
            | Event::AccountRestored { .. }
            | Event::AccountPurged(_)
            | Event::AliasAdded { .. }
            | Event::AliasRemoved(_)
            | Event::GroupAdded(_)
            | Event::GroupRemoved(_)
            | Event::DirectoryPut { .. } => true,
            _ => false,
        }
    }

    /// The first byte of the event's encoding.
    fn tag(&self) -> u8 {
        match self {
            Event::TenantAdded(_) => TENANT_ADDED,
            Event::TenantSet { .. } => TENANT_SET,
            Event::TenantRemoved(_) => TENANT_REMOVED,
            Event::DomainAdded(_) => DOMAIN_ADDED,
            Event::DomainRemoved(_) => DOMAIN_REMOVED,
            Event::AccountAdded(_) => ACCOUNT_ADDED,
            Event::AccountSet(_) => ACCOUNT_SET,
            Event::AccountRemoved(_) => ACCOUNT_REMOVED,
            Event::AliasAdded { .. } => ALIAS_ADDED,
            Event::AliasRemoved(_) => ALIAS_REMOVED,
            Event::GroupAdded(_) => GROUP_ADDED,
            Event::GroupSet { .. } => GROUP_SET,
            Event::GroupRemoved(_) => GROUP_REMOVED,
            // Those write theirs themselves.
            Event::Access(_) | Event::Mending(_) | Event::DirectoryPut { .. } => DIRECTORY_PUT,
            Event::AccountBinned { .. } => ACCOUNT_BINNED,
            Event::AccountRestored { .. } => ACCOUNT_RESTORED,
            Event::AccountPurgeBegun { .. } => ACCOUNT_PURGE_BEGUN,
            Event::AccountPurged(_) => ACCOUNT_PURGED,
            Event::KeyAdded(_) => KEY_ADDED,
            Event::KeySet { .. } => KEY_SET,
            Event::KeyRemoved { .. } => KEY_REMOVED,
            Event::RuleAdded(..) => RULE_ADDED,
            Event::RuleRemoved(..) => RULE_REMOVED,
        }
    }

    /// Appends the event's bytes: one tag byte and its fields.
    pub fn encode(&self, out: &mut Vec<u8>) {
        if let Event::Mending(mending) = self {
            return mending.encode(out);
        }
        if let Event::Access(event) = self {
            return event.encode(out);
        }
        out.put_u8(self.tag());
        match self {
            Event::TenantAdded(tenant) => codec::put_tenant(out, tenant),
            Event::TenantSet { id, title, accounts_max, disabled } => {
                out.put_varint(u64::from(id.0));
                out.put_u8(given([
                    title.is_some(),
                    accounts_max.is_some(),
                    disabled.is_some(),
                    *disabled == Some(true),
                ]));
                title.iter().for_each(|title| out.put_str(title));
                accounts_max.iter().for_each(|max| out.put_varint(u64::from(*max)));
            }
            Event::TenantRemoved(id) => out.put_varint(u64::from(id.0)),
            Event::DomainAdded(domain) => codec::put_domain(out, domain),
            Event::DomainRemoved(name) => out.put_str(name),
            Event::AccountAdded(account) => codec::put_account(out, account),
            Event::AccountSet(edit) => edit.encode(out),
            Event::AccountRemoved(id) => out.put_varint(id.0),
            Event::AliasAdded { account, alias } => {
                out.put_varint(account.0);
                codec::put_address(out, alias);
            }
            Event::AliasRemoved(alias) => codec::put_address(out, alias),
            Event::GroupAdded(group) => codec::put_group(out, group),
            Event::GroupSet { address, name, members_add, members_remove } => {
                codec::put_address(out, address);
                out.put_u8(given([name.is_some()]));
                name.iter().for_each(|name| out.put_str(name));
                codec::put_addresses(out, members_add);
                codec::put_addresses(out, members_remove);
            }
            Event::GroupRemoved(address) => codec::put_address(out, address),
            Event::Access(_) | Event::Mending(_) => {}
            Event::DirectoryPut { last, bytes } => {
                out.put_u8(u8::from(*last));
                out.put_bytes(bytes);
            }
            Event::AccountBinned { id, when } | Event::AccountPurgeBegun { id, when } => {
                out.put_varint(id.0);
                out.put_i64(*when);
            }
            Event::AccountRestored { id, address, aliases, users } => {
                out.put_varint(id.0);
                codec::put_address(out, address);
                codec::put_addresses(out, aliases);
                codec::put_ids(out, users);
            }
            Event::AccountPurged(id) => out.put_varint(id.0),
            _ => self.encode_extra(out),
        }
    }

    /// The fields of what came later: keys and rules.
    fn encode_extra(&self, out: &mut Vec<u8>) {
        match self {
            Event::KeyAdded(key) => signing::put_key(out, key),
            Event::KeySet { domain, selector, state } => {
                out.put_str(domain);
                out.put_str(selector);
                state.put(out);
            }
            Event::KeyRemoved { domain, selector } => {
                out.put_str(domain);
                out.put_str(selector);
            }
            Event::RuleAdded(scope, rule) | Event::RuleRemoved(scope, rule) => {
                rule_codec::put_scope(out, scope);
                rule_codec::put_rule(out, rule);
            }
            _ => {}
        }
    }

    /// When it was written, if it says so, in seconds since 1970-01-01 UTC.
    pub fn time(&self) -> Option<i64> {
        match self {
            Event::TenantAdded(tenant) => Some(tenant.created),
            Event::DomainAdded(domain) => Some(domain.created),
            Event::AccountAdded(account) => Some(account.created),
            Event::GroupAdded(group) => Some(group.created),
            Event::KeyAdded(key) => Some(key.created),
            Event::AccountBinned { when, .. }
            | Event::AccountPurgeBegun { when, .. }
            | Event::Mending(Mending::Dated { when }) => Some(*when),
            _ => None,
        }
    }

    /// Reads one event; what `encode` cannot have written is an error.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
        let tag = reader.clone().u8()?;
        let common = is_common(tag);
        let access = AccessEvent::TAGS.contains(&tag);
        if !(TENANT_ADDED..=RULE_REMOVED).contains(&tag) && !access && !common && tag != DIRECTORY_PUT {
            return reader.error("the tag of a directory event expected");
        }
        Ok(match reader.u8()? {
            TENANT_ADDED => Event::TenantAdded(codec::get_tenant(reader)?),
            TENANT_SET => decode_tenant_set(reader)?,
            TENANT_REMOVED => Event::TenantRemoved(TenantId(reader.varint_u32()?)),
            DOMAIN_ADDED => Event::DomainAdded(codec::get_domain(reader)?),
            DOMAIN_REMOVED => Event::DomainRemoved(codec::get_box(reader)?),
            ACCOUNT_ADDED => Event::AccountAdded(codec::get_account(reader)?),
            ACCOUNT_SET => Event::AccountSet(AccountEdit::decode(reader)?),
            ACCOUNT_REMOVED => Event::AccountRemoved(AccountId(reader.varint()?)),
            ALIAS_ADDED => {
                let account = AccountId(reader.varint()?);
                Event::AliasAdded { account, alias: codec::get_address(reader)? }
            }
            ALIAS_REMOVED => Event::AliasRemoved(codec::get_address(reader)?),
            GROUP_ADDED => Event::GroupAdded(codec::get_group(reader)?),
            GROUP_SET => decode_group_set(reader)?,
            DIRECTORY_PUT => {
                Event::DirectoryPut { last: codec::bits(reader, 1)? == 1, bytes: reader.bytes()?.to_vec() }
            }
            tag if access => Event::Access(AccessEvent::decode(tag, reader)?),
            tag if common => Event::Mending(Mending::decode(tag, reader)?),
            GROUP_REMOVED => Event::GroupRemoved(codec::get_address(reader)?),
            ACCOUNT_BINNED => Event::AccountBinned { id: AccountId(reader.varint()?), when: reader.i64()? },
            ACCOUNT_RESTORED => Event::AccountRestored {
                id: AccountId(reader.varint()?),
                address: codec::get_address(reader)?,
                aliases: codec::get_addresses(reader)?,
                users: codec::get_ids(reader)?,
            },
            ACCOUNT_PURGE_BEGUN => Event::AccountPurgeBegun { id: AccountId(reader.varint()?), when: reader.i64()? },
            ACCOUNT_PURGED => Event::AccountPurged(AccountId(reader.varint()?)),
            KEY_ADDED => Event::KeyAdded(signing::get_key(reader)?),
            KEY_SET => Event::KeySet {
                domain: codec::get_box(reader)?,
                selector: codec::get_box(reader)?,
                state: KeyState::get(reader)?,
            },
            KEY_REMOVED => Event::KeyRemoved { domain: codec::get_box(reader)?, selector: codec::get_box(reader)? },
            RULE_ADDED => Event::RuleAdded(rule_codec::get_scope(reader)?, rule_codec::get_rule(reader)?),
            _ => Event::RuleRemoved(rule_codec::get_scope(reader)?, rule_codec::get_rule(reader)?),
        })
    }
}

/// Bit n says whether the nth value is given.
fn given<const N: usize>(present: [bool; N]) -> u8 {
    present.iter().enumerate().fold(0, |bits, (at, is)| bits | (u8::from(*is) << at))
}

fn decode_tenant_set(reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
    let id = TenantId(reader.varint_u32()?);
    let given = codec::bits(reader, 0b1111)?;
    Ok(Event::TenantSet {
        id,
        title: if given & 1 != 0 { Some(codec::get_box(reader)?) } else { None },
        accounts_max: if given & 2 != 0 { Some(reader.varint_u32()?) } else { None },
        disabled: choice(reader, given >> 2)?,
    })
}

fn decode_group_set(reader: &mut Reader<'_>) -> Result<Event, DecodeError> {
    let address = codec::get_address(reader)?;
    let given = codec::bits(reader, 1)?;
    Ok(Event::GroupSet {
        address,
        name: if given & 1 != 0 { Some(codec::get_box(reader)?) } else { None },
        members_add: codec::get_addresses(reader)?,
        members_remove: codec::get_addresses(reader)?,
    })
}

impl AccountEdit {
    fn encode(&self, out: &mut Vec<u8>) {
        out.put_varint(self.id.0);
        out.put_u8(given([
            self.name.is_some(),
            self.password_hash.is_some(),
            self.quota.is_some(),
            self.vip.is_some(),
            self.vip == Some(true),
            self.disabled.is_some(),
            self.disabled == Some(true),
        ]));
        self.name.iter().for_each(|name| out.put_str(name));
        self.password_hash.iter().for_each(|hash| out.put_str(hash));
        self.quota.iter().for_each(|quota| codec::put_quota(out, *quota));
        codec::put_ids(out, &self.users_add);
        codec::put_ids(out, &self.users_remove);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<AccountEdit, DecodeError> {
        let id = AccountId(reader.varint()?);
        let given = codec::bits(reader, 0b111_1111)?;
        Ok(AccountEdit {
            id,
            vip: choice(reader, given >> 3)?,
            disabled: choice(reader, given >> 5)?,
            name: if given & 1 != 0 { Some(codec::get_box(reader)?) } else { None },
            password_hash: if given & 2 != 0 { Some(codec::get_box(reader)?) } else { None },
            quota: if given & 4 != 0 { Some(codec::get_quota(reader)?) } else { None },
            users_add: codec::get_ids(reader)?,
            users_remove: codec::get_ids(reader)?,
        })
    }
}
