//! The words for members' Sieve scripts.
use clap::Subcommand;
use std::path::PathBuf;

/// Scripts.
#[derive(Debug, Subcommand)]
pub enum SieveCommand {
    /// A script for a member, in place of the one before
    #[command(after_help = "Example: posthouse sieve put --member carol@acme.example carol.sieve")]
    Put {
        /// Whose
        #[arg(long, value_name = "ADDRESS")]
        member: String,
        /// The file that holds it; `-` is standard input
        file: PathBuf,
    },
    /// A member's script
    #[command(after_help = "Example: posthouse sieve show --member carol@acme.example")]
    Show {
        /// Whose
        #[arg(long, value_name = "ADDRESS")]
        member: String,
    },
    /// Whether a file is a script; changes nothing
    #[command(after_help = "Example: posthouse sieve check carol.sieve")]
    Check {
        /// The file; `-` is standard input
        file: PathBuf,
    },
    /// Away with a member's script
    #[command(after_help = "Example: posthouse sieve remove --member carol@acme.example")]
    Remove {
        /// Whose
        #[arg(long, value_name = "ADDRESS")]
        member: String,
    },
}
