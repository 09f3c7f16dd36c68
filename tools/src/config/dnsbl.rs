//! `[dnsbl]`: DNS lists of hosts that bring mail, with its defaults. docs/configuration.md explains the keys.
use super::check::{Wrong, valid_hostname, within, wrong};
use super::values::Net;
use serde::Deserialize;

/// Zones at most: each is asked for every host.
const ZONES_MAX: usize = 32;

/// `[dnsbl]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Dnsbl {
    /// Whom to ask.
    pub zone: Vec<ZoneTable>,
    /// Networks that are asked about nowhere.
    pub allow: Vec<Net>,
    /// From which sum of weights on mail is refused; 0: never.
    pub reject_score: i32,
    /// From which sum of weights on mail goes to Junk; 0: never.
    pub junk_score: i32,
    /// Seconds that all zones together may take.
    pub timeout_seconds: u32,
    /// Seconds for which an answer is kept.
    pub cache_seconds: u32,
}

/// `[[dnsbl.zone]]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneTable {
    /// Its name.
    pub name: String,
    /// What a host in it counts.
    #[serde(default = "one")]
    pub weight: i32,
    /// Which answers count; none: all.
    #[serde(default)]
    pub replies: Vec<Net>,
}

fn one() -> i32 {
    1
}

impl Default for Dnsbl {
    fn default() -> Dnsbl {
        Dnsbl {
            zone: Vec::new(),
            allow: Vec::new(),
            reject_score: 1,
            junk_score: 0,
            timeout_seconds: 5,
            cache_seconds: 300,
        }
    }
}

/// Names, weights, ranges.
pub(super) fn check(dnsbl: &Dnsbl) -> Result<(), Wrong> {
    within("dnsbl.timeout_seconds", dnsbl.timeout_seconds.into(), 1..=60)?;
    within("dnsbl.cache_seconds", dnsbl.cache_seconds.into(), 0..=86_400)?;
    for (key, score) in [("dnsbl.reject_score", dnsbl.reject_score), ("dnsbl.junk_score", dnsbl.junk_score)] {
        if !(0..=10_000).contains(&score) {
            return wrong(key, format!("{score} is not allowed; allowed: 0 to 10000"));
        }
    }
    if dnsbl.zone.len() > ZONES_MAX {
        return wrong("dnsbl.zone", format!("{} tables; allowed: up to {ZONES_MAX}", dnsbl.zone.len()));
    }
    for (at, zone) in dnsbl.zone.iter().enumerate() {
        if zone.name.is_empty() || !valid_hostname(&zone.name) {
            let what = format!("{:?} is not allowed; allowed: the domain name of a list", zone.name);
            return wrong(&format!("dnsbl.zone[{at}].name"), what);
        }
        if !(-1000..=1000).contains(&zone.weight) {
            let what = format!("{} is not allowed; allowed: -1000 to 1000", zone.weight);
            return wrong(&format!("dnsbl.zone[{at}].weight"), what);
        }
        if zone.replies.iter().any(|reply| !reply.0.addr().is_ipv4()) {
            let what = "allowed: IPv4 addresses and networks, as in 127.0.0.2 or 127.0.0.4/30".to_owned();
            return wrong(&format!("dnsbl.zone[{at}].replies"), what);
        }
    }
    Ok(())
}
