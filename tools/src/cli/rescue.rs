//! The words for finding and mending damage.
use crate::carry::manifest::Format;
use clap::Args;
use std::path::PathBuf;

/// How a store is proven.
#[derive(Debug, Args)]
pub struct VerifyArgs {
    /// Where scratch files may lie when the store is large; they are removed at the end
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
}

/// Which file to show, and how much of it.
#[derive(Debug, Args)]
pub struct InspectArgs {
    /// A segment (.phl), an index part (.phi) or STORE, wherever it lies
    pub file: PathBuf,
    /// Begin at the first thing at or behind this byte
    #[arg(long, default_value_t = 0)]
    pub offset: u64,
    /// Show at most so many things
    #[arg(long, value_name = "NUMBER")]
    pub limit: Option<u64>,
}

/// How derived files are made anew.
#[derive(Debug, Args)]
pub struct RebuildArgs {
    /// Where scratch files may lie when the store is large; they are removed at the end
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
}

/// Whether to repair or only to say how.
#[derive(Debug, Args)]
pub struct RepairArgs {
    /// Do what the plan says
    #[arg(long)]
    pub apply: bool,
    /// Where scratch files may lie when the store is large; they are removed at the end
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
}

/// From where and to where mail is salvaged.
#[derive(Debug, Args)]
pub struct SalvageArgs {
    /// The damaged data directory; nothing in it is changed
    pub source: PathBuf,
    /// An empty or new directory for files
    #[arg(long, value_name = "DIR", required_unless_present = "into")]
    pub to: Option<PathBuf>,
    /// An empty or new data directory: the mail goes into a new store, with who lived there
    #[arg(long, value_name = "DIR", conflicts_with_all = ["to", "format"])]
    pub into: Option<PathBuf>,
    /// How the messages lie in files
    #[arg(long, value_enum, default_value = "eml")]
    pub format: Format,
    /// Where scratch files may lie when the store is large; they are removed at the end
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
}

/// What of an upgrade is wanted.
#[derive(Debug, Args)]
pub struct UpgradeArgs {
    /// Say what this program would change, whether the one before can still be gone back to, and until when; change nothing
    #[arg(long, required = true)]
    pub check: bool,
}

/// Whose unit is made.
#[derive(Debug, Args)]
pub struct UnitArgs {
    /// Who serves; goes before the configuration's `user`, without which it is posthouse
    #[arg(long, value_name = "NAME")]
    pub user: Option<String>,
}

/// How a store is compacted.
#[derive(Debug, Args)]
pub struct CompactArgs {
    /// Say how far the run is, or what the last one did
    #[arg(long, group = "steer")]
    pub status: bool,
    /// Make the run wait
    #[arg(long, group = "steer")]
    pub pause: bool,
    /// Make it go on
    #[arg(long, group = "steer")]
    pub resume: bool,
    /// End it; what is replaced stays so, and the next run goes on from there
    #[arg(long, group = "steer")]
    pub stop: bool,
    /// Put back what the newest compaction replaced, where that is still kept; stop the server first
    #[arg(long, group = "steer")]
    pub undo: bool,
    /// Begin the run in the server and do not wait for its end
    #[arg(long, conflicts_with = "steer")]
    pub background: bool,
    /// Rewrite what was written so many hours ago, whatever is dead in it (before compaction.cold_after_hours)
    #[arg(long, value_name = "HOURS", conflicts_with = "steer")]
    pub cold_after_hours: Option<u32>,
    /// Rewrite what has so many percent of dead messages, however old (before compaction.dead_percent_min)
    #[arg(long, value_name = "PERCENT", conflicts_with = "steer", value_parser = clap::value_parser!(u8).range(1..=100))]
    pub dead_percent: Option<u8>,
    /// Bytes of mail a second at most; 0: as fast as it goes (before compaction.bytes_per_second_max)
    #[arg(long, value_name = "BYTES", conflicts_with = "steer")]
    pub bytes_per_second: Option<u64>,
    /// Keep what is replaced so many hours (before compaction.keep_hours)
    #[arg(long, value_name = "HOURS", conflicts_with = "steer")]
    pub keep_hours: Option<u32>,
    /// Rewrite only while so many bytes stay free on the disk (before compaction.free_bytes_min)
    #[arg(long, value_name = "BYTES", conflicts_with = "steer")]
    pub free_bytes_min: Option<u64>,
}

/// Whose usage is proven.
#[derive(Debug, Args)]
pub struct QuotaArgs {
    /// Prove that what is charged is the sum of what is there
    #[arg(long, required = true)]
    pub prove: bool,
    /// Only this account's
    #[arg(long, value_name = "ADDRESS")]
    pub account: Option<String>,
    /// Where scratch files may lie when the store is large; they are removed at the end
    #[arg(long, value_name = "DIR")]
    pub scratch: Option<PathBuf>,
}
