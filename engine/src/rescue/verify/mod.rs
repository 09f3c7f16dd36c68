//! Proves a whole store: every crc, every reference, every count, the checkpoints against a fold of the log from its start. Never stops at the
//! first thing that is wrong and never changes anything; memory is bounded by what the largest segment and the busiest accounts need.
mod control;
mod shard;

use super::finding::{Finding, Kind, Severity, Told, Watch};
use super::fold::Scratch;
use super::inventory::{self, Inventory, Log};
use super::survey::Done;
use crate::base::{Error, Lsn, Result, ShardId};
use crate::directory::Directory;
use crate::disk::Disk;
use crate::engine::checkpoint;
use crate::index::Parts;
use std::borrow::Cow;
use std::path::Path;
use std::sync::Arc;

/// What was looked at, and how much was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Segment files.
    pub segments: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Message frames that are whole.
    pub messages: u64,
    /// Event frames that are whole.
    pub events: u64,
    /// Accounts with mail.
    pub accounts: u64,
    /// Their mailboxes.
    pub mailboxes: u64,
    /// Their entries.
    pub entries: u64,
    /// Bytes that those are charged.
    pub used_bytes: u64,
    /// Messages in the queue.
    pub queued: u64,
    /// Findings that are damage.
    pub damages: u64,
    /// Findings that are none.
    pub notes: u64,
}

/// Looks at everything below `disk`'s root. With `live` a server has the store open: what it is writing at this moment is not judged.
///
/// # Errors
/// `NotFound`: there is no store. `Io`: a directory cannot be listed, or scratch files not be written. Damage is no error.
pub fn verify(disk: &dyn Disk, live: bool, scratch: Scratch<'_>, watch: Watch<'_>) -> Result<Report> {
    let inventory = inventory::take(disk)?;
    if inventory.is_empty() {
        return Err(Error::NotFound(format!("a store in {}", disk.full_path(Path::new("")).display())));
    }
    let mut report = Report { bytes: inventory.total_bytes(), ..Report::default() };
    let (mut damages, mut notes) = (0, 0);
    let mut count = |told: Told<'_>| {
        if let Told::Finding(finding) = &told {
            match finding.severity {
                Severity::Damage => damages += 1,
                Severity::Note => notes += 1,
            }
        }
        watch(told);
    };
    inventory.findings.iter().for_each(|finding| count(Told::Finding(finding)));
    let mut verify = Verify { disk, live, inventory: &inventory, done: Done::new(report.bytes), report: &mut report };
    verify.all(scratch, &mut count)?;
    (report.damages, report.notes) = (damages, notes);
    Ok(report)
}

/// One run.
struct Verify<'a> {
    disk: &'a dyn Disk,
    live: bool,
    inventory: &'a Inventory,
    done: Done,
    report: &'a mut Report,
}

impl Verify<'_> {
    fn all(&mut self, scratch: Scratch<'_>, watch: Watch<'_>) -> Result<()> {
        let empty = Log::default();
        let control = self.inventory.logs.get(&ShardId::CONTROL).unwrap_or(&empty);
        let directory = self.control(control, watch)?;
        for (shard, log) in self.inventory.logs.range(..ShardId::CONTROL) {
            self.shard(*shard, log, &directory, scratch, watch)?;
        }
        Ok(())
    }

    /// The checkpoint that a start would take, with a finding for each that it would pass over.
    fn checkpoint(&self, shard: ShardId, log: &Log, watch: Watch<'_>) -> Result<Arc<Parts>> {
        let mut tries = 0;
        let (parts, bad) = loop {
            let found = checkpoint::find(self.disk, shard, &log.dir)?;
            tries += 1;
            // A running server may fold one part into the next while they are opened.
            if found.1.is_empty() || !self.live || tries == 3 {
                break found;
            }
        };
        for error in bad {
            watch(Told::Finding(&error_finding(Kind::Checkpoint, &error)));
        }
        let needed: Vec<u32> = parts.list().iter().map(|part| part.id()).collect();
        let stray = |name: &&String| checkpoint::part_number(name).is_none_or(|number| !needed.contains(&number));
        for name in log.parts.iter().filter(stray).filter(|_| !self.live && !needed.is_empty()) {
            let file = self.disk.full_path(&log.dir.join(name)).display().to_string();
            watch(Told::Finding(&Finding::note(Kind::File, file, "an index part that no checkpoint needs")));
        }
        Ok(Arc::new(parts))
    }

    /// The log to hold against a checkpoint that was just read.
    fn log<'a>(&self, shard: ShardId, log: &'a Log) -> Result<Cow<'a, Log>> {
        Ok(if self.live { Cow::Owned(inventory::again(self.disk, shard)?) } else { Cow::Borrowed(log) })
    }

    /// How far the log has to reach.
    fn covered(&self, parts: &Parts) -> Lsn {
        parts.lsn()
    }
}

/// An error of reading derived state as a finding with its place.
fn error_finding(kind: Kind, error: &Error) -> Finding {
    match error {
        Error::Corrupt { file, offset, what } => Finding::damage(kind, file, what).at(*offset),
        other => Finding::damage(kind, "", other.to_string()),
    }
}

/// A directory that is not known says so.
fn who(directory: &Directory, account: crate::base::AccountId) -> super::finding::Who {
    let address = directory.account(account).map(|account| account.address.to_string());
    super::finding::Who { account, address, ..Default::default() }
}
