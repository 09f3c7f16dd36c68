//! Backup: a copy of the logs while they are served. Sealed segments never change, so each is taken once and shared by all later backups; of
//! the growing ones the durable part is copied. A backup exists when its list has its name, which comes last.
mod known;
pub mod list;
mod pool;

pub(crate) use pool::copy;
pub use pool::{Backups, backups};

use super::sha;
use crate::ops::{Failure, FileRow, Kind, Request, Response, ShardFilesRow};
use crate::progress::Progress;
use crate::session::Session;
use crate::time::{parse_rfc3339, rfc3339};
use known::Share;
use list::{Backup, File, Shard};
use pool::{Pool, Taken, prove};
use serde::Serialize;
use std::collections::HashMap;
use std::path::Path;
use std::time::SystemTime;

/// How often the store is asked anew when a file went while it was to be copied.
const TRIES_MAX: u32 = 3;

/// How to back up.
pub struct Options<'a> {
    /// The directory of all backups of a store.
    pub to: &'a Path,
    /// Sealed segments become links where that can be: no second copy of their bytes, and no time.
    pub link: bool,
    /// Backups to be kept, this one included; the older ones go.
    pub keep: Option<usize>,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// The backup's name.
    pub name: String,
    /// Bytes of log in it.
    pub bytes: u64,
    /// Segment files in it.
    pub files: u64,
    /// Files that an earlier backup had.
    pub shared: u64,
    /// Files that are links to the store's own: no second copy of their bytes.
    pub linked: u64,
    /// Files that were copied.
    pub copied: u64,
    /// Bytes that were copied.
    pub copied_bytes: u64,
    /// Files that an earlier backup had and that had changed since in the backups' directory: taken again, which makes that backup whole too.
    pub healed: u64,
    /// Older backups that were removed.
    pub removed: u64,
}

/// Backs up.
///
/// # Errors
/// A file cannot be read or differs after it was written; the directory holds something else. No new backup is there then, and the older
/// ones are as they were.
pub fn run(session: &mut Session, options: &Options<'_>) -> Result<Report, Failure> {
    // Asked first: where there is no store, no directory shall be made.
    let (mut made, mut view) = ask(session)?;
    let pool = Pool::open(options.to)?;
    let data = session.data().to_path_buf();
    for tried in 1.. {
        match Taking::new(&pool, &data, options, &view)?.all(made, &view) {
            Err(Trouble::Gone(what)) if tried >= TRIES_MAX => {
                return Err(Failure::new(Kind::TryAgain, format!("{what} went while it was to be copied; try again")));
            }
            Err(Trouble::Gone(_)) => (made, view) = ask(session)?,
            Err(Trouble::Failure(failure)) => return Err(failure),
            Ok(report) => return prune(&pool, options, report),
        }
    }
    Err(Failure::new(Kind::Failed, "no backup was made"))
}

/// The time, and which files there are. The time comes first: everything that was acknowledged before it is in the files.
fn ask(session: &mut Session) -> Result<(i64, Vec<ShardFilesRow>), Failure> {
    let made = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64);
    match session.ask(&Request::Files)? {
        Response::Files { shards } => Ok((made, shards)),
        _ => Err(Failure::new(Kind::Failed, "a list of files was expected")),
    }
}

/// Why a file could not be taken.
enum Trouble {
    /// It is not there any more: compaction has removed it.
    Gone(String),
    Failure(Failure),
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        Trouble::Failure(failure)
    }
}

struct Taking<'a> {
    pool: &'a Pool,
    data: &'a Path,
    link: bool,
    /// What earlier backups have, the newest first, and when they were begun.
    former: Vec<(File, i64)>,
    /// What of that is read again.
    share: Share,
    /// The new one's.
    number: u64,
    report: Report,
    progress: Progress,
    done_bytes: u64,
}

impl<'a> Taking<'a> {
    fn new(
        pool: &'a Pool,
        data: &'a Path,
        options: &Options<'_>,
        view: &[ShardFilesRow],
    ) -> Result<Taking<'a>, Failure> {
        let backups = pool.backups()?;
        for broken in &backups.broken {
            eprintln!("{broken}");
        }
        if let Some((_, newest)) = backups.whole.last()
            && known::is_of_another(pool.root(), data, newest)
        {
            let text = format!("{} holds the backups of another store; give this one its own", pool.root().display());
            return Err(Failure::new(Kind::Exists, text));
        }
        let files = |backup: &Backup| {
            let made = parse_rfc3339(&backup.made).unwrap_or(i64::MIN);
            backup.shards.iter().flat_map(|shard| shard.files.clone()).map(|file| (file, made)).collect::<Vec<_>>()
        };
        let former = backups.whole.iter().rev().flat_map(|(_, backup)| files(backup)).collect();
        let number = backups.whole.last().map_or(1, |(_, backup)| backup.number + 1);
        let total = view.iter().flat_map(|shard| &shard.files).map(|file| file.bytes).sum();
        // No older backup goes before each byte of the new one was read from where it lies.
        let prunes = options.keep.is_some_and(|keep| backups.whole.len() >= keep.max(1));
        let share = Share::new(number, total, prunes);
        let (report, progress) = (Report::default(), Progress::new(total));
        Ok(Taking { pool, data, link: options.link, former, share, number, report, progress, done_bytes: 0 })
    }

    fn all(mut self, made: i64, view: &[ShardFilesRow]) -> Result<Report, Trouble> {
        let done = self.files(made, view);
        self.progress.end();
        done?;
        Ok(self.report)
    }

    fn files(&mut self, made: i64, view: &[ShardFilesRow]) -> Result<(), Trouble> {
        let store = self.take("", "STORE", 0, None)?;
        let mut shards = Vec::with_capacity(view.len());
        for row in view {
            let files = row.files.iter().map(|file| self.segment(row, file)).collect::<Result<_, _>>()?;
            shards.push(Shard { dir: row.dir.clone(), files });
        }
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let number = self.number;
        let backup = Backup { version: list::VERSION, number, made: rfc3339(made), posthouse: version, store, shards };
        self.report.name = self.pool.publish(&backup)?;
        Ok(())
    }

    fn segment(&mut self, shard: &ShardFilesRow, file: &FileRow) -> Result<File, Trouble> {
        let taken = self.take(&shard.dir, &file.name, file.bytes, Some(file.sealed))?;
        self.report.files += 1;
        self.report.bytes += file.bytes;
        self.done_bytes += file.bytes;
        let (copied, bytes) = (self.report.copied, self.report.copied_bytes);
        self.progress.at(self.done_bytes, || format!("{copied} files copied, {bytes} bytes"));
        Ok(taken)
    }

    /// One file into the pool. `sealed`: `None` is a small file that is taken whole.
    fn take(&mut self, dir: &str, name: &str, bytes: u64, sealed: Option<bool>) -> Result<File, Trouble> {
        let source = self.data.join(dir).join(name);
        let whole = sealed.is_none();
        let bytes = if whole { size(&source)? } else { bytes };
        let sealed = sealed == Some(true);
        let known = self.former.iter().find(|(file, _)| file.dir == dir && file.name == name && file.bytes == bytes);
        let known = known.filter(|_| sealed).cloned();
        if let Some((known, since)) = &known
            && self.is_shared(known, &source, *since).map_err(|error| trouble(&source, &error))?
        {
            self.report.shared += 1;
            return Ok(known.clone());
        }
        let taken = self.pool.take(&source, dir, name, bytes, sealed && self.link);
        let (file, how) = taken.map_err(|error| trouble(&source, &error))?;
        if known.is_some_and(|(known, _)| known.at == file.at) {
            self.report.healed += 1;
            self.progress
                .tell(&format!("{}: had changed, and was taken again", self.pool.root().join(&file.at).display()));
        }
        match how {
            Taken::Linked => self.report.linked += 1,
            Taken::Copied if whole => {}
            Taken::Copied => {
                self.report.copied += 1;
                self.report.copied_bytes += bytes;
            }
        }
        Ok(file)
    }
}

impl Taking<'_> {
    /// Whether a file of the pool can be in the new backup too.
    fn is_shared(&mut self, known: &File, source: &Path, since: i64) -> std::io::Result<bool> {
        if !known::is_same(self.pool.root(), known, source, since)? {
            return Ok(false);
        }
        if !self.share.holds(self.done_bytes..self.done_bytes + known.bytes) {
            return Ok(true);
        }
        let proven = prove(self.pool.root(), known);
        if let Err(why) = &proven {
            self.progress.tell(why);
        }
        Ok(proven.is_ok())
    }
}

fn size(path: &Path) -> Result<u64, Trouble> {
    std::fs::metadata(path).map(|about| about.len()).map_err(|error| trouble(path, &error))
}

fn trouble(path: &Path, error: &std::io::Error) -> Trouble {
    match error.kind() {
        std::io::ErrorKind::NotFound => Trouble::Gone(path.display().to_string()),
        _ => Trouble::Failure(Failure::io(path.display(), error)),
    }
}

/// The older backups away, and then the files that no backup needs.
fn prune(pool: &Pool, options: &Options<'_>, mut report: Report) -> Result<Report, Failure> {
    if let Some(keep) = options.keep {
        report.removed = pool.prune(keep.max(1))?;
    }
    Ok(report)
}

/// What a check found.
#[derive(Debug, Default, Serialize)]
pub struct Checked {
    /// Backups that are whole.
    pub backups: u64,
    /// Files that were read.
    pub files: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// What is wrong.
    pub damaged: Vec<String>,
}

/// Reads every file of every backup in a directory and holds it against its list. Changes nothing.
///
/// # Errors
/// The directory holds no backups.
pub fn check(root: &Path) -> Result<Checked, Failure> {
    let Backups { whole, broken } = backups(root)?;
    let mut checked = Checked { damaged: broken, ..Checked::default() };
    // Where each file lies, and whether it is what its list says: files are shared.
    let mut proven: HashMap<(String, String, u64), bool> = HashMap::new();
    let bytes = whole.iter().fold(0u64, |sum, (_, backup)| sum.saturating_add(backup.bytes()));
    let mut progress = Progress::new(bytes);
    checked.damaged.iter().for_each(|why| progress.tell(why));
    for (name, backup) in &whole {
        let mut good = true;
        for file in backup.files() {
            let key = (file.at.clone(), file.sha256.clone(), file.bytes);
            if let Some(known) = proven.get(&key) {
                good &= known;
                continue;
            }
            let found = prove(root, file);
            (checked.files, checked.bytes) = (checked.files + 1, checked.bytes + file.bytes);
            proven.insert(key, found.is_ok());
            if let Err(why) = found {
                good = false;
                progress.tell(&why);
                checked.damaged.push(why);
            }
            progress.at(checked.bytes, || format!("{} files read", checked.files));
        }
        if good {
            checked.backups += 1;
        } else {
            progress.tell(&format!("backup {name} is damaged"));
        }
    }
    progress.end();
    Ok(checked)
}
