//! What the commands that find and mend damage share: scratch files, whether a server runs, findings and steps as JSON. Finds nothing itself.
mod view;

pub use view::{FindingView, LineView, StepView};

use crate::control::Client;
use crate::ops::{Failure, Kind};
use crate::progress::Progress;
use posthouse_engine::base::Error;
use posthouse_engine::disk::{Disk, ReadOnlyDisk, StdDisk};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// Scratch files: a directory that is made when it is first needed and gone when this is dropped.
pub struct Scratch {
    within: PathBuf,
    made: Option<(PathBuf, Arc<dyn Disk>)>,
}

impl Scratch {
    /// In `within`, or where the system keeps temporary files.
    pub fn new(within: Option<PathBuf>) -> Scratch {
        Scratch { within: within.unwrap_or_else(std::env::temp_dir), made: None }
    }

    /// The directory as the engine takes it.
    pub fn disk(&mut self) -> Result<Arc<dyn Disk>, Error> {
        if let Some((_, disk)) = &self.made {
            return Ok(disk.clone());
        }
        let path = self.within.join(format!("posthouse-scratch-{}", std::process::id()));
        let failed = |why| Error::io(format!("make {}", path.display()), why);
        let disk: Arc<dyn Disk> = Arc::new(StdDisk::new(&path).map_err(failed)?);
        self.made = Some((path, disk.clone()));
        Ok(disk)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Some((path, _)) = &self.made {
            let _ = std::fs::remove_dir_all(path);
        }
    }
}

/// A directory that is only looked at.
///
/// # Errors
/// `NotFound`: there is none.
pub fn look(data: &Path) -> Result<ReadOnlyDisk, Failure> {
    ReadOnlyDisk::new(data).map_err(|why| match why.kind() {
        std::io::ErrorKind::NotFound => Failure::not_found(format_args!("a store in {}", data.display())),
        _ => Failure::io(data.display(), &why),
    })
}

/// A directory that is to be changed. It is not made.
pub fn change(data: &Path) -> Result<Arc<dyn Disk>, Failure> {
    look(data)?;
    let disk = StdDisk::new(data).map_err(|why| Failure::io(data.display(), &why))?;
    Ok(Arc::new(disk))
}

/// Whether some process has the directory open: a server that answers, or anybody who holds its lock.
pub fn in_use(data: &Path) -> bool {
    if matches!(Client::connect(data), Ok(Some(_))) {
        return true;
    }
    File::open(data.join("LOCK")).is_ok_and(|lock| matches!(lock.try_lock(), Err(TryLockError::WouldBlock)))
}

/// An error of work that needs the directory for itself, in the words of a person who has a server running on it.
pub fn refused(data: &Path, error: Error) -> Failure {
    match error {
        Error::Busy => {
            let text =
                format!("{} is in use: stop the server first, since this works on a closed store only", data.display());
            Failure::new(Kind::InUse, text)
        }
        error => Failure::from(error),
    }
}

/// Progress of work over bytes, with its speed.
pub struct Pace {
    progress: Progress,
    begun: Instant,
    word: &'static str,
}

impl Pace {
    /// `word` is what is done: `verified`.
    pub fn new(word: &'static str, total_bytes: u64) -> Pace {
        Pace { progress: Progress::new(total_bytes), begun: Instant::now(), word }
    }

    /// So far.
    pub fn at(&mut self, done_bytes: u64, total_bytes: u64) {
        let word = self.word;
        self.progress.at(done_bytes, || format!("{word} {} of {} MB", done_bytes >> 20, total_bytes >> 20));
    }

    /// The bar is gone. Seconds since the start.
    pub fn end(&self) -> f64 {
        self.progress.end();
        self.begun.elapsed().as_secs_f64()
    }
}

/// Megabytes (2^20) a second.
pub fn mb_per_second(bytes: u64, seconds: f64) -> f64 {
    bytes as f64 / f64::from(1 << 20) / seconds.max(1e-6)
}
