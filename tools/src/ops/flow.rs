//! Signing keys and rules of the mail flow, as they are listed. Shows no private key.
use super::list::Page;
use super::{Response, View};
use crate::limits::PAGE_ROWS_MAX;
use crate::signing;
use posthouse_engine::Engine;
use posthouse_engine::base::TenantId;
use posthouse_engine::directory::{Scope, SigningKey};
use serde::{Deserialize, Serialize};

/// A domain's signing key, without its private half.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyView {
    /// Whose.
    pub domain: String,
    /// Its name in DNS.
    pub selector: String,
    /// `rsa` or `ed25519`.
    pub algorithm: String,
    /// `next`, `active` or `retired`.
    pub state: String,
    /// Where its record belongs.
    pub name: String,
    /// What the record says.
    pub record: String,
    /// Seconds since 1970-01-01 UTC.
    pub created: i64,
}

/// A rule of the mail flow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleView {
    /// `tenant`, `domain`, `account` or `group`.
    pub scope: String,
    /// Its name.
    pub of: String,
    /// As `posthouse rule add` takes it.
    pub rule: String,
}

fn key(key: &SigningKey) -> KeyView {
    let algorithm = key.algorithm.word();
    KeyView {
        domain: key.domain.to_string(),
        selector: key.selector.to_string(),
        algorithm: algorithm.to_owned(),
        state: key.state.word().to_owned(),
        name: format!("{}._domainkey.{}", key.selector, key.domain),
        record: signing::record(algorithm, &key.public),
        created: key.created,
    }
}

fn word(scope: &Scope) -> &'static str {
    match scope {
        Scope::Tenant(_) => "tenant",
        Scope::Domain(_) => "domain",
        Scope::Account(_) => "account",
        Scope::Group(_) => "group",
        Scope::Mailbox(..) => "mailbox",
    }
}

/// A page that begins behind as many rows as `after` says: both lists are short, and change seldom.
fn paged(rows: impl Iterator<Item = View>, after: Option<&str>) -> Response {
    let skipped: usize = after.and_then(|after| after.parse().ok()).unwrap_or(0);
    let mut rows: Vec<View> = rows.skip(skipped).take(PAGE_ROWS_MAX + 1).collect();
    let more = rows.len() > PAGE_ROWS_MAX;
    rows.truncate(PAGE_ROWS_MAX);
    Response::Listed { rows, next: more.then(|| (skipped + PAGE_ROWS_MAX).to_string()) }
}

/// One page; `contains` is a domain here, whole.
pub(super) fn keys(engine: &Engine, page: &Page<'_>, tenant: Option<TenantId>) -> Response {
    engine.directory(|directory| {
        let wanted = |key: &&SigningKey| page.contains.is_empty() || *key.domain == *page.contains;
        paged(directory.keys(tenant).filter(wanted).map(|one| View::Key(key(one))), page.after)
    })
}

/// One page by scope.
pub(super) fn rules(engine: &Engine, page: &Page<'_>, tenant: Option<TenantId>) -> Response {
    engine.directory(|directory| {
        // Access control lists are `posthouse acl list`'s to show.
        let flow = directory.scopes().filter(|(scope, _)| !matches!(scope, Scope::Mailbox(..)));
        let scopes = flow.filter(|(scope, _)| tenant.is_none() || directory.tenant_of(scope) == tenant);
        let views = scopes.flat_map(|(scope, rules)| {
            let (kind, of) = (word(scope), directory.scope_name(scope));
            rules.iter().map(move |rule| RuleView { scope: kind.into(), of: of.clone(), rule: rule.to_string() })
        });
        let wanted = |view: &RuleView| view.rule.contains(page.contains) || view.of.contains(page.contains);
        paged(views.filter(wanted).map(View::Rule), page.after)
    })
}
