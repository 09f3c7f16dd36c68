//! Reads a file that may be damaged, through a window of bounded size. What cannot be read is said, never guessed, and never ends the work.
use crate::base::{Error, Result};
use crate::disk::{Disk, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes read at once.
pub(super) const WINDOW_BYTES: usize = 1 << 20;
/// After a place that cannot be read, reading goes on at the next multiple of this: what a bad sector takes with it.
pub(super) const SKIP_BYTES: u64 = 4096;

/// An open file.
pub(super) struct Source {
    /// Relative to the data directory.
    pub(super) path: PathBuf,
    /// For people.
    pub(super) name: String,
    pub(super) len: u64,
    file: Arc<dyn File>,
    start: u64,
    bytes: Vec<u8>,
}

impl Source {
    pub(super) fn open(disk: &dyn Disk, path: &Path) -> Result<Source> {
        let name = disk.full_path(path).display().to_string();
        let io = |why| Error::io(format!("open {name}"), why);
        let file = disk.open(path).map_err(io)?;
        let len = file.len().map_err(io)?;
        Ok(Source { path: path.to_owned(), name, len, file, start: 0, bytes: Vec::new() })
    }

    /// The open file itself.
    pub(super) fn file(&self) -> &Arc<dyn File> {
        &self.file
    }

    /// `len` bytes at `at`; `None` when the file ends before or they cannot be read.
    pub(super) fn get(&mut self, at: u64, len: usize) -> Option<&[u8]> {
        let end = at.checked_add(len as u64).filter(|end| *end <= self.len)?;
        if at < self.start || end > self.start + self.bytes.len() as u64 {
            self.load(at, len)?;
        }
        let from = (at - self.start) as usize;
        self.bytes.get(from..from + len)
    }

    /// Fills the window from `at` on; only with what was asked for when more cannot be read.
    fn load(&mut self, at: u64, len: usize) -> Option<()> {
        let wide = WINDOW_BYTES.max(len).min(usize::try_from(self.len - at).unwrap_or(usize::MAX));
        for len in [wide, len] {
            self.bytes.resize(len, 0);
            self.start = at;
            if self.file.read_exact_at(&mut self.bytes, at).is_ok() {
                return Some(());
            }
        }
        self.bytes.clear();
        None
    }

    /// The same as a vector of one's own, read around the window when it is large.
    pub(super) fn read(&mut self, at: u64, len: usize) -> Option<Vec<u8>> {
        if len <= WINDOW_BYTES {
            return self.get(at, len).map(<[u8]>::to_vec);
        }
        at.checked_add(len as u64).filter(|end| *end <= self.len)?;
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, at).ok().map(|()| bytes)
    }
}

impl Source {
    /// Bytes read by themselves, for who jumps about; `None` as `get`.
    pub(super) fn peek(&self, at: u64, len: usize) -> Option<Vec<u8>> {
        at.checked_add(len as u64).filter(|end| *end <= self.len)?;
        let mut bytes = vec![0; len];
        self.file.read_exact_at(&mut bytes, at).ok().map(|()| bytes)
    }
}
