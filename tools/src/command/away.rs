//! member away, member forward: a member's own rules in words of their own. Rules like others: `rule list` shows them.
use super::{Context, End, unexpected};
use crate::cli::{AwayArgs, ForwardArgs};
use crate::ops::{Change, Failure, Kind, Request, Response, ScopeText, View, What};
use crate::time;
use posthouse_engine::directory::{Address, Away};
use std::io::Read;
use std::path::Path;

/// Bytes that are read of a text at most; what the rule may hold is less.
const TEXT_BYTES_MAX: u64 = 1 << 20;

pub(super) fn refused(text: impl Into<String>) -> Failure {
    Failure::new(Kind::Refused, text)
}

fn moment(text: Option<&str>) -> Result<i64, Failure> {
    let read = |text| {
        let wrong = || refused(format!("{text:?} is no time; allowed: 2026-12-24 or 2026-12-24T08:00:00Z"));
        time::parse_day_or_rfc3339(text).ok_or_else(wrong)
    };
    text.map_or(Ok(0), read)
}

/// A file's text with plain line ends; `-` is standard input.
pub(super) fn read(file: &Path) -> Result<String, Failure> {
    let mut text = String::new();
    let from: Box<dyn Read> = match file.to_str() {
        Some("-") => Box::new(std::io::stdin()),
        _ => Box::new(std::fs::File::open(file).map_err(|error| Failure::io(file.display(), &error))?),
    };
    from.take(TEXT_BYTES_MAX).read_to_string(&mut text).map_err(|error| Failure::io(file.display(), &error))?;
    Ok(text.replace("\r\n", "\n"))
}

/// The account's rules that begin with one of these words.
pub(super) fn rules(context: &mut Context<'_>, address: &str, words: &[&str]) -> Result<Vec<String>, Failure> {
    let name = Address::parse(address)?.to_string();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let request = Request::List { what: What::Rule, tenant: None, contains: name.clone(), after };
        let Response::Listed { rows, next } = context.session.ask(&request)? else {
            return Err(Failure::new(Kind::Failed, "a list was expected"));
        };
        let own = rows.into_iter().filter_map(|row| if let View::Rule(rule) = row { Some(rule) } else { None });
        let own = own.filter(|rule| rule.scope == "account" && rule.of == name).map(|rule| rule.rule);
        found.extend(own.filter(|rule| words.iter().any(|word| rule.split(' ').next() == Some(word))));
        match next {
            Some(next) => after = Some(next),
            None => return Ok(found),
        }
    }
}

pub(super) fn commit(context: &mut Context<'_>, changes: Vec<Change>, done: &str) -> Result<End, Failure> {
    match context.session.ask(&Request::Change { changes })? {
        Response::Changed { results } => results.into_iter().flatten().next().map_or(Ok(()), Err)?,
        other => return Err(unexpected(&other)),
    }
    context.show.done(done);
    Ok(End::Done)
}

pub(super) fn away(context: &mut Context<'_>, args: AwayArgs) -> Result<End, Failure> {
    let AwayArgs { address, text, text_file, off, subject, days, from, until } = args;
    let scope = || ScopeText::Account(address.clone());
    if off {
        let rules = rules(context, &address, &["away"])?;
        if rules.is_empty() {
            return Err(Failure::not_found(format_args!("an answer of {address}")));
        }
        let changes = rules.into_iter().map(|rule| Change::RuleRemove { scope: scope(), rule }).collect();
        return commit(context, changes, &format!("{address} answers nobody any more"));
    }
    let text = match (text, text_file) {
        (Some(text), _) => text,
        (None, Some(file)) => read(&file)?.trim_end().to_owned(),
        (None, None) => return Err(refused("what is the answer? allowed: --text, --text-file or --off")),
    };
    let (from, until) = (moment(from.as_deref())?, moment(until.as_deref())?);
    if until != 0 && until <= super::removed::now() {
        return Err(refused("until is over already; nobody would be answered"));
    }
    let away = Away { days, from, until, subject: subject.into(), text: text.into() };
    let change = Change::RuleAdd { scope: scope(), rule: format!("away {away}") };
    commit(context, vec![change], &format!("{address} answers who writes to it, once in {days} days"))
}

pub(super) fn forward(context: &mut Context<'_>, args: ForwardArgs) -> Result<End, Failure> {
    let ForwardArgs { address, to, only, off } = args;
    let scope = || ScopeText::Account(address.clone());
    if off {
        let named = to.iter().map(|to| Ok(Address::parse(to)?.to_string())).collect::<Result<Vec<_>, Failure>>()?;
        let all = rules(context, &address, &["forward", "forward-only"])?;
        let is_named = |rule: &String| named.is_empty() || named.iter().any(|to| rule.ends_with(&format!(" {to}")));
        let gone = all.into_iter().filter(is_named);
        let changes: Vec<Change> = gone.map(|rule| Change::RuleRemove { scope: scope(), rule }).collect();
        if changes.is_empty() {
            return Err(Failure::not_found(format_args!("such a forward of {address}")));
        }
        return commit(context, changes, &format!("mail of {address} stays"));
    }
    if to.is_empty() {
        return Err(refused("where to? allowed: --to ADDRESS, or --off"));
    }
    let word = if only { "forward-only" } else { "forward" };
    let add = |to: &String| Change::RuleAdd { scope: scope(), rule: format!("{word} {to}") };
    let changes = to.iter().map(add).collect();
    commit(context, changes, &format!("mail of {address} goes on to {}", to.join(", ")))
}
