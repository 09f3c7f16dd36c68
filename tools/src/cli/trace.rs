//! The words for the mail log.
use super::queue::Age;
use clap::Args;

/// Which messages.
#[derive(Debug, Args)]
pub struct TraceArgs {
    /// A Message-ID, an address, @domain, a host's IP address, the id in Received or of a connection, or a number of the queue; without it all steps of the time
    pub what: Option<String>,
    /// Only messages of the last 30m, 4h, 2d
    #[arg(long, value_name = "AGE", conflicts_with = "since")]
    pub last: Option<Age>,
    /// Only messages from then on, as in 2026-11-24 or 2026-11-24T04:30:00Z
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
    /// Only messages before then
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// All fields as CSV
    #[arg(long)]
    pub csv: bool,
    /// At most so many steps; without it 100000, as CSV all
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<usize>,
}

/// An answer for somebody who is away.
#[derive(Debug, Args)]
pub struct AwayArgs {
    /// The member's address
    pub address: String,
    /// The answer
    #[arg(long, group = "answer")]
    pub text: Option<String>,
    /// The file that holds it; `-` is standard input
    #[arg(long, group = "answer", value_name = "FILE")]
    pub text_file: Option<std::path::PathBuf>,
    /// No answer any more
    #[arg(long, group = "answer")]
    pub off: bool,
    /// Its subject; without one that of the message
    #[arg(long, default_value = "", hide_default_value = true)]
    pub subject: String,
    /// One sender is answered once in so many days
    #[arg(long, default_value_t = 7)]
    pub days: u32,
    /// From when on, as in 2026-12-24 or 2026-12-24T08:00:00Z
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// Until when
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
}

/// Mail that goes on to another address.
#[derive(Debug, Args)]
pub struct ForwardArgs {
    /// The member's address
    pub address: String,
    /// Where its mail goes; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    pub to: Vec<String>,
    /// Without a copy in the member's mailbox
    #[arg(long)]
    pub only: bool,
    /// Nowhere any more; with --to only there
    #[arg(long)]
    pub off: bool,
}
