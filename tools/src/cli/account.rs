//! The words for members and business mailboxes. A password never stands on the command line, where every process could read it.
use super::{AppPasswordCommand, AwayArgs, ForwardArgs, ListArgs, LoginRulesArgs, RemovedCommand};
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Where a new account's password comes from; without any of these it is asked for at the terminal.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
pub struct PasswordArgs {
    /// Read the password from the first line of standard input
    #[arg(long)]
    pub password_stdin: bool,
    /// Take this argon2 hash (a PHC string)
    #[arg(long, value_name = "HASH")]
    pub password_hash: Option<String>,
    /// No password: nobody logs in by this name until one is set
    #[arg(long)]
    pub no_password: bool,
}

/// Where another password comes from, if there shall be one.
#[derive(Debug, Default, Args)]
#[group(multiple = false)]
pub struct PasswordSetArgs {
    /// Ask for a new password at the terminal
    #[arg(long)]
    pub password: bool,
    /// Read a new password from the first line of standard input
    #[arg(long)]
    pub password_stdin: bool,
    /// Take this argon2 hash (a PHC string)
    #[arg(long, value_name = "HASH")]
    pub password_hash: Option<String>,
}

/// Persons' mailboxes.
#[derive(Debug, Subcommand)]
pub enum MemberCommand {
    /// A new one
    #[command(
        after_help = "Example: echo \"$SECRET\" | posthouse member add carol@acme.example --name Carol --password-stdin"
    )]
    Add {
        /// In a domain of the tenant it shall belong to
        address: String,
        /// The name shown to people
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
        /// On the unlimited plan
        #[arg(long)]
        vip: bool,
        /// What it may hold: default, unlimited, or a size as in 5GiB
        #[arg(long, default_value = "default")]
        quota: String,
        /// Its password
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// Thousands of new ones from a CSV file, `-` is standard input
    #[command(
        after_help = "The first row names the columns: address, name, password or password_hash, vip (yes or no), quota, aliases \
        (separated by spaces). Only address must be there. A field with a comma, such as a hash, stands in quotes. Refused rows are told with their line, the others are taken.\n\n\
        Example: posthouse member import members.csv"
    )]
    Import {
        /// The file
        file: PathBuf,
    },
    /// All of them
    #[command(after_help = "Example: posthouse member list --tenant acme --contains carol")]
    List(ListArgs),
    /// One of them
    #[command(after_help = "Example: posthouse member show carol@acme.example")]
    Show {
        /// Its address or an alias
        address: String,
    },
    /// Other settings for one
    #[command(after_help = "Example: posthouse member set carol@acme.example --quota 5GiB --vip false")]
    Set {
        /// Its address or an alias
        address: String,
        /// The name shown to people
        #[arg(long)]
        name: Option<String>,
        /// Whether it is on the unlimited plan
        #[arg(long, value_name = "true|false")]
        vip: Option<bool>,
        /// What it may hold: default, unlimited, or a size as in 5GiB
        #[arg(long)]
        quota: Option<String>,
        /// Whether it may not log in, send or receive
        #[arg(long, value_name = "true|false")]
        disabled: Option<bool>,
        /// Another password
        #[command(flatten)]
        password: PasswordSetArgs,
    },
    /// Passwords for single clients, which can be taken away one by one
    #[command(subcommand, after_help = "Example: posthouse member app-password add carol@acme.example --name 'Phone'")]
    AppPassword(AppPasswordCommand),
    /// What its logins must keep; goes before its tenant's rules
    #[command(after_help = "Example: posthouse member login-rules carol@acme.example --trusted any --app-only true")]
    LoginRules {
        /// Its address or an alias
        address: String,
        /// The rules
        #[command(flatten)]
        rules: LoginRulesArgs,
    },
    /// Answers who writes to it while it is away
    #[command(
        after_help = "People who write to the member by name get the answer, each once in some days; lists and programs do not.\n\n\
        Example: posthouse member away carol@acme.example --text 'Back on Monday.' --until 2026-12-28"
    )]
    Away(AwayArgs),
    /// Sends its mail on to other addresses
    #[command(after_help = "Example: posthouse member forward carol@acme.example --to carol@elsewhere.example --only")]
    Forward(ForwardArgs),
    /// One into the recycle bin: its address is free at once, its mail is kept for 30 days
    #[command(after_help = "Example: posthouse member remove carol@acme.example")]
    Remove {
        /// Its address
        address: String,
    },
    /// The recycle bin: those that were removed and not purged yet
    #[command(subcommand, after_help = "Example: posthouse member removed list")]
    Removed(RemovedCommand),
}

/// Shared mailboxes that members open.
#[derive(Debug, Subcommand)]
pub enum BusinessCommand {
    /// A new one
    #[command(after_help = "Example: posthouse business add info@acme.example --user carol@acme.example --no-password")]
    Add {
        /// In a domain of the tenant it shall belong to
        address: String,
        /// The name shown to people
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
        /// What it may hold: default, unlimited, or a size as in 5GiB
        #[arg(long, default_value = "default")]
        quota: String,
        /// Members who open it; may be repeated
        #[arg(long = "user", value_name = "ADDRESS")]
        users: Vec<String>,
        /// Its password
        #[command(flatten)]
        password: PasswordArgs,
    },
    /// All of them
    #[command(after_help = "Example: posthouse business list --tenant acme")]
    List(ListArgs),
    /// One of them
    #[command(after_help = "Example: posthouse business show info@acme.example")]
    Show {
        /// Its address or an alias
        address: String,
    },
    /// Other settings for one
    #[command(after_help = "Example: posthouse business set info@acme.example --user-add dave@acme.example")]
    Set {
        /// Its address or an alias
        address: String,
        /// The name shown to people
        #[arg(long)]
        name: Option<String>,
        /// What it may hold: default, unlimited, or a size as in 5GiB
        #[arg(long)]
        quota: Option<String>,
        /// Whether nobody may open it and it receives nothing
        #[arg(long, value_name = "true|false")]
        disabled: Option<bool>,
        /// Members who open it from now on; may be repeated
        #[arg(long = "user-add", value_name = "ADDRESS")]
        users_add: Vec<String>,
        /// Members who no longer do; may be repeated
        #[arg(long = "user-remove", value_name = "ADDRESS")]
        users_remove: Vec<String>,
        /// Another password
        #[command(flatten)]
        password: PasswordSetArgs,
    },
    /// One into the recycle bin: its address is free at once, its mail is kept for 60 days
    #[command(after_help = "Example: posthouse business remove info@acme.example")]
    Remove {
        /// Its address
        address: String,
    },
    /// The recycle bin: those that were removed and not purged yet
    #[command(subcommand, after_help = "Example: posthouse business removed list")]
    Removed(RemovedCommand),
}
