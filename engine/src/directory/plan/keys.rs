//! Changes of signing keys. Changes nothing itself, and does not look into a key: who made it has.
use crate::base::{Error, Result, limits};

use super::super::tables::Tables;
use super::super::{Event, KeyState, SigningKey, normalise_domain};

/// A new key.
pub(super) fn add(tables: &impl Tables, key: &SigningKey, now: i64) -> Result<Vec<Event>> {
    let domain = normalise_domain(&key.domain)?;
    if tables.domain(&domain).is_none() {
        return Err(Error::NotFound(format!("domain {domain}")));
    }
    let selector = &*key.selector;
    let label = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    let fits = (1..=limits::SELECTOR_BYTES_MAX).contains(&selector.len());
    if !fits || !selector.bytes().all(label) || selector.starts_with('-') || selector.ends_with('-') {
        let max = limits::SELECTOR_BYTES_MAX;
        return Err(Error::Invalid(format!(
            "selector {selector:?}: allowed are 1 to {max} small letters, digits and hyphens, the hyphens inside"
        )));
    }
    if tables.key(&domain, selector).is_some() {
        return Err(Error::Exists(format!("signing key {selector} of {domain}")));
    }
    let max = limits::SIGNING_KEY_BYTES_MAX;
    if key.private.is_empty() || key.private.len() > max || key.public.is_empty() || key.public.len() > max {
        return Err(Error::Invalid(format!("signing key {selector}: allowed are keys of 1 to {max} bytes")));
    }
    if tables.keys_of(&domain).len() >= limits::DOMAIN_KEYS_MAX {
        let max = limits::DOMAIN_KEYS_MAX;
        return Err(Error::Limit(format!("{domain} has {max} signing keys; remove retired ones first")));
    }
    Ok(vec![Event::KeyAdded(SigningKey { domain: domain.into(), created: now, ..key.clone() })])
}

fn key_named<'a>(tables: &'a impl Tables, domain: &str, selector: &str) -> Result<&'a SigningKey> {
    let domain = normalise_domain(domain)?;
    tables.key(&domain, selector).ok_or_else(|| Error::NotFound(format!("signing key {selector} of {domain}")))
}

/// What it is for from now on.
pub(super) fn set(tables: &impl Tables, domain: &str, selector: &str, state: KeyState) -> Result<Vec<Event>> {
    let key = key_named(tables, domain, selector)?;
    if key.state == state {
        return Ok(Vec::new());
    }
    Ok(vec![Event::KeySet { domain: key.domain.clone(), selector: key.selector.clone(), state }])
}

/// Away with it.
pub(super) fn remove(tables: &impl Tables, domain: &str, selector: &str) -> Result<Vec<Event>> {
    let key = key_named(tables, domain, selector)?;
    Ok(vec![Event::KeyRemoved { domain: key.domain.clone(), selector: key.selector.clone() }])
}
