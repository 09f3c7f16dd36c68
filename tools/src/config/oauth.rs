//! `[oauth]`: tokens of an identity provider in the place of passwords, with its defaults. docs/configuration.md explains the keys.
use super::check::{Wrong, within, wrong};
use posthouse_protocols::session::oauth::Url;
use serde::Deserialize;
use std::path::PathBuf;

/// `[oauth]`; without a URL it is off.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OAuth {
    /// The token introspection endpoint (RFC 7662); empty: tokens are not taken.
    pub introspection_url: String,
    /// Our name with it.
    pub client_id: String,
    /// Our password with it: the first line of this file.
    pub client_secret_file: PathBuf,
    /// A PEM file with the authorities that prove its name; empty: the system's.
    pub tls_authorities: PathBuf,
    /// The claim that is a member's address.
    pub address_claim: String,
    /// Whom tokens must be meant for; empty: that is not asked.
    pub audience: String,
    /// The scope that IMAP needs; empty: none.
    pub scope_imap: String,
    /// The scope that POP3 needs; empty: none.
    pub scope_pop3: String,
    /// The scope that submission needs; empty: none.
    pub scope_submission: String,
    /// Where clients find out how to get a token; empty: they are not told.
    pub discovery_url: String,
    /// Seconds that an answer may take.
    pub timeout_seconds: u32,
    /// Seconds for which a good answer counts; 0: each login asks.
    pub cache_seconds: u32,
    /// Good answers that are kept at a time.
    pub cache_tokens_max: u32,
}

impl Default for OAuth {
    fn default() -> OAuth {
        OAuth {
            introspection_url: String::new(),
            client_id: String::new(),
            client_secret_file: PathBuf::new(),
            tls_authorities: PathBuf::new(),
            address_claim: "username".into(),
            audience: String::new(),
            scope_imap: String::new(),
            scope_pop3: String::new(),
            scope_submission: String::new(),
            discovery_url: String::new(),
            timeout_seconds: 5,
            cache_seconds: 60,
            cache_tokens_max: 10_000,
        }
    }
}

/// The files that the section names.
pub(super) fn paths(oauth: &mut OAuth) -> [&mut PathBuf; 2] {
    [&mut oauth.client_secret_file, &mut oauth.tls_authorities]
}

/// Ranges, and what an endpoint needs.
pub(super) fn check(oauth: &OAuth) -> Result<(), Wrong> {
    within("oauth.timeout_seconds", oauth.timeout_seconds.into(), 1..=30)?;
    within("oauth.cache_seconds", oauth.cache_seconds.into(), 0..=3600)?;
    within("oauth.cache_tokens_max", oauth.cache_tokens_max.into(), 1..=1_000_000)?;
    if !is_word(&oauth.address_claim) {
        return wrong(
            "oauth.address_claim",
            format!("{:?} is not allowed; allowed: a claim's name, as in email", oauth.address_claim),
        );
    }
    let scopes = [
        ("oauth.scope_imap", &oauth.scope_imap),
        ("oauth.scope_pop3", &oauth.scope_pop3),
        ("oauth.scope_submission", &oauth.scope_submission),
    ];
    for (key, scope) in scopes {
        if !scope.is_empty() && !is_word(scope) {
            return wrong(
                key,
                format!("{scope:?} is not allowed; allowed: one scope without spaces and quotes, or \"\""),
            );
        }
    }
    let url = oauth.introspection_url.as_str();
    if url.is_empty() {
        return Ok(());
    }
    if let Err(why) = Url::parse(url) {
        return wrong(
            "oauth.introspection_url",
            format!(
                "{url:?} is not allowed ({why}); allowed: an https URL, or http on this machine, as in http://127.0.0.1:8080/introspect"
            ),
        );
    }
    if oauth.client_id.is_empty() {
        return wrong("oauth.client_id", "missing; allowed: our name with oauth.introspection_url".into());
    }
    if oauth.client_secret_file.as_os_str().is_empty() {
        return wrong(
            "oauth.client_secret_file",
            "missing; allowed: a file whose first line is our password with oauth.introspection_url".into(),
        );
    }
    Ok(())
}

/// `scope-token` of RFC 6749 section 3.3.
fn is_word(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| (0x21..=0x7e).contains(&byte) && byte != b'"' && byte != b'\\')
}
