//! The words for carrying mail out of the store and into it.
use crate::carry::import::{Dates, Kind, Quoting};
use crate::carry::manifest::Format;
use clap::{ArgGroup, Args};
use std::path::PathBuf;

/// What to export.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("whose").required(true))]
pub struct ExportArgs {
    /// An empty or new directory
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// One account
    #[arg(long, value_name = "ADDRESS", group = "whose")]
    pub account: Option<String>,
    /// One mailbox of an account
    #[arg(long, value_name = "ADDRESS/NAME", group = "whose")]
    pub mailbox: Option<String>,
    /// All accounts of a tenant
    #[arg(long, value_name = "NAME", group = "whose")]
    pub tenant: Option<String>,
    /// One mailbox in the recycle bin, by its address or number
    #[arg(long, value_name = "NAME", group = "whose")]
    pub removed: Option<String>,
    /// All accounts
    #[arg(long, group = "whose")]
    pub all: bool,
    /// How the messages lie in files
    #[arg(long, value_enum)]
    pub format: Format,
}

/// What to import.
#[derive(Debug, Args)]
pub struct ImportArgs {
    /// A Maildir, an mbox file or a directory of them, a tree of EML files, or an export
    pub path: PathBuf,
    /// Whose it shall be
    #[arg(long, value_name = "ADDRESS", required_unless_present = "each")]
    pub account: Option<String>,
    /// Put everything into this mailbox and below it; without it folders keep their names and the rest goes to INBOX
    #[arg(long, value_name = "NAME")]
    pub mailbox: Option<String>,
    /// What lies there
    #[arg(long, value_enum, default_value = "auto")]
    pub format: Kind,
    /// Of an export of several accounts, this one's mail
    #[arg(long, value_name = "ADDRESS")]
    pub from: Option<String>,
    /// Of an export, each account's mail into the account of the same address
    #[arg(long, conflicts_with_all = ["account", "mailbox", "from"])]
    pub each: bool,
    /// Where the internal date comes from: the file's time (in an mbox the From_ line) or the Date field
    #[arg(long, value_enum, default_value = "file")]
    pub dates: Dates,
    /// Which lines of an mbox lose a quote: all of `>From `, `>>From ` and so on (rd), only `>From ` (o), none
    #[arg(long, value_enum, default_value = "rd")]
    pub quoting: Quoting,
    /// Folders keep their names; without it those that other programs use for sent, deleted, junk mail and drafts go to ours
    #[arg(long)]
    pub keep_names: bool,
    /// Larger messages are passed over; memory grows with it
    #[arg(long, value_name = "BYTES", default_value_t = crate::limits::IMPORT_MESSAGE_BYTES_DEFAULT, value_parser = clap::value_parser!(u64).range(1..=crate::limits::BULK_PAYLOAD_BYTES_MAX))]
    pub message_bytes_max: u64,
}
