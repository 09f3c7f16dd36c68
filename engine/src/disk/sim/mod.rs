//! A disk in memory that forgets, tears and fails on purpose. Keeps the promise of `disk/mod.rs` to the letter and no more.
//!
//! The fault model: every file has the bytes that programs see and the bytes that are on the medium; between them stand writes that no
//! sync has covered. After a power loss (`crash`) each 512-byte step of those writes is there or not, later ones without earlier ones, the
//! length grown with zeros where data is missing; directory entries likewise. A failed sync loses what it covered although programs still
//! see it, and a later sync does not bring it back. Bytes that a sync has covered are never lost, only changed by `flip`. On order a call
//! fails, a write is lost or lands elsewhere without a word, a read fails, the disk is full, and calls take their time.
mod inode;
mod names;
mod random;
mod state;

pub use random::Random;
pub use state::Fault;

use super::{Disk, File, Lock, Map};
use names::NameOp;
use state::{Call, State};
use std::io;
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Between two looks whether a disk is still held.
const HELD_LOOK: Duration = Duration::from_millis(1);

/// A simulated disk; clones are the same disk.
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

impl SimDisk {
    /// An empty disk; `seed` decides every tear and loss.
    pub fn new(seed: u64) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(State::new(seed))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changing calls made so far (create, write, sync, set_len, rename, remove, create_dir, sync_dir): the number of the next one.
    pub fn ops(&self) -> u64 {
        self.state().ops
    }

    /// Makes the changing call number `op` fail.
    pub fn fail_at(&self, op: u64, fault: Fault) {
        self.state().faults.insert(op, fault);
    }

    /// Reads and maps made so far: the number of the next one.
    pub fn reads(&self) -> u64 {
        self.state().reads
    }

    /// Makes the read or map number `read` fail with EIO.
    pub fn fail_read_at(&self, read: u64) {
        self.state().read_faults.insert(read);
    }

    /// Makes every read and map from number `read` on fail with EIO.
    pub fn fail_reads_from(&self, read: u64) {
        self.state().reads_fail_from = Some(read);
    }

    /// Forgets the reads that were to fail and have not come.
    pub fn forgive_reads(&self) {
        let mut state = self.state();
        state.read_faults.clear();
        state.reads_fail_from = None;
    }

    /// Makes every call on a file take up to so many microseconds, at random.
    pub fn set_latency_us_max(&self, micros: u64) {
        self.state().latency_us_max = micros;
    }

    /// Lets reads, writes and syncs of files wait until it is taken back.
    pub fn set_held(&self, held: bool) {
        self.state().held = held;
    }

    /// Waits as the medium does; nobody else has to wait for it.
    fn wait(&self) {
        while self.state().held {
            std::thread::sleep(HELD_LOOK);
        }
        let delay = self.state().delay();
        if !delay.is_zero() {
            std::thread::sleep(delay);
        }
    }

    /// Turns the machine off in the midst of the changing call number `op`: it and every call after it fail.
    pub fn crash_at(&self, op: u64) {
        self.state().crash_at = Some(op);
    }

    /// Bytes by which files may still grow; `u64::MAX` is no bound.
    pub fn set_free_bytes(&self, bytes: u64) {
        self.state().free_bytes = bytes;
    }

    /// Files that are mapped from now on count as not in memory until they are brought.
    pub fn set_unread(&self, unread: bool) {
        self.state().unread = unread;
    }

    /// Takes all room away from the changing call number `op` on.
    pub fn fill_at(&self, op: u64) {
        self.state().full_at = Some(op);
    }

    /// Turns the machine off and gives the disk as it is found afterwards. Every handle of the old one fails from now on.
    pub fn crash(&self) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(self.state().crash())))
    }

    /// The disk as another start of a machine that was shut down in order finds it: all that was written is on the medium, but for what
    /// was lost on the way. Every handle of the old one stays as it is.
    pub fn reboot(&self) -> SimDisk {
        SimDisk(Arc::new(Mutex::new(self.state().reboot())))
    }

    /// Changes bits of a byte at rest, as a bad medium does.
    pub fn flip(&self, path: &Path, offset: u64, bits: u8) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.find(path)?;
        state.inodes[inode].flip(offset, bits)
    }
}

/// Only plain names below the root.
fn plain(path: &Path) -> io::Result<&Path> {
    match path.components().all(|part| matches!(part, Component::Normal(_))) {
        true => Ok(path),
        false => Err(io::ErrorKind::InvalidInput.into()),
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let mut state = self.state();
        state.names.check_parent(plain(path)?)?;
        if state.names.has(path) {
            state.alive()?;
            return Err(io::ErrorKind::AlreadyExists.into());
        }
        let inode = state.inodes.len();
        state.names_call(NameOp::Set(path.to_owned(), inode))?;
        Ok(Arc::new(SimFile { disk: self.clone(), inode }))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let state = self.state();
        state.alive()?;
        Ok(Arc::new(SimFile { disk: self.clone(), inode: state.find(path)? }))
    }

    fn map(&self, path: &Path) -> io::Result<Map> {
        self.wait();
        let mut state = self.state();
        state.read()?;
        let bytes = state.inodes[state.find(path)?].visible().to_vec();
        Ok(if state.unread { Map::unread(bytes) } else { Map::owned(bytes) })
    }

    fn map_start(&self, path: &Path, len_bytes: usize) -> io::Result<Map> {
        let state = self.state();
        state.alive()?;
        let start = state.inodes[state.find(path)?].visible().get(..len_bytes);
        start.map(|start| Map::owned(start.to_vec())).ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.state();
        if from.parent() != to.parent() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a rename within one directory expected"));
        }
        let inode = state.find(from)?;
        state.names_call(NameOp::Rename { from: from.to_owned(), to: plain(to)?.to_owned(), inode })
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.find(path)?;
        let len = state.inodes[inode].visible().len() as u64;
        state.names_call(NameOp::Remove(path.to_owned()))?;
        state.free_bytes = state.free_bytes.saturating_add(len);
        Ok(())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        let mut parents: Vec<&Path> = plain(path)?.ancestors().collect();
        parents.reverse();
        for dir in parents {
            if !state.names.has_dir(dir) {
                state.names_call(NameOp::MakeDir(dir.to_owned()))?;
            }
        }
        state.alive()
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.alive()?;
        state.names.list(path)
    }

    fn list_dirs(&self, path: &Path) -> io::Result<Vec<String>> {
        let state = self.state();
        state.alive()?;
        state.names.list_dirs(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        if !state.names.has_dir(path) {
            state.alive()?;
            return Err(io::ErrorKind::NotFound.into());
        }
        match state.call()? {
            Call::Done => state.names.sync(path),
            Call::Fails(fault) => return Err(fault.error()),
            Call::Dies { .. } => return Err(State::off()),
        }
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        let mut state = self.state();
        state.alive()?;
        match state.locks.insert(plain(path)?.to_owned()) {
            true => Ok(Box::new(SimLock { disk: self.clone(), path: path.to_owned() })),
            false => Err(io::ErrorKind::WouldBlock.into()),
        }
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let state = self.state();
        state.alive()?;
        Ok(state.free_bytes)
    }

    fn full_path(&self, path: &Path) -> PathBuf {
        Path::new("sim:").join(path)
    }
}

struct SimLock {
    disk: SimDisk,
    path: PathBuf,
}

impl Lock for SimLock {}

impl Drop for SimLock {
    fn drop(&mut self) {
        self.disk.state().locks.remove(&self.path);
    }
}

struct SimFile {
    disk: SimDisk,
    inode: usize,
}

impl File for SimFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.disk.wait();
        self.disk.state().write(self.inode, bytes, offset)
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.disk.wait();
        let mut state = self.disk.state();
        state.read()?;
        let visible = state.inodes[self.inode].visible();
        let from = usize::try_from(offset).unwrap_or(usize::MAX);
        match from.checked_add(into.len()).and_then(|to| visible.get(from..to)) {
            Some(bytes) => {
                into.copy_from_slice(bytes);
                Ok(())
            }
            None => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.disk.wait();
        self.disk.state().sync(self.inode)
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.disk.state().set_len(self.inode, len_bytes)
    }

    fn allocate(&self, len_bytes: u64) -> io::Result<()> {
        self.disk.state().allocate(self.inode, len_bytes)
    }

    fn len(&self) -> io::Result<u64> {
        let state = self.disk.state();
        state.alive()?;
        Ok(state.inodes[self.inode].visible().len() as u64)
    }
}
