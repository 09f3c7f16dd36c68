//! Whom an entry of a blocklist or an allowlist means, and how it is written.
use super::rule::Pattern;
use super::{Address, normalise_domain};
use crate::base::{Error, Result};
use std::fmt;
use std::str::FromStr;

impl Pattern {
    /// Whether it means that sender.
    pub fn means(&self, address: &Address) -> bool {
        match self {
            Pattern::Address(own) => own == address,
            Pattern::Domain(domain) => address.domain() == &**domain,
            Pattern::Below(domain) => {
                let rest = address.domain().strip_suffix(&**domain);
                rest.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
            }
        }
    }
}

impl FromStr for Pattern {
    type Err = Error;

    /// `name@domain`, `domain` (also `@domain`), or `.domain` for all below it too.
    fn from_str(text: &str) -> Result<Pattern> {
        let text = text.trim();
        let domain = text.strip_prefix('@').unwrap_or(text);
        if domain.contains('@') {
            return Address::parse(text).map(Pattern::Address);
        }
        match domain.strip_prefix('.') {
            Some(below) => Ok(Pattern::Below(normalise_domain(below)?.into())),
            None => Ok(Pattern::Domain(normalise_domain(domain)?.into())),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Domain(domain) => f.write_str(domain),
            Pattern::Below(domain) => write!(f, ".{domain}"),
            Pattern::Address(address) => write!(f, "{address}"),
        }
    }
}
