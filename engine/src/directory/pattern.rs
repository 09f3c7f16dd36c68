//! Whom lists of the mail flow mean: an address, everybody at a domain, everybody at and below it.
use std::fmt;
use std::str::FromStr;

use crate::base::bytes::{Put, Reader};
use crate::base::{Error, Result};

use super::codec::{self, Decoded};
use super::{Address, normalise_domain};

/// Whom a list means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pattern {
    /// Everybody at a domain.
    Domain(Box<str>),
    /// Everybody at a domain and below it.
    Below(Box<str>),
    /// One address.
    Address(Address),
}

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

pub(super) fn put_pattern(out: &mut Vec<u8>, kind: u8, pattern: &Pattern) {
    out.put_u8(kind);
    match pattern {
        Pattern::Domain(domain) => {
            out.put_u8(0);
            out.put_str(domain);
        }
        Pattern::Below(domain) => {
            out.put_u8(1);
            out.put_str(domain);
        }
        Pattern::Address(address) => {
            out.put_u8(2);
            codec::put_address(out, address);
        }
    }
}

pub(super) fn get_pattern(reader: &mut Reader<'_>) -> Decoded<Pattern> {
    Ok(match reader.u8()? {
        0 => Pattern::Domain(codec::get_box(reader)?),
        1 => Pattern::Below(codec::get_box(reader)?),
        2 => Pattern::Address(codec::get_address(reader)?),
        _ => return reader.error("a kind of pattern expected before this byte"),
    })
}
