//! Changes of the directory as they travel: addresses and quotas as text. Judges nothing itself: the directory does.
use super::{Access, Failure, Kind};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::base::AccountId;
use posthouse_engine::directory::{self, AccountPatch, Address, Algorithm, KeyState, Rule, ScopeName, SigningKey};
use posthouse_engine::mailflow::sieve::Script;
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
    KeyAdd { domain: String, selector: String, algorithm: String, private: String, public: String },
    KeySet { domain: String, selector: String, state: String },
    KeyRemove { domain: String, selector: String },
    RuleAdd { scope: ScopeText, rule: String },
    RuleRemove { scope: ScopeText, rule: String },
    Access(Access),
}

/// A script must be one: the directory does not know.
fn checked(rule: Rule) -> Result<Rule, Failure> {
    if let Rule::Sieve(text) = &rule
        && let Err(wrong) = Script::parse(text)
    {
        return Err(Failure::new(Kind::Refused, format!("no Sieve script: {wrong}")));
    }
    Ok(rule)
}

/// For whom a rule holds, by name; as the engine's `directory::ScopeName`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScopeText {
    Tenant(String),
    Domain(String),
    Account(String),
    Group(String),
}

impl ScopeText {
    fn to_engine(&self) -> Result<ScopeName, Failure> {
        Ok(match self {
            ScopeText::Tenant(name) => ScopeName::Tenant(name.clone()),
            ScopeText::Domain(name) => ScopeName::Domain(name.clone()),
            ScopeText::Account(at) => ScopeName::Account(address(at)?),
            ScopeText::Group(at) => ScopeName::Group(address(at)?),
        })
    }
}

fn bytes(what: &str, text: &str) -> Result<Box<[u8]>, Failure> {
    let read = STANDARD.decode(text);
    read.map(Vec::into_boxed_slice).map_err(|_| Failure::new(Kind::Refused, format!("{what}: base64 is expected")))
}

/// A new key never signs before its record can be seen: it begins as the next one.
fn key(change: &Change) -> Result<SigningKey, Failure> {
    let Change::KeyAdd { domain, selector, algorithm, private, public } = change else {
        return Err(Failure::new(Kind::Refused, "a signing key is expected"));
    };
    let algorithm = match algorithm.as_str() {
        "rsa" => Algorithm::Rsa,
        "ed25519" => Algorithm::Ed25519,
        other => return Err(Failure::new(Kind::Refused, format!("algorithm {other:?}; allowed: rsa, ed25519"))),
    };
    Ok(SigningKey {
        domain: domain.as_str().into(),
        selector: selector.as_str().into(),
        algorithm,
        state: KeyState::Next,
        private: bytes("the private key", private)?,
        public: bytes("the public key", public)?,
        created: 0,
    })
}

fn state(word: &str) -> Result<KeyState, Failure> {
    let all = [KeyState::Next, KeyState::Active, KeyState::Retired];
    let found = all.into_iter().find(|state| state.word() == word);
    found.ok_or_else(|| Failure::new(Kind::Refused, format!("state {word:?}; allowed: next, active, retired")))
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
            Change::KeyAdd { .. } => To::KeyAdd(key(self)?),
            Change::KeySet { domain, selector, state: word } => To::KeySet { domain, selector, state: state(&word)? },
            Change::KeyRemove { domain, selector } => To::KeyRemove { domain, selector },
            Change::RuleAdd { scope, rule } => To::RuleAdd { scope: scope.to_engine()?, rule: checked(rule.parse()?)? },
            Change::RuleRemove { scope, rule } => To::RuleRemove { scope: scope.to_engine()?, rule: rule.parse()? },
            Change::Access(access) => To::Access(access.to_engine()?),
        })
    }
}
