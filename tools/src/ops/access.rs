//! What accounts log in with, and the login log, as they travel. Keys are base64 of the log's bytes; no password ever travels.
use super::{Failure, Kind, Response, View};
use crate::limits::PAGE_ROWS_MAX;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::Engine;
use posthouse_engine::base::Protocol;
use posthouse_engine::directory::{
    self, AccessChange, Address, LoginKeys, LoginRules, LoginRulesPatch, Network, Protocols, Whose,
};
use posthouse_engine::trace::LoginRow;
use serde::{Deserialize, Serialize};

/// A change of what accounts log in with; the variants are those of the engine's `directory::AccessChange`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "access", rename_all = "snake_case")]
pub enum Access {
    KeysMake { account: String, of_hash: String, keys: String },
    AppPasswordAdd { account: String, name: String, protocols: String, expires: Option<i64>, keys: String },
    AppPasswordRemove { account: String, number: u32 },
    TenantLoginRules { tenant: String, set: LoginRulesWords },
    AccountLoginRules { account: String, set: LoginRulesWords },
}

/// Login rules as an administrator gives them; absent keeps what is, `inherit` takes a rule away.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoginRulesWords {
    /// `inherit`, `all`, `none`, or names separated by commas.
    pub protocols: Option<String>,
    /// `inherit`, `any`, or networks and addresses separated by commas.
    pub trusted: Option<String>,
    /// Whether only app passwords are taken: `inherit`, `true`, `false`.
    pub app_only: Option<String>,
}

/// Login rules as they are shown; `null`: as one step higher.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginRulesView {
    /// The protocols that may be used.
    pub protocols: Option<Vec<String>>,
    /// Where clients may come from; `any`: from anywhere.
    pub trusted: Option<Vec<String>>,
    /// Whether only app passwords are taken.
    pub app_only: Option<bool>,
}

/// An app password as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AppPasswordView {
    /// Names it in its account.
    pub number: u32,
    /// What its owner calls it.
    pub name: String,
    /// What it opens.
    pub protocols: Vec<String>,
    /// Seconds since 1970-01-01 UTC.
    pub created: i64,
    /// Seconds since 1970-01-01 UTC; `null`: never.
    pub expires: Option<i64>,
}

/// A login as it is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoginView {
    /// Seconds since 1970-01-01 UTC.
    pub when: i64,
    /// The name that was given.
    pub name: String,
    /// The client's address and port.
    pub from: String,
    /// `imap`, `pop3` or `submission`.
    pub protocol: String,
    /// `command` or the SASL mechanism.
    pub means: String,
    /// Whether under TLS.
    pub tls: bool,
    /// How it ended.
    pub result: String,
    /// By which app password of the account.
    pub app_password: Option<u32>,
    /// The account's number, if the name is known.
    pub account: Option<u64>,
}

/// Which logins.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LoginFilter {
    /// Only this account's.
    pub account: Option<String>,
    /// Only those whose name contains this.
    pub contains: String,
    /// Only those from here on, seconds since 1970-01-01 UTC.
    pub since: Option<i64>,
    /// Only by this protocol.
    pub protocol: Option<String>,
    /// Only from this address.
    pub from: Option<String>,
    /// Only those that were not let in.
    pub failed: bool,
}

fn refused(text: String) -> Failure {
    Failure::new(Kind::Refused, text)
}

impl Access {
    /// The engine's form.
    pub fn to_engine(&self) -> Result<AccessChange, Failure> {
        Ok(match self {
            Access::KeysMake { account, of_hash, keys } => {
                let (account, of_hash) = (Address::parse(account)?, of_hash.clone());
                AccessChange::KeysMake { account, of_hash, keys: read_keys(keys)? }
            }
            Access::AppPasswordAdd { account, name, protocols, expires, keys } => AccessChange::AppPasswordAdd {
                account: Address::parse(account)?,
                name: name.clone(),
                protocols: read_protocols(protocols)?,
                expires: *expires,
                keys: read_keys(keys)?,
            },
            Access::AppPasswordRemove { account, number } => {
                AccessChange::AppPasswordRemove { account: Address::parse(account)?, number: *number }
            }
            Access::TenantLoginRules { tenant, set } => {
                AccessChange::LoginRulesSet { of: Whose::Tenant(tenant.clone()), set: set.to_engine()? }
            }
            Access::AccountLoginRules { account, set } => {
                AccessChange::LoginRulesSet { of: Whose::Account(Address::parse(account)?), set: set.to_engine()? }
            }
        })
    }
}

fn read_keys(text: &str) -> Result<Box<LoginKeys>, Failure> {
    let keys = STANDARD.decode(text).ok().and_then(|bytes| LoginKeys::from_bytes(&bytes));
    keys.map(Box::new).ok_or_else(|| refused("keys that cannot be read".into()))
}

/// Keys as they travel.
pub fn write_keys(keys: &LoginKeys) -> String {
    STANDARD.encode(keys.to_bytes())
}

fn read_protocol(name: &str) -> Result<Protocol, Failure> {
    let found = Protocol::ALL.into_iter().find(|protocol| protocol.name() == name.trim());
    found.ok_or_else(|| refused(format!("protocol {name:?}: allowed are imap, pop3, submission")))
}

fn read_protocols(text: &str) -> Result<Protocols, Failure> {
    match text {
        "all" => Ok(Protocols::ALL),
        "none" => Ok(Protocols::of([])),
        names => names.split(',').map(read_protocol).collect::<Result<Vec<_>, _>>().map(Protocols::of),
    }
}

fn read_network(text: &str) -> Result<Network, Failure> {
    let text = text.trim();
    let address = || text.parse().ok().map(|address: std::net::IpAddr| Network::from(address.to_canonical()));
    text.parse().ok().or_else(address).ok_or_else(|| {
        refused(format!(
            "network {text:?}: allowed are addresses and ranges, as in 192.0.2.7, 10.0.0.0/8 or 2001:db8::/32"
        ))
    })
}

impl LoginRulesWords {
    fn to_engine(&self) -> Result<LoginRulesPatch, Failure> {
        let rule = |text: &Option<String>| text.clone().map(|text| (text != "inherit").then_some(text));
        let protocols =
            rule(&self.protocols).map(|text| text.map(|text| read_protocols(&text)).transpose()).transpose()?;
        let networks = |text: String| match text.as_str() {
            "any" => Ok(Vec::new()),
            all => all.split(',').map(read_network).collect::<Result<Vec<_>, _>>(),
        };
        let networks = rule(&self.trusted).map(|text| text.map(networks).transpose()).transpose()?;
        let needed = |text: String| match text.as_str() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(refused(format!("app_only {other:?}: allowed are true, false, inherit"))),
        };
        let app_only = rule(&self.app_only).map(|text| text.map(needed).transpose()).transpose()?;
        Ok(LoginRulesPatch { protocols, networks, app_only })
    }
}

fn names(protocols: Protocols) -> Vec<String> {
    protocols.iter().map(|protocol| protocol.name().to_owned()).collect()
}

/// Login rules for people.
pub(super) fn rules_view(rules: &LoginRules) -> LoginRulesView {
    let networks = |networks: &Vec<Network>| match networks.as_slice() {
        [] => vec!["any".to_owned()],
        some => some.iter().map(ToString::to_string).collect(),
    };
    LoginRulesView {
        protocols: rules.protocols.map(names),
        trusted: rules.networks.as_ref().map(networks),
        app_only: rules.app_only,
    }
}

/// The app passwords of an account.
pub(super) fn app_passwords(engine: &Engine, account: &str) -> Result<Response, Failure> {
    let address = Address::parse(account)?;
    let view = |app: &directory::AppPassword| {
        View::AppPassword(AppPasswordView {
            number: app.number,
            name: app.name.to_string(),
            protocols: names(app.protocols),
            created: app.created,
            expires: app.expires,
        })
    };
    let rows = engine.directory(|directory| {
        let account = directory.account_at(&address)?;
        Some(account.access.iter().flat_map(|access| &access.app_passwords).map(view).collect())
    });
    let rows = rows.ok_or_else(|| Failure::not_found(format_args!("account {account}")))?;
    Ok(Response::Listed { rows, next: None })
}

/// The salt with which keys for an account's passwords are made.
pub(super) fn salt(engine: &Engine, account: &str) -> Result<Response, Failure> {
    // Without the secret a salt would hold until the next start only.
    engine.make_login_secret().wait().into_iter().collect::<Result<Vec<()>, _>>()?;
    Ok(Response::Salt { salt: STANDARD.encode(engine.login_candidate(account).salt()) })
}

/// One page of the login log, the newest first.
pub(super) fn logins(engine: &Engine, filter: &LoginFilter, before: Option<u64>) -> Result<Response, Failure> {
    let account = filter.account.as_deref().map(Address::parse).transpose()?;
    let id = |address: &Address| engine.directory(|directory| directory.account_at(address).map(|account| account.id));
    let missing = || Failure::not_found(format_args!("account {}", filter.account.as_deref().unwrap_or_default()));
    let account = account.map(|address| id(&address).ok_or_else(missing)).transpose()?;
    let from =
        filter.from.as_deref().map(|text| text.parse().map_err(|_| refused(format!("{text:?} is no IP address"))));
    let filter = posthouse_engine::trace::LoginFilter {
        account,
        contains: filter.contains.clone(),
        since_ms: filter.since.map(|seconds| seconds.saturating_mul(1000)),
        until_ms: None,
        protocol: filter.protocol.as_deref().map(read_protocol).transpose()?,
        from: from.transpose()?,
        failed: filter.failed,
    };
    let page = engine.logins(&filter, before, PAGE_ROWS_MAX)?;
    let rows = page.rows.iter().map(|row| View::Login(login_view(row))).collect();
    Ok(Response::Listed { rows, next: page.next.map(|next| next.to_string()) })
}

fn login_view(row: &LoginRow) -> LoginView {
    let record = &row.record;
    LoginView {
        when: record.when_ms.div_euclid(1000),
        name: record.name.clone(),
        from: record.peer.to_string(),
        protocol: record.protocol.name().to_owned(),
        means: record.means.name().to_owned(),
        tls: record.tls,
        result: record.result.name().to_owned(),
        app_password: record.app_password,
        account: record.account.map(|account| account.0),
    }
}
