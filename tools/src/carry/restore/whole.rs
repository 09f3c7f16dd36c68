//! A whole store: copied beside its place, proven, opened once, and only then moved there.
use super::Found;
use crate::carry::backup::copy;
use crate::config::Config;
use crate::ops::{Failure, Kind};
use crate::progress::Progress;
use crate::store;
use posthouse_engine::base::{Clock, SegmentId, ShardId, SystemClock};
use posthouse_engine::disk::{Disk, StdDisk};
use posthouse_engine::take_back;
use serde::Serialize;
use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Says that a directory is a restore under way: only such a one is ever removed.
const MARK: &str = "POSTHOUSE-RESTORE-UNDER-WAY";

/// What was restored.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// The backup's name.
    pub backup: String,
    /// What the store is as of.
    pub time: String,
    /// Files copied.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Bytes of log that were later than the time that was asked for.
    pub taken_back_bytes: u64,
    /// Accounts in the directory.
    pub accounts: u64,
    /// Removed accounts whose mail was about to go when the backup was made: it is gone.
    pub purged: u64,
    /// Queued messages that are held: they may have been sent since the backup was made.
    pub held: u64,
}

/// Restores into `data`, which is empty or not there.
///
/// # Errors
/// `data` is not empty; a file of the backup is not what its list says; the store does not open. `data` is as it was then.
pub fn whole(found: &Found, data: &Path, config: &Config) -> Result<Restored, Failure> {
    let staging = stage(data)?;
    let mut restored = Restored {
        backup: found.name.clone(),
        time: found.time(),
        files: 0,
        bytes: 0,
        taken_back_bytes: 0,
        accounts: 0,
        purged: 0,
        held: 0,
    };
    let done = fill(found, &staging, config, &mut restored).and_then(|()| publish(&staging, data));
    if done.is_err() {
        // What is there has the mark; a failure to remove it is told by the next try.
        let _ = fs::remove_dir_all(&staging);
    }
    done.map(|()| restored)
}

/// `DATA.restoring`, made anew.
fn stage(data: &Path) -> Result<PathBuf, Failure> {
    let failed = |error: io::Error| Failure::io(data.display(), &error);
    let absolute = std::path::absolute(data).map_err(failed)?;
    match fs::read_dir(&absolute) {
        Ok(mut entries) => {
            if entries.next().is_some() {
                let text =
                    format!("{} is not empty; a store is restored into an empty or a new directory", data.display());
                return Err(Failure::new(Kind::Exists, text));
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let mut name = absolute.file_name().unwrap_or_default().to_owned();
    name.push(".restoring");
    let staging = absolute.with_file_name(name);
    let failed = |error: io::Error| Failure::io(staging.display(), &error);
    if staging.exists() {
        if !staging.join(MARK).is_file() {
            let text = format!("{} is in the way and no restore that was interrupted; move it", staging.display());
            return Err(Failure::new(Kind::Exists, text));
        }
        fs::remove_dir_all(&staging).map_err(failed)?;
    }
    DirBuilder::new().recursive(true).mode(0o700).create(&staging).map_err(failed)?;
    fs::write(staging.join(MARK), "").map_err(failed)?;
    Ok(staging)
}

fn fill(found: &Found, staging: &Path, config: &Config, restored: &mut Restored) -> Result<(), Failure> {
    let mut progress = Progress::new(found.backup.bytes());
    for file in found.backup.files() {
        let (from, to) = (found.root.join(&file.at), staging.join(&file.dir).join(&file.name));
        let failed = |error: io::Error| Failure::io(from.display(), &error);
        if let Some(dir) = to.parent() {
            DirBuilder::new().recursive(true).mode(0o700).create(dir).map_err(failed)?;
        }
        if copy(&from, &to, file.bytes).map_err(failed)? != file.sha256 {
            progress.end();
            let text = format!(
                "{}: SHA-256 differs from the list's; this backup is damaged, an older one may not be",
                from.display()
            );
            return Err(Failure::new(Kind::Failed, text));
        }
        (restored.files, restored.bytes) = (restored.files + 1, restored.bytes + file.bytes);
        progress.at(restored.bytes, || format!("{} files restored", restored.files));
    }
    progress.end();
    if let Some(at) = found.at {
        let disk: Arc<dyn Disk> =
            Arc::new(StdDisk::new(staging).map_err(|error| Failure::io(staging.display(), &error))?);
        restored.taken_back_bytes = back(&disk, found, at)?;
    }
    let opened = store::open(staging, config)?;
    restored.purged = opened.engine.purge_orphans()?;
    restored.held = opened.engine.settle_restored()?;
    restored.accounts = opened.engine.directory(|directory| directory.account_count()) as u64;
    Ok(opened.engine.close()?)
}

/// Cuts every log at the time that is asked for.
pub(super) fn back(disk: &Arc<dyn Disk>, found: &Found, at: i64) -> Result<u64, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let (mut bytes, mut last) = (0, None);
    for shard in &found.backup.shards {
        let id = match shard.dir.rsplit('/').next().unwrap_or_default() {
            "control" => ShardId::CONTROL,
            number => ShardId(number.parse().map_err(|_| {
                Failure::new(Kind::Failed, format!("{}: the directory of a shard expected", shard.dir))
            })?),
        };
        let before = found.before.iter().flat_map(|backup| &backup.shards).find(|before| before.dir == shard.dir);
        let floor = before.and_then(|before| before.files.last()).and_then(|file| {
            let id = file.name.strip_prefix("seg-")?.split('.').next()?.parse().ok()?;
            Some((SegmentId(id), file.bytes))
        });
        let taken = take_back(disk, &clock, id, at, floor)?;
        bytes += taken.bytes;
        last = last.max(taken.last);
    }
    match last {
        Some(_) => Ok(bytes),
        None => Err(Failure::new(Kind::Refused, format!("{}: nothing that old is kept in this backup", found.time()))),
    }
}

/// The store takes its place.
fn publish(staging: &Path, data: &Path) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::io(data.display(), &error);
    fs::remove_file(staging.join(MARK)).map_err(failed)?;
    File::open(staging).and_then(|dir| rustix::fs::syncfs(&dir).map_err(Into::into)).map_err(failed)?;
    let absolute = std::path::absolute(data).map_err(failed)?;
    fs::rename(staging, &absolute).map_err(|error| {
        // Without the mark the next try would not dare to remove it.
        let _ = fs::write(staging.join(MARK), "");
        match error.raw_os_error() {
            Some(code) if code == rustix::io::Errno::BUSY.raw_os_error() => Failure::new(
                Kind::Failed,
                format!(
                    "{} is a mount point, which nothing can be moved onto; restore into a directory below it",
                    data.display()
                ),
            ),
            _ => failed(error),
        }
    })?;
    match absolute.parent() {
        Some(parent) => File::open(parent).and_then(|dir| dir.sync_all()).map_err(failed),
        None => Ok(()),
    }
}
