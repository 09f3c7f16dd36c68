//! The words for the queue.
use crate::ops::State;
use clap::{Args, Subcommand};
use std::str::FromStr;

/// Messages that wait to go to other hosts.
#[derive(Debug, Subcommand)]
pub enum QueueCommand {
    /// All of them, or those that filters let through
    #[command(after_help = "Example: posthouse queue list --domain partner.example --state deferred --json")]
    List {
        /// Which ones.
        #[command(flatten)]
        filter: QueueFilterArgs,
    },
    /// One of them, with each recipient's last reply
    #[command(after_help = "Example: posthouse queue show 42 --message")]
    Show {
        /// Its number
        id: u64,
        /// The message itself instead, byte for byte
        #[arg(long)]
        message: bool,
    },
    /// Not to be tried until released
    #[command(after_help = "Example: posthouse queue hold --sender carol@acme.example")]
    Hold {
        /// Which ones.
        #[command(flatten)]
        which: QueueWhich,
    },
    /// No longer on hold, and to be tried now
    #[command(after_help = "Example: posthouse queue release 42")]
    Release {
        /// Which ones.
        #[command(flatten)]
        which: QueueWhich,
    },
    /// To be tried now, unless on hold
    #[command(after_help = "Example: posthouse queue retry --domain partner.example")]
    Retry {
        /// Which ones.
        #[command(flatten)]
        which: QueueWhich,
    },
    /// Away with them; nobody is told
    #[command(after_help = "Example: posthouse queue remove 42")]
    Remove {
        /// Which ones.
        #[command(flatten)]
        which: QueueWhich,
    },
    /// All to be tried now, unless on hold
    #[command(after_help = "Example: posthouse queue flush")]
    Flush {
        /// Which ones.
        #[command(flatten)]
        filter: QueueFilterArgs,
    },
}

/// Messages by number or by filter.
#[derive(Debug, Args)]
pub struct QueueWhich {
    /// Their numbers, as `queue list` shows them
    pub ids: Vec<u64>,
    /// All of them
    #[arg(long)]
    pub all: bool,
    /// Those that it lets through.
    #[command(flatten)]
    pub filter: QueueFilterArgs,
}

/// What a message must be to be meant.
#[derive(Debug, Default, Args)]
pub struct QueueFilterArgs {
    /// Only those whose sender contains this; '<>' is the null sender of reports
    #[arg(long, value_name = "TEXT")]
    pub sender: Option<String>,
    /// Only those with a waiting recipient that contains this
    #[arg(long, value_name = "TEXT")]
    pub recipient: Option<String>,
    /// Only those with a waiting recipient in this domain
    #[arg(long)]
    pub domain: Option<String>,
    /// Only those with a waiting recipient whose last reply contains this
    #[arg(long, value_name = "TEXT")]
    pub reply: Option<String>,
    /// Only those that somebody of this tenant has sent, or sent on
    #[arg(long, value_name = "NAME")]
    pub tenant: Option<String>,
    /// Only those that this member or business mailbox has sent, or sent on
    #[arg(long, value_name = "ADDRESS")]
    pub account: Option<String>,
    /// Only those that stand so
    #[arg(long)]
    pub state: Option<State>,
    /// Only those that have been here for longer, as in 30m, 4h, 2d
    #[arg(long, value_name = "AGE")]
    pub older_than: Option<Age>,
}

/// A time span: a number with s, m, h or d.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Age {
    /// As seconds.
    pub seconds: u64,
}

impl FromStr for Age {
    type Err = String;

    fn from_str(text: &str) -> Result<Age, String> {
        let wrong = || format!("{text:?} is not allowed; allowed: a number with s, m, h or d, as in 4h");
        let unit = text.chars().last().ok_or_else(wrong)?;
        let factor = match unit {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let number: u64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
        number.checked_mul(factor).map(|seconds| Age { seconds }).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_have_a_unit() {
        assert_eq!("4h".parse(), Ok(Age { seconds: 14_400 }));
        assert_eq!("2d".parse(), Ok(Age { seconds: 172_800 }));
        for wrong in ["", "4", "h", "4w", "-1s", "4\u{20ac}", "99999999999999999999d"] {
            assert!(wrong.parse::<Age>().is_err(), "{wrong}");
        }
    }
}
