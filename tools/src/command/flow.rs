//! dkim, rule.
use super::{Context, End, unexpected};
use crate::cli::{AlgorithmArg, DkimCommand, RuleCommand, ScopeArgs};
use crate::ops::{Change, Failure, KeyView, Kind, Request, Response, ScopeText, View, What};
use crate::{password, signing, time};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

fn keys_request(tenant: Option<String>, domain: Option<String>) -> Request {
    Request::List { what: What::Key, tenant, contains: domain.unwrap_or_default(), after: None }
}

/// The keys of a domain.
pub(super) fn keys(context: &mut Context<'_>, domain: &str) -> Result<Vec<KeyView>, Failure> {
    let name = posthouse_engine::directory::normalise_domain(domain)?;
    let mut request = keys_request(None, Some(name));
    let mut found = Vec::new();
    loop {
        let Response::Listed { rows, next } = context.session.ask(&request)? else {
            return Err(Failure::new(Kind::Failed, "a list was expected"));
        };
        found.extend(rows.into_iter().filter_map(|row| if let View::Key(key) = row { Some(key) } else { None }));
        match (&mut request, next) {
            (Request::List { after, .. }, Some(next)) => *after = Some(next),
            _ => return Ok(found),
        }
    }
}

/// A free selector: a letter for the algorithm and the date, with a number when there are more of that day.
fn selector(algorithm: &str, taken: &[KeyView]) -> String {
    let date: String = time::rfc3339(super::removed::now()).chars().take(10).filter(char::is_ascii_digit).collect();
    let base = format!("{}{date}", algorithm.chars().next().unwrap_or('k'));
    let is_free = |name: &String| taken.iter().all(|key| key.selector != *name);
    let numbered = (2..).map(|number| format!("{base}-{number}"));
    std::iter::once(base.clone()).chain(numbered).find(is_free).unwrap_or(base)
}

fn new_key(domain: &str, algorithm: &str, selector: String) -> Result<Change, Failure> {
    let (private, public) = signing::generate(algorithm)?;
    Ok(Change::KeyAdd {
        domain: domain.to_owned(),
        selector,
        algorithm: algorithm.to_owned(),
        private: STANDARD.encode(private),
        public: STANDARD.encode(public),
    })
}

pub(super) fn dkim(context: &mut Context<'_>, command: DkimCommand) -> Result<End, Failure> {
    match command {
        DkimCommand::Add { domain, algorithm, selector: name } => {
            let algorithm = if algorithm == AlgorithmArg::Rsa { "rsa" } else { "ed25519" };
            let name = match name {
                Some(name) => name,
                None => selector(algorithm, &keys(context, &domain)?),
            };
            let change = new_key(&domain, algorithm, name.clone())?;
            commit(context, vec![change])?;
            tell(context, &domain, &[name], "publish, then: posthouse dkim rotate")
        }
        DkimCommand::List { domain, tenant } => {
            let domain = domain.as_deref().map(posthouse_engine::directory::normalise_domain).transpose()?;
            context.list(keys_request(tenant, domain))
        }
        DkimCommand::Rotate { domain, now } => rotate(context, &domain, now),
        DkimCommand::Remove { domain, selector } => {
            let done = format!("signing key {selector} of {domain} removed");
            context.change(Change::KeyRemove { domain, selector }, &done)
        }
        DkimCommand::Dns { domain } => {
            let all: Vec<String> = keys(context, &domain)?.into_iter().map(|key| key.selector).collect();
            if all.is_empty() {
                return Err(Failure::not_found(format_args!("a signing key of {domain}")));
            }
            tell(context, &domain, &all, "")
        }
    }
}

/// A command given twice must not make a key sign whose record nobody can have published.
const PUBLISHED_AFTER_SECONDS: i64 = 3600;

/// All in one transaction, so that at no time nobody signs.
fn rotate(context: &mut Context<'_>, domain: &str, now: bool) -> Result<End, Failure> {
    let all = keys(context, domain)?;
    let next: Vec<&KeyView> = all.iter().filter(|key| key.state == "next").collect();
    if next.is_empty() {
        let text = format!("{domain} has no next key; make one first: posthouse dkim add {domain}");
        return Err(Failure::new(Kind::NotFound, text));
    }
    let has_active = |algorithm: &str| all.iter().any(|key| key.algorithm == algorithm && key.state == "active");
    let is_young = |key: &KeyView| super::removed::now() - key.created < PUBLISHED_AFTER_SECONDS;
    if let Some(key) = next.iter().find(|key| !now && has_active(&key.algorithm) && is_young(key)) {
        let text = format!(
            "the next key {} of {domain} was made less than an hour ago; allowed: later, or --now when its record can be seen",
            key.selector
        );
        return Err(Failure::new(Kind::Refused, text));
    }
    let set = |key: &KeyView, state: &str| {
        let (domain, selector) = (key.domain.clone(), key.selector.clone());
        Change::KeySet { domain, selector, state: state.to_owned() }
    };
    let (mut changes, mut made, mut taken) = (Vec::new(), Vec::new(), all.clone());
    for algorithm in ["rsa", "ed25519"] {
        if !next.iter().any(|key| key.algorithm == algorithm) {
            continue;
        }
        let of = |state: &'static str| all.iter().filter(move |key| key.algorithm == algorithm && key.state == state);
        changes.extend(of("active").map(|key| set(key, "retired")));
        changes.extend(of("next").map(|key| set(key, "active")));
        let name = selector(algorithm, &taken);
        taken.push(KeyView { selector: name.clone(), ..KeyView::default() });
        changes.push(new_key(domain, algorithm, name.clone())?);
        made.push(name);
    }
    commit(context, changes)?;
    tell(context, domain, &made, "the next keys; publish, and rotate again when it is time")
}

fn commit(context: &mut Context<'_>, changes: Vec<Change>) -> Result<(), Failure> {
    match context.session.ask(&Request::Change { changes })? {
        Response::Changed { results } => results.into_iter().flatten().next().map_or(Ok(()), Err),
        other => Err(unexpected(&other)),
    }
}

/// The records of some keys.
fn tell(context: &mut Context<'_>, domain: &str, selectors: &[String], then: &str) -> Result<End, Failure> {
    let mut found = keys(context, domain)?;
    found.retain(|key| selectors.contains(&key.selector));
    if context.show.json {
        context.show.json_value(&found);
        return Ok(End::Done);
    }
    for key in &found {
        context.show.text(&format!("; {}", [key.state.as_str(), then].join(" ").trim_end()));
        context.show.text(&signing::zone_line(key));
    }
    Ok(End::Done)
}

fn scope(args: ScopeArgs) -> Result<ScopeText, Failure> {
    let ScopeArgs { tenant, domain, account, group } = args;
    let named = tenant.map(ScopeText::Tenant).or(domain.map(ScopeText::Domain));
    let named = named.or(account.map(ScopeText::Account)).or(group.map(ScopeText::Group));
    named.ok_or_else(|| Failure::new(Kind::Refused, "for whom? allowed: --tenant, --domain, --account or --group"))
}

pub(super) fn rule(context: &mut Context<'_>, command: RuleCommand) -> Result<End, Failure> {
    match command {
        RuleCommand::Add { scope: of, password_stdin, rule } => {
            let mut rule = rule.join(" ");
            if rule.starts_with("relay ") && rule.contains("password=") {
                let text = "every process can read a password that stands here; allowed: --password-stdin";
                return Err(Failure::new(Kind::Refused, text));
            }
            if let Some((list, domain)) = rule.split_once(" *@").filter(|(list, _)| ["block", "allow"].contains(list)) {
                let text = format!("a domain stands for all addresses in it; allowed: {list} {domain}");
                return Err(Failure::new(Kind::Refused, text));
            }
            let done = format!("rule added: {rule}");
            if password_stdin {
                let password = password::from_stdin()?.replace('\\', "\\\\").replace('"', "\\\"");
                rule.push_str(&format!(" password=\"{password}\""));
            }
            context.change(Change::RuleAdd { scope: scope(of)?, rule }, &done)
        }
        RuleCommand::Remove { scope: of, rule } => {
            let rule = rule.join(" ");
            let done = format!("rule removed: {rule}");
            context.change(Change::RuleRemove { scope: scope(of)?, rule }, &done)
        }
        RuleCommand::List { tenant, contains } => {
            context.list(Request::List { what: What::Rule, tenant, contains, after: None })
        }
    }
}
