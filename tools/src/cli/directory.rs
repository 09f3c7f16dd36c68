//! The words for tenants, domains, aliases and groups.
use super::LoginRulesArgs;
use clap::{Args, Subcommand};

/// Which ones a list shall have.
#[derive(Debug, Default, Args)]
pub struct ListArgs {
    /// Only this tenant's
    #[arg(long)]
    pub tenant: Option<String>,
    /// Only those whose address or name contains this
    #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
    pub contains: String,
}

/// Enterprises.
#[derive(Debug, Subcommand)]
pub enum TenantCommand {
    /// A new one
    #[command(after_help = "Example: posthouse tenant add acme --title 'Acme Ltd' --accounts-max 500")]
    Add {
        /// Small letters, digits and hyphens; unique
        name: String,
        /// The name shown to people; the slug if not given
        #[arg(long)]
        title: Option<String>,
        /// Accounts that it may have
        #[arg(long, value_name = "NUMBER")]
        accounts_max: Option<u32>,
    },
    /// All of them
    #[command(after_help = "Example: posthouse tenant list")]
    List {
        /// Only those whose name contains this
        #[arg(long, default_value = "", hide_default_value = true, value_name = "TEXT")]
        contains: String,
    },
    /// One of them
    #[command(after_help = "Example: posthouse tenant show acme")]
    Show {
        /// Which one
        name: String,
    },
    /// Other settings for one
    #[command(after_help = "Example: posthouse tenant set acme --disabled true")]
    Set {
        /// Which one
        name: String,
        /// The name shown to people
        #[arg(long)]
        title: Option<String>,
        /// Accounts that it may have
        #[arg(long, value_name = "NUMBER")]
        accounts_max: Option<u32>,
        /// Whether nobody of it may log in, send or receive
        #[arg(long, value_name = "true|false")]
        disabled: Option<bool>,
    },
    /// What the logins of all its accounts must keep, unless an account has rules of its own
    #[command(
        after_help = "Example: posthouse tenant login-rules acme --protocols imap,submission --trusted 10.0.0.0/8,2001:db8::/32"
    )]
    LoginRules {
        /// Which one
        name: String,
        /// The rules
        #[command(flatten)]
        rules: LoginRulesArgs,
    },
    /// Away with one that has neither domains nor accounts
    #[command(after_help = "Example: posthouse tenant remove acme")]
    Remove {
        /// Which one
        name: String,
    },
}

/// Domains whose mail is received here.
#[derive(Debug, Subcommand)]
pub enum DomainCommand {
    /// A new one
    #[command(after_help = "Example: posthouse domain add acme.example --tenant acme")]
    Add {
        /// Its name
        domain: String,
        /// Whose it is
        #[arg(long)]
        tenant: String,
    },
    /// All of them
    #[command(after_help = "Example: posthouse domain list --tenant acme")]
    List(ListArgs),
    /// One of them
    #[command(after_help = "Example: posthouse domain show acme.example")]
    Show {
        /// Which one
        domain: String,
    },
    /// The records that its name server needs: MX, SPF, SRV for mail programs (RFC 6186), keys
    #[command(
        after_help = "Names and ports are those of the configuration ([listen], [clients]).\n\nExample: posthouse domain dns acme.example --config /etc/posthouse.toml"
    )]
    Dns {
        /// Which one
        domain: String,
    },
    /// Away with one that no address uses
    #[command(after_help = "Example: posthouse domain remove acme.example")]
    Remove {
        /// Which one
        domain: String,
    },
}

/// Further addresses of members and business mailboxes.
#[derive(Debug, Subcommand)]
pub enum AliasCommand {
    /// A new one
    #[command(after_help = "Example: posthouse alias add sales@acme.example --account carol@acme.example")]
    Add {
        /// The new address
        alias: String,
        /// Whose it shall be
        #[arg(long, value_name = "ADDRESS")]
        account: String,
    },
    /// All of them
    #[command(after_help = "Example: posthouse alias list --contains sales")]
    List(ListArgs),
    /// One of them
    #[command(after_help = "Example: posthouse alias show sales@acme.example")]
    Show {
        /// Which one
        alias: String,
    },
    /// Away with one
    #[command(after_help = "Example: posthouse alias remove sales@acme.example")]
    Remove {
        /// Which one
        alias: String,
    },
}

/// Distribution lists.
#[derive(Debug, Subcommand)]
pub enum GroupCommand {
    /// A new one
    #[command(
        after_help = "Example: posthouse group add team@acme.example --member carol@acme.example --member dave@acme.example"
    )]
    Add {
        /// Where it receives
        address: String,
        /// The name shown to people
        #[arg(long, default_value = "", hide_default_value = true)]
        name: String,
        /// Who is in it; may be repeated
        #[arg(long = "member", value_name = "ADDRESS")]
        members: Vec<String>,
    },
    /// All of them
    #[command(after_help = "Example: posthouse group list")]
    List(ListArgs),
    /// One of them with its members
    #[command(after_help = "Example: posthouse group show team@acme.example")]
    Show {
        /// Which one
        address: String,
    },
    /// Other settings for one
    #[command(after_help = "Example: posthouse group set team@acme.example --member-add erin@acme.example")]
    Set {
        /// Which one
        address: String,
        /// The name shown to people
        #[arg(long)]
        name: Option<String>,
        /// New members; may be repeated
        #[arg(long = "member-add", value_name = "ADDRESS")]
        members_add: Vec<String>,
        /// Members that leave; may be repeated
        #[arg(long = "member-remove", value_name = "ADDRESS")]
        members_remove: Vec<String>,
    },
    /// Away with one; its members stay
    #[command(after_help = "Example: posthouse group remove team@acme.example")]
    Remove {
        /// Which one
        address: String,
    },
}
