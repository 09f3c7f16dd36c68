//! `[proxy]`: what stands in front of the listeners and speaks for its clients, with its defaults. docs/configuration.md explains the keys.
use super::check::{Wrong, wrong};
use super::values::Net;
use serde::Deserialize;

/// Listeners that may have a proxy in front: all that members and other hosts connect to.
const LISTENERS: [&str; 7] = ["smtp", "submission", "submissions", "imap", "imaps", "pop3", "pop3s"];

/// `[proxy]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Proxy {
    /// Networks whose connections begin with a PROXY header.
    pub networks: Vec<Net>,
    /// The listeners for which that holds.
    pub listeners: Vec<String>,
    /// Networks of SMTP hosts that may give XCLIENT.
    pub xclient: Vec<Net>,
}

impl Default for Proxy {
    fn default() -> Proxy {
        Proxy { networks: Vec::new(), listeners: LISTENERS.map(str::to_owned).to_vec(), xclient: Vec::new() }
    }
}

/// Known listeners.
pub(super) fn check(proxy: &Proxy) -> Result<(), Wrong> {
    match proxy.listeners.iter().find(|name| !LISTENERS.contains(&name.as_str())) {
        Some(other) => wrong("proxy.listeners", format!("{other:?} is not allowed; allowed: {}", LISTENERS.join(", "))),
        None => Ok(()),
    }
}
