//! The simulated disk's state behind its lock: counts calls, decides which fail, and keeps room. Knows nothing of handles.
use super::Random;
use super::inode::{Inode, SECTOR_BYTES};
use super::names::{NameOp, Names};
use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How a call fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// EIO; nothing happens.
    Io,
    /// ENOSPC; a write gets a part of its bytes in.
    NoSpace,
    /// EIO after a part of a write's bytes.
    ShortWrite,
    /// EIO; what the sync covered is lost in part although programs see it, and no later sync writes it.
    SyncFails,
    /// A write is called done and never reaches the medium, whatever is synced later; until a restart programs see it. Other calls are done.
    LostWrite,
    /// A write is called done and lands elsewhere on the medium, in this file or another; until a restart programs see it in its place.
    /// Other calls are done.
    Misdirected,
}

impl Fault {
    pub(super) fn error(self) -> io::Error {
        match self {
            Fault::NoSpace => io::ErrorKind::StorageFull.into(),
            _ => io::Error::other("simulated I/O error"),
        }
    }

    /// Whether nobody is told of it.
    fn is_silent(self) -> bool {
        matches!(self, Fault::LostWrite | Fault::Misdirected)
    }
}

/// What becomes of a changing call.
pub(super) enum Call {
    Done,
    Fails(Fault),
    /// The machine is off now; the change was begun or not.
    Dies {
        begun: bool,
    },
}

pub(super) struct State {
    pub(super) inodes: Vec<Inode>,
    pub(super) names: Names,
    pub(super) ops: u64,
    pub(super) faults: BTreeMap<u64, Fault>,
    pub(super) crash_at: Option<u64>,
    pub(super) free_bytes: u64,
    /// Maps count as not in memory.
    pub(super) unread: bool,
    pub(super) full_at: Option<u64>,
    pub(super) reads: u64,
    pub(super) read_faults: BTreeSet<u64>,
    pub(super) reads_fail_from: Option<u64>,
    pub(super) latency_us_max: u64,
    /// Calls on files wait.
    pub(super) held: bool,
    pub(super) locks: BTreeSet<PathBuf>,
    random: Random,
    off: bool,
}

impl State {
    pub(super) fn new(seed: u64) -> State {
        State {
            inodes: Vec::new(),
            names: Names::default(),
            ops: 0,
            faults: BTreeMap::new(),
            crash_at: None,
            free_bytes: u64::MAX,
            unread: false,
            full_at: None,
            reads: 0,
            read_faults: BTreeSet::new(),
            reads_fail_from: None,
            latency_us_max: 0,
            held: false,
            locks: BTreeSet::new(),
            random: Random::new(seed),
            off: false,
        }
    }

    pub(super) fn off() -> io::Error {
        io::Error::other("the simulated machine is off")
    }

    pub(super) fn alive(&self) -> io::Result<()> {
        if self.off { Err(State::off()) } else { Ok(()) }
    }

    pub(super) fn find(&self, path: &Path) -> io::Result<usize> {
        self.names.find(path)
    }

    /// Counts a read; one that was ordered to fails.
    pub(super) fn read(&mut self) -> io::Result<()> {
        self.alive()?;
        let read = self.reads;
        self.reads += 1;
        let fails = self.read_faults.remove(&read) || self.reads_fail_from.is_some_and(|from| read >= from);
        if fails { Err(Fault::Io.error()) } else { Ok(()) }
    }

    /// How long the next call takes.
    pub(super) fn delay(&mut self) -> Duration {
        match self.latency_us_max {
            0 => Duration::ZERO,
            max => Duration::from_micros(self.random.below(max + 1)),
        }
    }

    /// Counts a changing call and says what becomes of it.
    pub(super) fn call(&mut self) -> io::Result<Call> {
        self.alive()?;
        let op = self.ops;
        self.ops += 1;
        if self.full_at == Some(op) {
            self.free_bytes = 0;
        }
        if self.crash_at.is_some_and(|at| op >= at) {
            self.off = true;
            return Ok(Call::Dies { begun: self.random.chance(50) });
        }
        Ok(self.faults.remove(&op).filter(|fault| !fault.is_silent()).map_or(Call::Done, Call::Fails))
    }

    pub(super) fn names_call(&mut self, op: NameOp) -> io::Result<()> {
        let (happens, answer) = match self.call()? {
            Call::Done => (true, Ok(())),
            Call::Fails(fault) => (false, Err(fault.error())),
            Call::Dies { begun } => (begun, Err(State::off())),
        };
        if happens {
            if matches!(op, NameOp::Set(..)) {
                self.inodes.push(Inode::default());
            }
            self.names.change(op);
        }
        answer
    }

    pub(super) fn write(&mut self, inode: usize, bytes: &[u8], offset: u64) -> io::Result<()> {
        let offset = usize::try_from(offset).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let part = self.random.below(bytes.len() as u64 + 1) as usize;
        let silent = self.faults.get(&self.ops).copied().filter(|fault| fault.is_silent());
        let (written, answer) = match self.call()? {
            Call::Done => self.room_for(inode, bytes.len(), offset),
            Call::Fails(Fault::Io | Fault::SyncFails) => (0, Err(Fault::Io.error())),
            Call::Fails(fault) => (part, Err(fault.error())),
            Call::Dies { begun } => (if begun { bytes.len() } else { part }, Err(State::off())),
        };
        let grown = (offset + written).saturating_sub(self.inodes[inode].visible().len()) as u64;
        match silent {
            _ if written == 0 => {}
            None => self.inodes[inode].write(&bytes[..written], offset),
            Some(fault) => {
                self.inodes[inode].seem_to_write(&bytes[..written], offset);
                if fault == Fault::Misdirected {
                    self.misdirect(inode, &bytes[..written], offset);
                }
            }
        }
        self.take_room(grown);
        answer
    }

    /// A write comes down somewhere else: in its own file, or in any other.
    fn misdirect(&mut self, inode: usize, bytes: &[u8], offset: usize) {
        let victim = if self.random.chance(50) { inode } else { self.random.below(self.inodes.len() as u64) as usize };
        let sectors = (self.inodes[victim].visible().len() / SECTOR_BYTES) as u64 + 1;
        let at = self.random.below(sectors) as usize * SECTOR_BYTES;
        if victim != inode || at != offset {
            self.inodes[victim].be_overwritten(bytes, at);
        }
    }

    /// How much of a write fits.
    fn room_for(&self, inode: usize, len: usize, offset: usize) -> (usize, io::Result<()>) {
        let grown = (offset + len).saturating_sub(self.inodes[inode].visible().len()) as u64;
        match grown.checked_sub(self.free_bytes) {
            None | Some(0) => (len, Ok(())),
            Some(missing) => (len.saturating_sub(missing as usize), Err(Fault::NoSpace.error())),
        }
    }

    fn take_room(&mut self, grown: u64) {
        if self.free_bytes != u64::MAX {
            self.free_bytes = self.free_bytes.saturating_sub(grown);
        }
    }

    pub(super) fn sync(&mut self, inode: usize) -> io::Result<()> {
        match self.call()? {
            Call::Done => self.inodes[inode].sync(),
            Call::Fails(fault) => {
                self.inodes[inode].lose_sync(&mut self.random);
                return Err(fault.error());
            }
            Call::Dies { .. } => return Err(State::off()),
        }
        Ok(())
    }

    pub(super) fn set_len(&mut self, inode: usize, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let (happens, answer) = match self.call()? {
            Call::Done => (true, Ok(())),
            Call::Fails(fault) => (false, Err(fault.error())),
            Call::Dies { begun } => (begun, Err(State::off())),
        };
        if happens {
            let before = self.inodes[inode].visible().len();
            self.free_bytes = self.free_bytes.saturating_add(before.saturating_sub(len) as u64);
            self.inodes[inode].set_len(len);
        }
        answer
    }

    /// A file gets its room wholly or, when it does not fit, not at all.
    pub(super) fn allocate(&mut self, inode: usize, len: u64) -> io::Result<()> {
        let len = usize::try_from(len).map_err(|_| io::ErrorKind::FileTooLarge)?;
        let grown = len.saturating_sub(self.inodes[inode].visible().len()) as u64;
        let (happens, answer) = match self.call()? {
            Call::Done if grown > self.free_bytes => (false, Err(Fault::NoSpace.error())),
            Call::Done => (true, Ok(())),
            Call::Fails(fault) => (false, Err(fault.error())),
            Call::Dies { begun } => (begun, Err(State::off())),
        };
        if happens && grown > 0 {
            self.take_room(grown);
            self.inodes[inode].set_len(len);
        }
        answer
    }

    pub(super) fn reboot(&mut self) -> State {
        let (names, files) = self.names.settled();
        let inodes = files.iter().map(|inode| Inode::at_rest(self.inodes[*inode].settled())).collect();
        State { inodes, names, free_bytes: self.free_bytes, ..State::new(self.random.bits()) }
    }

    pub(super) fn crash(&mut self) -> State {
        self.off = true;
        let (names, files) = self.names.after_crash(&mut self.random);
        let inodes = files.iter().map(|(_, inode)| self.inodes[*inode].after_crash(&mut self.random));
        let inodes = inodes.map(Inode::at_rest).collect();
        State { inodes, names, free_bytes: self.free_bytes, ..State::new(self.random.bits()) }
    }
}
