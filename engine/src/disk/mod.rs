//! Floor 1: the dozen calls through which the engine touches the file system, and what each promises. Knows nothing of frames.
//!
//! Durability promise, which the simulated disk keeps to the letter and no more:
//! * `write_at` alone promises nothing after a crash: the bytes may be there, in part (at 512-byte steps), or not at all, in any order with other writes.
//! * `sync_data` returning `Ok` promises every byte written to that file before the call, and the file's length.
//! * `create`, `rename` and `remove` are durable only after `sync_dir` of the directory returns `Ok`.
//! * `rename` within a directory is atomic: after a crash the name shows the old or the new file, never neither.
//! * After a failed `write_at` or `sync_data` nothing may be assumed about that file until it is read again after a restart.
mod latch;
mod map;
mod priority;
mod read_only;
pub mod sim;
mod std_disk;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub use latch::Latch;
pub use map::Map;
pub(crate) use priority::yield_to_others;
pub use read_only::ReadOnlyDisk;
pub use std_disk::StdDisk;

/// A file system. Paths are relative to the data directory; names are UTF-8.
pub trait Disk: Send + Sync + 'static {
    /// Makes a new file; fails with `AlreadyExists` if there is one. Open for reading and writing.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// Opens an existing file for reading and writing.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>>;
    /// A read-only view of the whole file, which nobody changes any more. Empty files give an empty view.
    fn map(&self, path: &Path) -> io::Result<Map>;
    /// A read-only view of the file's first `len_bytes`, which nobody changes or cuts off any more; the file may grow behind them.
    fn map_start(&self, path: &Path, len_bytes: usize) -> io::Result<Map>;
    /// Renames within one directory, replacing what has the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes a directory and its parents; an existing one is fine.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// The names in a directory, sorted; files only.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// The names of the directories in a directory, sorted.
    fn list_dirs(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Makes the names of a directory durable.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Takes the lock that one process at a time holds on a data directory; `WouldBlock` if another has it. A crash frees it.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>>;
    /// Bytes by which files may still grow together; `u64::MAX` where that is not known.
    fn free_bytes(&self) -> io::Result<u64> {
        Ok(u64::MAX)
    }
    /// The path to show to a person.
    fn full_path(&self, path: &Path) -> PathBuf;
}

/// An open file. Calls may come from several threads; the engine has one writer per file.
pub trait File: Send + Sync {
    /// Writes all of `bytes` at `offset`.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Fills `into` from `offset`; `UnexpectedEof` when the file ends before.
    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()>;
    /// Makes data and length durable (`fdatasync`).
    fn sync_data(&self) -> io::Result<()>;
    /// Sets the length in bytes.
    fn set_len(&self, len_bytes: u64) -> io::Result<()>;
    /// Makes the file at least that long, with room on the medium for every byte of it: later writes within it do not fail for want of
    /// room. New bytes are zero. Durable by `sync_data`. On an error nothing has changed that matters.
    fn allocate(&self, len_bytes: u64) -> io::Result<()>;
    /// The length in bytes.
    fn len(&self) -> io::Result<u64>;
    /// Whether the file is empty.
    fn is_empty(&self) -> io::Result<bool> {
        Ok(self.len()? == 0)
    }
}

/// Held while a data directory is in use; dropping frees it.
pub trait Lock: Send + Sync {}
