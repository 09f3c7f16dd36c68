//! The words for carrying mail out of the store and into it.
use crate::carry::import::{Dates, Ids, Kind, Quoting, parse_format};
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
    /// Unique-ids by POP3 of a Maildir's INBOX that messages keep: those in its lists (`listed`), none, or for the other messages too what the old
    /// server made: `dovecot` (its default), `file`, or a form in Dovecot's words, as in %v-%u
    #[arg(long, value_name = "FORM", default_value = "listed", value_parser = parse_format)]
    pub pop3_uidl: Ids,
    /// Folders keep their names; without it those that other programs use for sent, deleted, junk mail and drafts go to ours
    #[arg(long)]
    pub keep_names: bool,
    /// Larger messages are passed over; memory grows with it
    #[arg(long, value_name = "BYTES", default_value_t = crate::limits::IMPORT_MESSAGE_BYTES_DEFAULT, value_parser = clap::value_parser!(u64).range(1..=crate::limits::BULK_PAYLOAD_BYTES_MAX))]
    pub message_bytes_max: u64,
}

/// How to back up.
#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The directory of all backups of this store: an empty or new one the first time
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
    /// Sealed segments as hard links where that can be: takes no time and no room, and is no second copy of them
    #[arg(long)]
    pub link: bool,
    /// Backups to keep, this one included; older ones are removed with the files that no other needs
    #[arg(long, value_name = "NUMBER", value_parser = clap::value_parser!(u32).range(1..))]
    pub keep: Option<u32>,
    /// Make none: read every file of all backups that are there, and hold it against its hash
    #[arg(long, conflicts_with_all = ["link", "keep"])]
    pub check: bool,
}

/// What to restore.
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The directory of backups
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
    /// Only say which backups are there
    #[arg(long, conflicts_with_all = ["backup", "at", "account"])]
    pub list: bool,
    /// Which one, by its name; the newest if not given
    #[arg(long, value_name = "NAME", conflicts_with = "at")]
    pub backup: Option<String>,
    /// As it was at this time, in UTC, as in 2026-11-24T05:00:00Z
    #[arg(long, value_name = "TIME", value_parser = point)]
    pub at: Option<i64>,
    /// Only this account's mail, into a folder of an account of the store; without it the whole store, into an empty data directory
    #[arg(long, value_name = "ADDRESS")]
    pub account: Option<String>,
    /// Of that account only this mailbox
    #[arg(long, value_name = "NAME", requires = "account")]
    pub mailbox: Option<String>,
    /// Who gets it; the same address if not given
    #[arg(long, value_name = "ADDRESS", requires = "account")]
    pub into: Option<String>,
    /// The folder; `Restored` and the time that is restored if not given
    #[arg(long, value_name = "NAME", requires = "account")]
    pub folder: Option<String>,
}

fn point(text: &str) -> Result<i64, String> {
    crate::time::parse_rfc3339(text).ok_or_else(|| "a time in UTC is allowed, as in 2026-11-24T05:00:00Z".into())
}
