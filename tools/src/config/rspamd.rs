//! `[rspamd]`: the content filter for mail from other hosts, with its defaults. docs/configuration.md explains the keys.
use super::check::{Wrong, within, wrong};
use super::values::{Place, words};
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

words!(
    /// What happens while a filter gives no answer.
    WhenDown {
        /// Mail is taken.
        Accept = "accept",
        /// Mail waits with its sender.
        Defer = "defer",
    }
);

/// `[rspamd]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Rspamd {
    /// Where it listens; empty: none is asked.
    pub address: Place,
    /// File whose first line is its password; empty: it wants none.
    pub password_file: PathBuf,
    /// Seconds that one question may take.
    pub timeout_seconds: u32,
    /// Bytes of the largest message that it is asked about.
    pub size_bytes_max: u64,
    /// While there is no answer.
    pub when_down: WhenDown,
}

impl Default for Rspamd {
    fn default() -> Rspamd {
        Rspamd {
            address: Place(None),
            password_file: PathBuf::new(),
            timeout_seconds: 10,
            size_bytes_max: 10 << 20,
            when_down: WhenDown::Accept,
        }
    }
}

impl Rspamd {
    /// Where it listens, if one is to be asked.
    pub fn socket(&self) -> Option<SocketAddr> {
        let (host, port) = self.address.0.as_ref()?;
        Some(SocketAddr::new(host.parse::<IpAddr>().ok()?, *port))
    }
}

/// Ranges, and a host that is an address: names are looked up for mail, not for a filter beside it.
pub(super) fn check(rspamd: &Rspamd) -> Result<(), Wrong> {
    within("rspamd.timeout_seconds", rspamd.timeout_seconds.into(), 1..=300)?;
    within("rspamd.size_bytes_max", rspamd.size_bytes_max, 1024..=1 << 30)?;
    if rspamd.address.0.is_some() && rspamd.socket().is_none() {
        let what = "allowed: an IP address and a port, as in 127.0.0.1:11333 or [::1]:11333, or \"\"".to_owned();
        return wrong("rspamd.address", what);
    }
    Ok(())
}
