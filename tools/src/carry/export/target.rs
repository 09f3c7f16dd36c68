//! The directory of an export: made here, readable by its owner only, and nothing in it is ever written twice.
use crate::ops::{Failure, Kind};
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// The export's directory.
#[derive(Clone)]
pub(in crate::carry) struct Target(PathBuf);

impl Target {
    /// Makes the directory; one that exists must be empty.
    pub(in crate::carry) fn make(at: &Path) -> Result<Target, Failure> {
        let failed = |error: io::Error| Failure::io(at.display(), &error);
        let held = match fs::read_dir(at) {
            Ok(mut entries) => entries.next().is_some(),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                DirBuilder::new().recursive(true).mode(0o700).create(at).map_err(failed)?;
                false
            }
            Err(error) => return Err(failed(error)),
        };
        if held {
            let unfinished = match at.join(super::manifest::UNFINISHED).exists() {
                true => " (an export that was interrupted lies there; remove it)",
                false => "",
            };
            let way = "an export goes into an empty or a new directory";
            return Err(Failure::new(Kind::Exists, format!("{} is not empty{unfinished}; {way}", at.display())));
        }
        Ok(Target(at.to_path_buf()))
    }

    /// A new file.
    pub(in crate::carry) fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(self.0.join(path))
    }

    /// A directory with its parents; one that exists is fine.
    pub(super) fn create_dir(&self, path: &Path) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(self.0.join(path))
    }

    /// Everything is on the medium; then `from` gets the name `to`.
    pub(in crate::carry) fn finish(&self, from: &str, to: &str) -> io::Result<()> {
        let directory = File::open(&self.0)?;
        // One call for what may be a million files.
        rustix::fs::syncfs(&directory)?;
        fs::rename(self.0.join(from), self.0.join(to))?;
        directory.sync_all()
    }
}

/// A file's time is the message's internal date, as other programs expect it of Maildir.
pub(super) fn set_date(file: &File, seconds: i64) -> io::Result<()> {
    let offset = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 {
        SystemTime::UNIX_EPOCH.checked_sub(offset)
    } else {
        SystemTime::UNIX_EPOCH.checked_add(offset)
    };
    match time {
        Some(time) => file.set_modified(time),
        None => Ok(()),
    }
}
