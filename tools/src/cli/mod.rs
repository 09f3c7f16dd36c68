//! The words of the command line, with an example on each command. Carries nothing out.
mod access;
mod account;
mod acl;
mod carry;
mod directory;
mod flow;
mod queue;
mod removed;
mod reports;
mod rescue;
mod sieve;
mod trace;

pub use access::{AppPasswordCommand, LoginRulesArgs, LoginsArgs};
pub use account::{BusinessCommand, MemberCommand, PasswordArgs, PasswordSetArgs};
pub use acl::AclCommand;
pub use carry::{BackupArgs, ExportArgs, ImportArgs, RestoreArgs};
pub use directory::{AliasCommand, DomainCommand, GroupCommand, ListArgs, TenantCommand};
pub use flow::{AlgorithmArg, DkimCommand, RuleCommand, ScopeArgs};
pub use queue::{QueueCommand, QueueFilterArgs, QueueWhich};
pub use rescue::{
    CompactArgs, InspectArgs, QuotaArgs, RebuildArgs, RepairArgs, SalvageArgs, UnitArgs, UpgradeArgs, VerifyArgs,
};

pub use removed::{PurgeArgs, RemovedCommand};
pub use reports::ReportsArgs;
pub use sieve::SieveCommand;
pub use trace::{AwayArgs, ForwardArgs, TraceArgs};

use clap::{Args, Parser, Subcommand};
use std::path::PathBuf;

/// Shown under `posthouse help`.
const CODES: &str = "\
Every command but serve, rebuild, repair and salvage works against the running server (through control.sock in its data directory) and,
when none runs, on the closed data directory itself. Those four need the data directory for themselves.

Exit codes: 0 done; 1 failed (also: some rows of an import were refused); 2 wrong usage or configuration; 3 not found; 4 exists
already; 5 a value is not allowed or a limit is reached; 6 the data directory is in use and no server answers; 7 busy, try again;
8 done, but messages were left out: each was told. verify: 0 clean, 1 damage found, 2 it could not run;
upgrade --check: 0 nothing would change, 1 something would, 2 this program does not read it.

Example: posthouse serve";

/// Posthouse: an enterprise mail system in one program.
#[derive(Debug, Parser)]
#[command(name = "posthouse", version, after_help = CODES, propagate_version = true)]
pub struct Cli {
    /// Where to work and how to answer.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Allowed with every command.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// The data directory; goes before the configuration's `data`
    #[arg(long, global = true, env = "POSTHOUSE_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// The configuration file (docs/configuration.md); without one the defaults hold
    #[arg(long, global = true, env = "POSTHOUSE_CONFIG", value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Answer in JSON
    #[arg(long, global = true)]
    pub json: bool,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve mail until SIGTERM or SIGINT; a second signal stops at once
    #[command(after_help = "Example: posthouse serve --config /etc/posthouse.toml")]
    Serve {
        /// Make a first tenant, domain and two members when the store is empty; without a configuration file that is done anyway
        #[arg(long)]
        first_members: bool,
    },
    /// What runs: listeners, runtime, connections, shards, queue
    #[command(after_help = "Example: posthouse status --json")]
    Status,
    /// Enterprises
    #[command(subcommand, after_help = "Example: posthouse tenant add acme --title 'Acme Ltd' --accounts-max 500")]
    Tenant(TenantCommand),
    /// Domains whose mail is received here
    #[command(subcommand, after_help = "Example: posthouse domain add acme.example --tenant acme")]
    Domain(DomainCommand),
    /// Persons' mailboxes
    #[command(subcommand, after_help = "Example: posthouse member add carol@acme.example --name Carol")]
    Member(MemberCommand),
    /// Further addresses of members and business mailboxes
    #[command(subcommand, after_help = "Example: posthouse alias add sales@acme.example --account carol@acme.example")]
    Alias(AliasCommand),
    /// Distribution lists
    #[command(subcommand, after_help = "Example: posthouse group add team@acme.example --member carol@acme.example")]
    Group(GroupCommand),
    /// Shared mailboxes that members open
    #[command(subcommand, after_help = "Example: posthouse business add info@acme.example --user carol@acme.example")]
    Business(BusinessCommand),
    /// Keys that sign the mail of our domains
    #[command(subcommand, after_help = "Example: posthouse dkim add acme.example")]
    Dkim(DkimCommand),
    /// Rules of the mail flow: blocklists, keywords, who may send what to whom
    #[command(subcommand, after_help = "Example: posthouse rule add --tenant acme block .spam.example")]
    Rule(RuleCommand),
    /// Who may use whose mailboxes: access control lists of IMAP
    #[command(
        subcommand,
        after_help = "Example: posthouse acl set carol@acme.example --mailbox Projects --who dan@acme.example --rights lrs"
    )]
    Acl(AclCommand),
    /// Members' Sieve scripts
    #[command(subcommand, after_help = "Example: posthouse sieve put --member carol@acme.example carol.sieve")]
    Sieve(SieveCommand),
    /// Messages that wait to go to other hosts
    #[command(subcommand, after_help = "Example: posthouse queue list")]
    Queue(QueueCommand),
    /// Who has logged in or tried to, the newest first
    #[command(
        after_help = "Kept for half a year at least, as far as 256 MiB hold them.\n\nExample: posthouse logins --account carol@acme.example --failed --last 2d"
    )]
    Logins(LoginsArgs),
    /// A message's way from its coming to its last fate, by Message-ID, address, id or queue number
    #[command(
        after_help = "Kept as mail_log.keep_days and mail_log.size_bytes_max say. --csv has all fields; a cell that a spreadsheet would take for a formula gets an apostrophe.\n\nExample: posthouse trace carol@acme.example --last 2d"
    )]
    Trace(TraceArgs),
    /// What other hosts report of our mail (DMARC, TLS), summed up by host
    #[command(
        after_help = "Reads the messages in the mailbox that gets the reports; keeps nothing beside them. Those that cannot be read are told and end with code 8.\n\n\
        Example: posthouse reports --account reports@acme.example --domain acme.example --days 7"
    )]
    Reports(ReportsArgs),
    /// The mail of removed mailboxes away for good: members' after 30 days, business mailboxes' after 60
    #[command(
        after_help = "Run it once a day (docs/operations.md shows a timer). Nothing else ever purges.\n\nExample: posthouse purge --dry-run"
    )]
    Purge(PurgeArgs),
    /// Mail as files: Maildir, mbox or EML, with a manifest
    #[command(
        after_help = "The directory holds MANIFEST.jsonl when the export is whole. Messages that cannot be read are listed in it and end with code 8.\n\n\
        Example: posthouse export --to /backup/carol --account carol@acme.example --format maildir"
    )]
    Export(ExportArgs),
    /// Mail from files into an account: Maildir, mbox, EML or an export of ours
    #[command(
        after_help = "May be interrupted and repeated: what the account has already is passed over. Bad messages are told and end with code 8.\n\n\
        Example: posthouse import --account carol@acme.example --format maildir /home/carol/Maildir"
    )]
    Import(ImportArgs),
    /// Prove the whole store: every checksum, reference, count and quota; says where it is damaged and for whom
    #[command(
        after_help = "Changes nothing, and may run beside a server. Ends with 0 when all is well, 1 when damage was found, 2 when it could not run.\n\n\
        Example: posthouse verify --data /var/lib/posthouse"
    )]
    Verify(VerifyArgs),
    /// Any file of a store as text; goes on behind damage
    #[command(
        after_help = "Example: posthouse inspect /var/lib/posthouse/shards/00000/seg-0000000001.phl --offset 4096 --limit 20"
    )]
    Inspect(InspectArgs),
    /// Make everything that is derived anew from the segments, and prove that it is as before
    #[command(
        after_help = "Stop the server first. The former files are kept in lost+found/. Ends with 1 when something is not as it was.\n\n\
        Example: posthouse rebuild --data /var/lib/posthouse"
    )]
    Rebuild(RebuildArgs),
    /// Say how a damaged store can be mended, and with --apply mend it
    #[command(
        after_help = "Stop the server first. Without --apply nothing is changed, and 1 means that there is something to do. What is cut is kept in lost+found/.\n\n\
        Example: posthouse repair --data /var/lib/posthouse --apply"
    )]
    Repair(RepairArgs),
    /// Say what this program would change in a store of an older one, and whether that one can still be gone back to
    #[command(
        after_help = "Changes nothing, and may run beside a server. Ends with 0 when the store is as this program writes it, 1 when something would \
        change, 2 when it cannot be read: by a newer program, or damaged. The first start changes nothing of the log; the first change \
        that a shard takes begins a segment of the new version, and ends the way back.\n\n\
        Example: posthouse upgrade --check --data /var/lib/posthouse"
    )]
    Upgrade(UpgradeArgs),
    /// A systemd unit for this configuration, with as few rights as it needs
    #[command(after_help = "Writes to standard output, for /etc/systemd/system/posthouse.service; docs/operations.md says what each line is for.\n\n\
        Example: posthouse unit --config /etc/posthouse.toml")]
    Unit(UnitArgs),
    /// Every good message of a damaged store as files, with a list of what is lost
    #[command(
        after_help = "The source is only read. The directory is laid out as an export is, so posthouse import takes it; with --into a new store is made of it, with members, passwords, groups and flags. Ends with 8 when something is lost.\n\n\
        Example: posthouse salvage /mnt/broken/posthouse --to /backup/salvaged --format maildir\n\
        Example: posthouse salvage /mnt/broken/posthouse --into /var/lib/posthouse-new"
    )]
    Salvage(SalvageArgs),
    /// Rewrite old mail into less room, and drop what nobody refers to any more; proven before anything is replaced
    #[command(
        after_help = "Runs in the server while it serves, else on the closed directory. What is replaced is kept for a day (--undo). A run that is\n\
        stopped or crashes loses nothing: the next one goes on. Ends with 7 when one runs already.\n\n\
        Example: posthouse compact --cold-after-hours 0 --bytes-per-second 50000000"
    )]
    Compact(CompactArgs),
    /// Prove that what accounts are charged is the sum of what they hold
    #[command(
        after_help = "Folds the log, adds up the entries, asks the running server; ends with 1 when two of them differ.\n\n\
        Example: posthouse quota --prove --account carol@acme.example"
    )]
    Quota(QuotaArgs),
    /// A copy of the whole store against disaster, while it is served; a later one takes only what is new
    #[command(
        after_help = "What was acknowledged before it began is in it. TLS keys and the configuration are not.\n\n\
        Example: posthouse backup --to /backup/posthouse --keep 14"
    )]
    Backup(BackupArgs),
    /// A backup as a new store, or one account's mail of it into a folder
    #[command(
        after_help = "Example: posthouse restore --from /backup/posthouse --account carol@acme.example --folder Restored"
    )]
    Restore(RestoreArgs),
}

#[cfg(test)]
mod tests;
