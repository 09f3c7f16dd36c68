//! `[[milter]]`: filters that speak Sendmail's milter protocol. docs/configuration.md explains the keys.
use super::check::{Wrong, within, wrong};
use super::values::{Socket, words};
use serde::Deserialize;

/// Milters at most: each sees each message.
const MILTERS_MAX: usize = 16;

words!(
    /// What is done without an answer.
    MilterDefault {
        /// As if there were no such milter.
        Accept = "accept",
        /// The client is to come again.
        TempFail = "tempfail",
        /// The client is refused.
        Reject = "reject",
    }
);

words!(
    /// Which mail a milter sees.
    MilterMail {
        /// From other hosts.
        Smtp = "smtp",
        /// From members.
        Submission = "submission",
    }
);

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MilterTable {
    /// For logs.
    pub name: String,
    /// Where it listens.
    pub address: Socket,
    /// Which mail it sees.
    #[serde(default = "smtp")]
    pub sees: Vec<MilterMail>,
    /// Seconds that each of its answers may take.
    #[serde(default = "thirty")]
    pub timeout_seconds: u32,
    /// What is done without an answer.
    #[serde(default = "tempfail")]
    pub default_action: MilterDefault,
}

fn smtp() -> Vec<MilterMail> {
    vec![MilterMail::Smtp]
}

fn thirty() -> u32 {
    30
}

fn tempfail() -> MilterDefault {
    MilterDefault::TempFail
}

/// Names, ranges.
pub(super) fn check(milters: &[MilterTable]) -> Result<(), Wrong> {
    if milters.len() > MILTERS_MAX {
        return wrong("milter", format!("{} tables; allowed: up to {MILTERS_MAX}", milters.len()));
    }
    for (at, milter) in milters.iter().enumerate() {
        within(&format!("milter[{at}].timeout_seconds"), milter.timeout_seconds.into(), 1..=600)?;
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if milter.name.is_empty() || milter.name.len() > 64 || !milter.name.chars().all(fits) {
            let what = format!("{:?} is not allowed; allowed: letters, digits, and any of -_.", milter.name);
            return wrong(&format!("milter[{at}].name"), what);
        }
        if milter.sees.is_empty() {
            return wrong(
                &format!("milter[{at}].sees"),
                "[] is not allowed; allowed: smtp, submission, or both".into(),
            );
        }
    }
    Ok(())
}
