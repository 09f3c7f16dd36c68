//! `[verify]`: checks of who has sent mail, with its defaults. docs/configuration.md explains the keys.
use super::check::{Wrong, within};
use super::values::{Address, words};
use serde::Deserialize;

words!(
    /// `verify.dmarc`: what follows from DMARC.
    DmarcChoice {
        /// What the domain of From asks for.
        Obey = "obey",
        /// The results stand in the header, and nothing more.
        Report = "report",
    }
);

/// `[verify]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Verify {
    /// Whether mail from other hosts is checked.
    pub enabled: bool,
    /// What follows from DMARC.
    pub dmarc: DmarcChoice,
    /// Whether hosts on loopback addresses are checked too.
    pub loopback: bool,
    /// Name servers; none: `outbound.resolver`, and without that the system's.
    pub resolver: Vec<Address>,
    /// Seconds that all checks of a message may take.
    pub timeout_seconds: u32,
}

impl Default for Verify {
    fn default() -> Verify {
        Verify { enabled: true, dmarc: DmarcChoice::Obey, loopback: false, resolver: Vec::new(), timeout_seconds: 10 }
    }
}

/// Ranges.
pub(super) fn check(verify: &Verify) -> Result<(), Wrong> {
    within("verify.timeout_seconds", verify.timeout_seconds.into(), 1..=60)
}
