//! Mail addresses in the one form in which they are compared and stored. Never asks whether anybody has the address.
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use icu_normalizer::ComposingNormalizerBorrowed;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};

use crate::base::{Error, Result, limits};

/// What no domain name may have in ASCII but letters, digits, dots and hyphens: STD 3 without the underscore, which RFC 5321 does not know and
/// hosts that send mail have all the same.
const NOT_IN_DOMAINS: AsciiDenyList = AsciiDenyList::new(true, "!\"#$%&'()*+,/:;<=>?@[\\]^`{|}~");

/// A parsed `local@domain` in canonical form, so that equal addresses are equal bytes: the local part in small letters
/// (Unicode: lower-cased, NFC), quoted only where it must be; the domain in small letters and A-labels, or an address
/// literal. Ordered by domain, then local part. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Address(Arc<str>);

impl Address {
    /// Reads an address as people and SMTP write it (RFC 5321 section 4.1.2, RFC 6531 section 3.3), without angle
    /// brackets. `Error::Invalid` says what is wrong in plain words.
    pub fn parse(text: &str) -> Result<Address> {
        let refuse = |why: String| Err(Error::Invalid(format!("address {:?}: {why}", shown(text))));
        if text.len() > limits::ADDRESS_BYTES_MAX {
            return refuse(format!("is longer than {} bytes", limits::ADDRESS_BYTES_MAX));
        }
        // The domain holds no '@', a quoted local part may (RFC 5321 section 4.1.2).
        let Some((local, domain)) = text.rsplit_once('@') else {
            return refuse("has no @; name@domain is expected".into());
        };
        let local = match canonical_local(local) {
            Ok(local) => local,
            Err(why) => return refuse(why.into()),
        };
        let domain = match canonical_domain(domain) {
            Ok(domain) => domain,
            Err(why) => return refuse(why.into()),
        };
        let canonical = format!("{local}@{domain}");
        if canonical.len() > limits::ADDRESS_BYTES_MAX {
            return refuse(format!("is longer than {} bytes", limits::ADDRESS_BYTES_MAX));
        }
        Ok(Address(canonical.into()))
    }

    /// Takes what `as_str` gave before. Checks only the shape: a newer Unicode table may fold a name in another way,
    /// and a log must stay readable all the same.
    pub(crate) fn from_stored(text: &str) -> Option<Address> {
        Address::is_stored(text).then(|| Address(text.into()))
    }

    /// Whether the text has the shape of one.
    pub(super) fn is_stored(text: &str) -> bool {
        let Some((local, domain)) = text.rsplit_once('@') else { return false };
        !local.is_empty() && !domain.is_empty() && !text.chars().any(|c| c.is_control())
    }

    /// The least of all addresses of a domain, below those that have a local part.
    pub(super) fn first_of(domain: &str) -> Address {
        Address(format!("@{domain}").into())
    }

    /// The address without `+tag` in its local part (RFC 5233); `None` when it has none.
    pub fn without_tag(&self) -> Option<Address> {
        let (name, _) = self.local().split_once('+').filter(|(name, _)| !name.is_empty() && !name.starts_with('"'))?;
        Address::from_stored(&format!("{name}@{}", self.domain()))
    }

    /// The canonical form.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the `@` in the canonical form; in quotes where it needs them.
    pub fn local(&self) -> &str {
        self.split().0
    }

    /// The domain: A-labels in small letters, or an address literal in brackets.
    pub fn domain(&self) -> &str {
        self.split().1
    }

    fn split(&self) -> (&str, &str) {
        self.0.rsplit_once('@').unwrap_or((&self.0, ""))
    }
}

impl FromStr for Address {
    type Err = Error;

    fn from_str(text: &str) -> Result<Address> {
        Address::parse(text)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Ord for Address {
    fn cmp(&self, other: &Address) -> Ordering {
        let ((local, domain), (other_local, other_domain)) = (self.split(), other.split());
        domain.cmp(other_domain).then_with(|| local.cmp(other_local))
    }
}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Address) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// A domain name in the form in which domains are compared: small letters, A-labels. No address literals.
pub fn normalise_domain(text: &str) -> Result<String> {
    let why = match canonical_domain(text) {
        Ok(domain) if !domain.starts_with('[') => return Ok(domain.into_owned()),
        Ok(_) => "is an address literal; a name is expected",
        Err(why) => why,
    };
    Err(Error::Invalid(format!("domain {:?}: {why}", shown(text))))
}

/// Enough of the input for an error message.
fn shown(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(100) {
        Some((at, _)) => format!("{}...", &text[..at]).into(),
        None => text.into(),
    }
}

/// RFC 5321 section 4.1.2 `atext` and RFC 6531 section 3.3 `UTF8-non-ascii`.
fn is_atom_char(c: char) -> bool {
    c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || (!c.is_ascii() && is_visible(c))
}

/// Not a control, separator or invisible direction mark, by which two names could look the same.
fn is_visible(c: char) -> bool {
    !c.is_control()
        && !c.is_whitespace()
        && !matches!(c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}' | '\u{FFF0}'..='\u{FFFF}')
}

fn is_dot_string(text: &str) -> bool {
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_char))
}

/// Local part in canonical form. Case is folded though RFC 5321 section 2.4 allows a host to keep it: these are names of
/// our own accounts, and nobody wants two that differ in case only.
fn canonical_local(text: &str) -> std::result::Result<Cow<'_, str>, &'static str> {
    if text.is_empty() {
        return Err("has nothing before the @");
    }
    if text.len() <= limits::LOCAL_PART_BYTES_MAX && is_dot_string(text) && is_plain(text) {
        return Ok(text.into());
    }
    let raw = match text.strip_prefix('"') {
        Some(quoted) => unquote(quoted)?.into(),
        None if is_dot_string(text) => Cow::from(text),
        None => return Err("has a character before the @ that is not allowed there without quotes"),
    };
    if raw.is_empty() {
        return Err("has nothing before the @");
    }
    let nfc = ComposingNormalizerBorrowed::new_nfc();
    let folded = nfc.normalize(&nfc.normalize(&raw).to_lowercase()).into_owned();
    let canonical = if is_dot_string(&folded) { folded } else { quote(&folded) };
    if canonical.len() > limits::LOCAL_PART_BYTES_MAX {
        return Err("has more than 64 bytes before the @");
    }
    Ok(canonical.into())
}

/// ASCII without capitals: needs no folding.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase())
}

/// The content of a quoted string whose opening quote is gone (RFC 5321 section 4.1.2).
fn unquote(text: &str) -> std::result::Result<String, &'static str> {
    const UNCLOSED: &str = "has an opening quote without the closing one before the @";
    let mut raw = String::with_capacity(text.len());
    let mut chars = text.chars();
    loop {
        let c = match chars.next().ok_or(UNCLOSED)? {
            '"' if chars.as_str().is_empty() => return Ok(raw),
            '"' => return Err("has something between the closing quote and the @"),
            '\\' => chars.next().filter(char::is_ascii).ok_or(UNCLOSED)?,
            c => c,
        };
        if c != ' ' && !is_visible(c) {
            return Err("has a control or invisible character");
        }
        raw.push(c);
    }
}

fn quote(raw: &str) -> String {
    let mut quoted = String::with_capacity(raw.len() + 2);
    quoted.push('"');
    for c in raw.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

fn canonical_domain(text: &str) -> std::result::Result<Cow<'_, str>, &'static str> {
    if text.is_empty() {
        return Err("has no domain");
    }
    if let Some(literal) = text.strip_prefix('[') {
        return canonical_literal(literal).map(Cow::from);
    }
    if text.len() > limits::DOMAIN_BYTES_MAX {
        return Err("has a domain longer than 255 bytes");
    }
    let letters = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
    let simple = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(letters)
            && !label.starts_with('-')
            && !label.ends_with('-')
            && !label.starts_with("xn--")
    };
    if text.len() <= 253 && text.split('.').all(simple) {
        return Ok(text.into());
    }
    Uts46::new()
        .to_ascii(text.as_bytes(), NOT_IN_DOMAINS, Hyphens::CheckFirstLast, DnsLength::Verify)
        .map_err(|_| "has a domain that is no valid name (letters, digits, hyphens and underscores in labels of 1 to 63, at most 253 together)")
}

/// RFC 5321 section 4.1.3, without the opening bracket.
fn canonical_literal(text: &str) -> std::result::Result<String, &'static str> {
    const WRONG: &str = "has an address literal that is neither [IPv4] nor [IPv6:...]";
    let inner = text.strip_suffix(']').ok_or(WRONG)?;
    if let Ok(v4) = inner.parse::<Ipv4Addr>() {
        return Ok(format!("[{v4}]"));
    }
    let (tag, v6) = inner.split_once(':').ok_or(WRONG)?;
    let v6 = v6.parse::<Ipv6Addr>().map_err(|_| WRONG)?;
    if tag.eq_ignore_ascii_case("ipv6") { Ok(format!("[IPv6:{v6}]")) } else { Err(WRONG) }
}
