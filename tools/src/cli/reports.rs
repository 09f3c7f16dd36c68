//! The words for reports that others have sent.
use clap::Args;

/// Which reports.
#[derive(Debug, Args)]
pub struct ReportsArgs {
    /// The account that gets them: its address stands in the domains' `rua`
    #[arg(long, value_name = "ADDRESS")]
    pub account: String,
    /// The mailbox in which they lie
    #[arg(long, default_value = "INBOX", value_name = "NAME")]
    pub mailbox: String,
    /// Only about this domain and those below it
    #[arg(long, value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// Only about the last so many days
    #[arg(long, default_value_t = 30, value_name = "NUMBER")]
    pub days: u32,
    /// Each report, instead of sums by host
    #[arg(long)]
    pub list: bool,
}
