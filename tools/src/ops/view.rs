//! Things of the directory and the queue as they are shown. Holds no password hash.
use super::access::rules_view;
use crate::limits::{BUSINESS_KEPT_DAYS, MEMBER_KEPT_DAYS};
use posthouse_engine::Engine;
use posthouse_engine::directory::{self, Directory};
use serde::{Deserialize, Serialize};

/// One thing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum View {
    Tenant(TenantView),
    Domain(DomainView),
    Member(AccountView),
    Business(AccountView),
    Alias(AliasView),
    Group(GroupView),
    Queued(QueuedView),
    Usage(UsageView),
    /// A signing key.
    Key(super::KeyView),
    /// A rule of the mail flow.
    Rule(super::RuleView),
    /// An entry of an access control list.
    Acl(super::AclView),
    /// What the recycle bin holds.
    Removed(RemovedView),
    AppPassword(super::AppPasswordView),
    Login(super::LoginView),
    /// A step on a message's way.
    Step(Box<super::StepView>),
}

/// What an account is charged, from every side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UsageView {
    /// Its number.
    pub account: u64,
    /// Its address; `null`: the directory does not know it.
    pub address: Option<String>,
    /// Bytes charged.
    pub used_bytes: u64,
    /// Sum of the sizes of its entries.
    pub entries_bytes: u64,
    /// Sum of what its mailboxes say.
    pub mailboxes_bytes: u64,
    /// Messages counted.
    pub messages: u64,
    /// Its entries.
    pub entries: u64,
    /// Sum of its mailboxes' highest modseqs: what it was when both were looked at.
    pub modseqs: u64,
    /// What it may hold; `null`: no bound.
    pub quota_bytes_max: Option<u64>,
    /// Whether all sides say the same.
    pub agrees: bool,
}

impl From<&posthouse_engine::rescue::Usage> for UsageView {
    fn from(usage: &posthouse_engine::rescue::Usage) -> UsageView {
        UsageView {
            account: usage.account.0,
            address: usage.address.clone(),
            used_bytes: usage.used_bytes,
            entries_bytes: usage.entries_bytes,
            mailboxes_bytes: usage.mailboxes_bytes,
            messages: usage.messages,
            entries: usage.entries,
            modseqs: usage.modseqs,
            quota_bytes_max: usage.quota_bytes_max,
            agrees: usage.agrees(),
        }
    }
}

/// An enterprise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TenantView {
    /// Its slug.
    pub name: String,
    /// The name shown to people.
    pub title: String,
    /// Accounts that it has.
    pub accounts: u32,
    /// Accounts that it may have.
    pub accounts_max: u32,
    /// Its domains.
    pub domains: Vec<String>,
    /// Nobody of it logs in, sends or receives.
    pub disabled: bool,
    /// What the logins of its accounts must keep.
    #[serde(default)]
    pub login_rules: super::LoginRulesView,
    /// Seconds since 1970-01-01 UTC.
    pub created: i64,
}

/// A domain whose mail is received here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainView {
    /// In A-labels.
    pub name: String,
    /// Whose it is.
    pub tenant: String,
    /// Accounts, aliases and groups in it.
    pub addresses: u64,
    /// Seconds since 1970-01-01 UTC.
    pub created: i64,
}

/// A member's or a business mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// Where it receives; its login name.
    pub address: String,
    /// The name shown to people.
    pub name: String,
    /// Whose it is.
    pub tenant: String,
    /// On the unlimited plan.
    pub vip: bool,
    /// The rule, as in `default` or `5GiB`.
    pub quota: String,
    /// What it may hold; `null`: no bound.
    pub quota_bytes_max: Option<u64>,
    /// What it holds.
    pub used_bytes: u64,
    /// Entries in all its mailboxes.
    pub messages: u64,
    /// Whether it can log in by its own name.
    pub has_password: bool,
    /// Whether it can log in by SCRAM with that password.
    #[serde(default)]
    pub has_scram_keys: bool,
    /// How many app passwords it has.
    #[serde(default)]
    pub app_passwords: u32,
    /// What its logins must keep; what is not given is its tenant's.
    #[serde(default)]
    pub login_rules: super::LoginRulesView,
    /// No login, no sending, no receiving.
    pub disabled: bool,
    /// Its other addresses.
    pub aliases: Vec<String>,
    /// Business mailbox: the members who open it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub users: Vec<String>,
    /// Seconds since 1970-01-01 UTC.
    pub created: i64,
}

/// A mailbox in the recycle bin.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemovedView {
    /// The account's number: names it even when another has its address.
    pub number: u64,
    /// Where it received.
    pub address: String,
    /// The name shown to people.
    pub name: String,
    /// Whose it is.
    pub tenant: String,
    /// `member` or `business`.
    pub kind: String,
    /// What it holds.
    pub used_bytes: u64,
    /// Entries in all its mailboxes.
    pub messages: u64,
    /// When it was removed, seconds since 1970-01-01 UTC.
    pub removed: i64,
    /// From when on `posthouse purge` takes it, seconds since 1970-01-01 UTC.
    pub kept_until: i64,
    /// Its purge was begun and not ended: it cannot be restored.
    pub purge_begun: bool,
}

/// A further address of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasView {
    /// It.
    pub alias: String,
    /// Whose.
    pub account: String,
}

/// A distribution list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupView {
    /// Where it receives.
    pub address: String,
    /// The name shown to people.
    pub name: String,
    /// Whose it is.
    pub tenant: String,
    /// How many members.
    pub member_count: u64,
    /// Who they are; left out of lists.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub members: Option<Vec<String>>,
    /// Seconds since 1970-01-01 UTC.
    pub created: i64,
}

/// A message that waits to go to other hosts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueuedView {
    /// Its number.
    pub id: u64,
    /// `active`, `deferred` or `hold`.
    pub state: super::State,
    /// The reverse-path; empty for `<>`.
    pub sender: String,
    /// The forward-paths that still wait.
    pub recipients: Vec<String>,
    /// Bytes of the message.
    pub size_bytes: u64,
    /// Names its content.
    pub guid: String,
    /// Seconds since 1970-01-01 UTC.
    pub created: i64,
    /// Attempts for the recipient that was tried most.
    pub attempts: u32,
    /// Seconds since 1970-01-01 UTC.
    pub next_try: i64,
    /// What the last attempt was answered.
    pub reply: String,
    /// Each recipient's way so far; in `show` only.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub progress: Vec<WaitingView>,
}

/// One recipient of a message in the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingView {
    /// The forward-path.
    pub recipient: String,
    /// `waiting`, `relayed` or `failed`.
    pub fate: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Seconds since 1970-01-01 UTC, while it waits.
    pub next_try: Option<i64>,
    /// What the last attempt was answered.
    pub reply: String,
}

fn texts<T: ToString>(all: &[T]) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
}

fn tenant_name(directory: &Directory, id: posthouse_engine::base::TenantId) -> String {
    directory.tenant(id).map_or_else(|| id.to_string(), |tenant| tenant.name.to_string())
}

pub(super) fn tenant(tenant: &directory::Tenant) -> TenantView {
    TenantView {
        name: tenant.name.to_string(),
        title: tenant.title.to_string(),
        accounts: tenant.accounts,
        accounts_max: tenant.accounts_max,
        domains: texts(&tenant.domains),
        disabled: tenant.disabled,
        login_rules: rules_view(&tenant.rules),
        created: tenant.created,
    }
}

pub(super) fn domain(directory: &Directory, domain: &directory::Domain) -> DomainView {
    DomainView {
        name: domain.name.to_string(),
        tenant: tenant_name(directory, domain.tenant),
        addresses: domain.addresses,
        created: domain.created,
    }
}

/// Without what it holds: see [`add_usage`].
pub(super) fn account(directory: &Directory, account: &directory::Account) -> AccountView {
    let none = directory::Access::default();
    let access = account.access.as_deref().unwrap_or(&none);
    let user = |id: &_| directory.account(*id).map(|user| user.address.to_string());
    AccountView {
        address: account.address.to_string(),
        name: account.name.to_string(),
        tenant: tenant_name(directory, account.tenant),
        vip: account.vip,
        quota: account.quota.to_string(),
        quota_bytes_max: account.quota_bytes_max(),
        used_bytes: 0,
        messages: 0,
        has_password: account.password_hash.is_some(),
        has_scram_keys: access.keys.is_some(),
        app_passwords: access.app_passwords.len() as u32,
        login_rules: rules_view(&access.rules),
        disabled: account.disabled,
        aliases: texts(&account.aliases),
        users: account.users.iter().filter_map(user).collect(),
        created: account.created,
    }
}

/// Adds what the account holds; nothing when it was never used. Not under the directory's lock.
pub(super) fn add_usage(engine: &Engine, id: posthouse_engine::base::AccountId, view: &mut AccountView) {
    if let Ok(account) = engine.account(id) {
        view.used_bytes = account.used_bytes;
        view.messages = account.messages;
    }
}

pub(super) fn group(directory: &Directory, group: &directory::Group, with_members: bool) -> GroupView {
    GroupView {
        address: group.address.to_string(),
        name: group.name.to_string(),
        tenant: tenant_name(directory, group.tenant),
        member_count: group.members.len() as u64,
        members: with_members.then(|| texts(&group.members)),
        created: group.created,
    }
}

/// Without what it holds.
pub(super) fn removed(directory: &Directory, removed: &directory::Removed) -> RemovedView {
    let account = &removed.account;
    let (kind, days) = match account.kind {
        directory::AccountKind::Member => ("member", MEMBER_KEPT_DAYS),
        directory::AccountKind::Business => ("business", BUSINESS_KEPT_DAYS),
    };
    RemovedView {
        number: account.id.0,
        address: account.address.to_string(),
        name: account.name.to_string(),
        tenant: tenant_name(directory, account.tenant),
        kind: kind.to_owned(),
        used_bytes: 0,
        messages: 0,
        removed: removed.when,
        kept_until: removed.when.saturating_add(days * 86_400),
        purge_begun: removed.purge_begun,
    }
}
