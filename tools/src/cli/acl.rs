//! The words for access control lists.
use clap::Subcommand;

const RIGHTS: &str = "\
Rights (RFC 4314): l shown, r read, s keep \\Seen, w other flags, i put in, p post, k make below, x remove and rename, t mark \\Deleted,
e expunge, a administer; c stands for kx, d for te. +RIGHTS adds, -RIGHTS takes away (as --rights=-w). A list says who besides the owner.
Who: a member or a group of the same tenant, or anyone for all its members; -NAME takes away what others give.";

/// Who may use whose mailboxes.
#[derive(Debug, Subcommand)]
pub enum AclCommand {
    /// The lists of an account's mailboxes
    #[command(after_help = "Example: posthouse acl list carol@acme.example --json")]
    List {
        /// Whose mailboxes
        account: String,
        /// Only this one's
        #[arg(long, value_name = "NAME")]
        mailbox: Option<String>,
    },
    /// Rights in a mailbox
    #[command(
        after_help = format!("{RIGHTS}\n\nExample: posthouse acl set carol@acme.example --mailbox Projects --who dan@acme.example --rights lrswit")
    )]
    Set {
        /// Whose mailbox
        account: String,
        /// Which one; without it, all that the account has now
        #[arg(long, value_name = "NAME")]
        mailbox: Option<String>,
        /// Who gets them
        #[arg(long, allow_hyphen_values = true)]
        who: String,
        /// Which
        #[arg(long, allow_hyphen_values = true)]
        rights: String,
    },
    /// No more rights in a mailbox
    #[command(
        after_help = "Example: posthouse acl remove carol@acme.example --mailbox Projects --who dan@acme.example"
    )]
    Remove {
        /// Whose mailbox
        account: String,
        /// Which one; without it, all of the account
        #[arg(long, value_name = "NAME")]
        mailbox: Option<String>,
        /// Whose rights
        #[arg(long, allow_hyphen_values = true)]
        who: String,
    },
}
