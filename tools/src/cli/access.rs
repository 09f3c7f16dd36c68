//! The words for app passwords, login rules and the login log.
use super::queue::Age;
use clap::{Args, Subcommand};

/// Passwords for single clients of a member.
#[derive(Debug, Subcommand)]
pub enum AppPasswordCommand {
    /// A new one; it is made here and shown once
    #[command(
        after_help = "Example: posthouse member app-password add carol@acme.example --name 'Phone' --protocols imap,submission --expires 365d"
    )]
    Add {
        /// The member's address or an alias
        address: String,
        /// What it is for
        #[arg(long)]
        name: String,
        /// What it opens: all, or imap, pop3, submission with commas between
        #[arg(long, default_value = "all", value_name = "LIST")]
        protocols: String,
        /// After which time it opens nothing, as in 12h or 365d; never if not given
        #[arg(long, value_name = "AGE")]
        expires: Option<Age>,
    },
    /// All of a member
    #[command(after_help = "Example: posthouse member app-password list carol@acme.example")]
    List {
        /// The member's address or an alias
        address: String,
    },
    /// Away with one; sessions that it has opened go on until they end
    #[command(after_help = "Example: posthouse member app-password remove carol@acme.example 2")]
    Remove {
        /// The member's address or an alias
        address: String,
        /// Its number, as `list` shows it
        number: u32,
    },
}

/// What logins must keep.
#[derive(Debug, Default, Args)]
pub struct LoginRulesArgs {
    /// The protocols that may be used: all, none, inherit, or imap, pop3, submission with commas between
    #[arg(long, value_name = "LIST")]
    pub protocols: Option<String>,
    /// Where clients may come from: any, inherit, or addresses and ranges with commas between
    #[arg(long, value_name = "LIST")]
    pub trusted: Option<String>,
    /// Whether only app passwords are taken
    #[arg(long, value_name = "true|false|inherit")]
    pub app_only: Option<String>,
}

/// Which logins.
#[derive(Debug, Args)]
pub struct LoginsArgs {
    /// Only this account's
    #[arg(long, value_name = "ADDRESS")]
    pub account: Option<String>,
    /// Only those whose name contains this
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    pub contains: String,
    /// Only those of the last 30m, 4h, 2d
    #[arg(long, value_name = "AGE")]
    pub last: Option<Age>,
    /// Only by this protocol: imap, pop3, submission
    #[arg(long)]
    pub protocol: Option<String>,
    /// Only from this IP address
    #[arg(long, value_name = "IP")]
    pub from: Option<String>,
    /// Only those that were not let in
    #[arg(long)]
    pub failed: bool,
    /// At most so many, the newest
    #[arg(long, default_value_t = 100, value_name = "NUMBER")]
    pub limit: usize,
}
