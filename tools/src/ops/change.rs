//! Changes of the directory as they travel: addresses and quotas as text. Judges nothing itself: the directory does.
use super::{Access, Failure};
use posthouse_engine::base::AccountId;
use posthouse_engine::directory::{self, AccountPatch, Address};
use serde::{Deserialize, Serialize};

/// One change; the variants and fields are those of the engine's `directory::Change`, where each is explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "snake_case")]
pub enum Change {
    TenantAdd { name: String, title: String, accounts_max: Option<u32> },
    TenantSet { name: String, title: Option<String>, accounts_max: Option<u32>, disabled: Option<bool> },
    TenantRemove { name: String },
    DomainAdd { tenant: String, domain: String },
    DomainRemove { domain: String },
    MemberAdd { address: String, name: String, password_hash: Option<String>, vip: bool, quota: String },
    BusinessAdd { address: String, name: String, password_hash: Option<String>, quota: String, users: Vec<String> },
    AccountSet { address: String, set: Patch },
    AccountRemove { address: String },
    AccountRestore { number: u64, address: Option<String> },
    AliasAdd { account: String, alias: String },
    AliasRemove { alias: String },
    GroupAdd { address: String, name: String, members: Vec<String> },
    GroupSet { address: String, name: Option<String>, members_add: Vec<String>, members_remove: Vec<String> },
    GroupRemove { address: String },
    Access(Access),
}

/// What shall change in an account; absent keeps what is. The fields are those of the engine's `directory::AccountPatch`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Patch {
    pub name: Option<String>,
    pub password_hash: Option<String>,
    pub vip: Option<bool>,
    pub quota: Option<String>,
    pub disabled: Option<bool>,
    pub users_add: Vec<String>,
    pub users_remove: Vec<String>,
}

fn address(text: &str) -> Result<Address, Failure> {
    Ok(Address::parse(text)?)
}

fn addresses(texts: &[String]) -> Result<Vec<Address>, Failure> {
    texts.iter().map(|text| address(text)).collect()
}

impl Patch {
    fn to_engine(&self) -> Result<AccountPatch, Failure> {
        Ok(AccountPatch {
            name: self.name.clone(),
            password_hash: self.password_hash.clone(),
            vip: self.vip,
            quota: self.quota.as_deref().map(str::parse).transpose()?,
            disabled: self.disabled,
            users_add: addresses(&self.users_add)?,
            users_remove: addresses(&self.users_remove)?,
        })
    }
}

impl Change {
    /// The engine's form; `Refused` when an address or a quota cannot be read.
    pub fn to_engine(&self) -> Result<directory::Change, Failure> {
        use directory::Change as To;
        Ok(match self.clone() {
            Change::TenantAdd { name, title, accounts_max } => To::TenantAdd { name, title, accounts_max },
            Change::TenantSet { name, title, accounts_max, disabled } => {
                To::TenantSet { name, title, accounts_max, disabled }
            }
            Change::TenantRemove { name } => To::TenantRemove { name },
            Change::DomainAdd { tenant, domain } => To::DomainAdd { tenant, domain },
            Change::DomainRemove { domain } => To::DomainRemove { domain },
            Change::MemberAdd { address: at, name, password_hash, vip, quota } => {
                To::MemberAdd { address: address(&at)?, name, password_hash, vip, quota: quota.parse()? }
            }
            Change::BusinessAdd { address: at, name, password_hash, quota, users } => {
                let (quota, users) = (quota.parse()?, addresses(&users)?);
                To::BusinessAdd { address: address(&at)?, name, password_hash, quota, users }
            }
            Change::AccountSet { address: at, set } => To::AccountSet { address: address(&at)?, set: set.to_engine()? },
            Change::AccountRemove { address: at } => To::AccountRemove { address: address(&at)? },
            Change::AccountRestore { number, address: at } => {
                To::AccountRestore { id: AccountId(number), address: at.as_deref().map(address).transpose()? }
            }
            Change::AliasAdd { account, alias } => {
                To::AliasAdd { account: address(&account)?, alias: address(&alias)? }
            }
            Change::AliasRemove { alias } => To::AliasRemove { alias: address(&alias)? },
            Change::GroupAdd { address: at, name, members } => {
                To::GroupAdd { address: address(&at)?, name, members: addresses(&members)? }
            }
            Change::GroupSet { address: at, name, members_add, members_remove } => To::GroupSet {
                address: address(&at)?,
                name,
                members_add: addresses(&members_add)?,
                members_remove: addresses(&members_remove)?,
            },
            Change::GroupRemove { address: at } => To::GroupRemove { address: address(&at)? },
            Change::Access(access) => To::Access(access.to_engine()?),
        })
    }
}
