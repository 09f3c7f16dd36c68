//! The words for the recycle bin.
use clap::{Args, Subcommand};

/// Mailboxes that were removed and not purged yet. They are named by their address, or by their number when several had it.
#[derive(Debug, Subcommand)]
pub enum RemovedCommand {
    /// All of them, with the day until which they are kept
    #[command(after_help = "Example: posthouse member removed list")]
    List,
    /// One comes back with its mail; groups do not take it back by themselves
    #[command(after_help = "Example: posthouse member removed restore carol@acme.example")]
    Restore {
        /// Which one
        name: String,
        /// Another address, if its own is taken
        #[arg(long = "as", value_name = "ADDRESS")]
        address: Option<String>,
    },
    /// Its mail as a whole into a folder of somebody else of the tenant; it stays in the bin too. May be repeated
    #[command(after_help = "Example: posthouse member removed hand-over carol@acme.example --to dave@acme.example")]
    HandOver {
        /// Which one
        name: String,
        /// Who gets it
        #[arg(long, value_name = "ADDRESS")]
        to: String,
        /// The folder; its address if not given
        #[arg(long, value_name = "NAME")]
        folder: Option<String>,
    },
    /// Their mail away for good: of those named, or of all that were kept long enough
    #[command(after_help = "Example: posthouse member removed purge --older-than 45d --dry-run")]
    Purge {
        /// Which ones, however long ago they were removed
        names: Vec<String>,
        /// Which and how
        #[command(flatten)]
        args: PurgeArgs,
    },
}

/// What is purged.
#[derive(Debug, Args)]
pub struct PurgeArgs {
    /// Those removed longer ago than this, as in 45d or 12h; without it members' after 30 days, business mailboxes after 60
    #[arg(long, value_name = "TIME", value_parser = seconds)]
    pub older_than: Option<i64>,
    /// Only say what would go
    #[arg(long)]
    pub dry_run: bool,
}

/// `45d`, `12h`.
fn seconds(text: &str) -> Result<i64, String> {
    let unit = match text.as_bytes().last() {
        Some(b'd') => 86_400,
        Some(b'h') => 3_600,
        _ => 0,
    };
    let number = text.get(..text.len().saturating_sub(1)).and_then(|digits| digits.parse::<u32>().ok());
    match number {
        Some(number) if unit > 0 => Ok(i64::from(number) * unit),
        _ => Err("a number of days or hours is allowed, as in 45d or 12h".into()),
    }
}
