//! Small notes of other rooms that outlive a restart: counts and caches, no part of the truth. A note is written anew as a whole; one that is damaged is
//! none, and says so in the server's log.
use super::Engine;
use crate::base::bytes::{Put, Reader};
use crate::base::limits::KEPT_BYTES_MAX;
use crate::base::{Error, Result};
use crate::disk::Disk;
use crate::mailflow::Counters;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const DIR: &str = "kept";
const MAGIC: [u8; 8] = *b"PHKEPT01";
/// Magic, length, crc.
const HEAD_BYTES: usize = 16;

/// Which note.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kept {
    /// How much members have sent in the periods that run.
    Rates,
    /// What domains have said by MTA-STS.
    StsPolicies,
    /// What came of TLS with other hosts, for reports.
    TlsCounts,
}

impl Kept {
    fn name(self) -> &'static str {
        match self {
            Kept::Rates => "rates",
            Kept::StsPolicies => "sts-policies",
            Kept::TlsCounts => "tls-counts",
        }
    }

    fn path(self) -> PathBuf {
        Path::new(DIR).join(self.name())
    }
}

/// One writer at a time.
pub(super) struct KeptFiles {
    disk: Arc<dyn Disk>,
    /// What this process has written or found there, as length and crc.
    written: Mutex<HashMap<Kept, (usize, u32)>>,
}

impl KeptFiles {
    pub(super) fn new(disk: Arc<dyn Disk>) -> KeptFiles {
        KeptFiles { disk, written: Mutex::default() }
    }

    fn write(&self, kept: Kept, note: &[u8]) -> Result<()> {
        if note.len() > KEPT_BYTES_MAX {
            return Err(Error::Limit(format!("kept/{}: at most {KEPT_BYTES_MAX} bytes", kept.name())));
        }
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        let mark = (note.len(), crc32fast::hash(note));
        let (path, temporary) = (kept.path(), kept.path().with_extension("tmp"));
        let is_none = || matches!(self.disk.open(&path), Err(why) if why.kind() == ErrorKind::NotFound);
        if written.get(&kept) == Some(&mark) || note.is_empty() && is_none() {
            return Ok(());
        }
        let io = |why| Error::io(format!("write {}", self.disk.full_path(&path).display()), why);
        if written.is_empty() {
            // The directory itself has to outlive a loss of power, too.
            self.disk.create_dir(Path::new(DIR)).and_then(|()| self.disk.sync_dir(Path::new(""))).map_err(io)?;
        }
        match self.disk.remove(&temporary) {
            Err(why) if why.kind() != ErrorKind::NotFound => return Err(io(why)),
            _ => {}
        }
        let mut bytes = Vec::with_capacity(HEAD_BYTES + note.len());
        bytes.put(&MAGIC);
        bytes.put_u32(note.len() as u32);
        bytes.put_u32(mark.1);
        bytes.put(note);
        let file = self.disk.create(&temporary).map_err(io)?;
        file.write_at(&bytes, 0).and_then(|()| file.sync_data()).map_err(io)?;
        self.disk.rename(&temporary, &path).map_err(io)?;
        self.disk.sync_dir(Path::new(DIR)).map_err(io)?;
        written.insert(kept, mark);
        Ok(())
    }

    fn read(&self, kept: Kept) -> Result<Option<Vec<u8>>> {
        let path = kept.path();
        let name = || self.disk.full_path(&path).display().to_string();
        let file = match self.disk.open(&path) {
            Err(why) if why.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|why| Error::io(format!("read {}", name()), why))?,
        };
        let io = |why| Error::io(format!("read {}", name()), why);
        let len = file.len().map_err(io)?;
        if len > (HEAD_BYTES + KEPT_BYTES_MAX) as u64 {
            return Err(Error::corrupt(name(), 0, "it is longer than any that is written"));
        }
        let mut bytes = vec![0; len as usize];
        file.read_exact_at(&mut bytes, 0).map_err(io)?;
        let note = note_in(&bytes).map_err(|what| Error::corrupt(name(), 0, what))?;
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.insert(kept, (note.len(), crc32fast::hash(note)));
        Ok(Some(note.to_vec()))
    }
}

/// The note in a file's bytes.
fn note_in(bytes: &[u8]) -> Result<&[u8], &'static str> {
    let rest = bytes.strip_prefix(&MAGIC).ok_or("it does not begin as it should")?;
    let mut reader = Reader::new(rest);
    let (len, crc) = reader.u32().and_then(|len| Ok((len, reader.u32()?))).map_err(|_| "it ends too early")?;
    let note = &rest[8..];
    if note.len() != len as usize || crc32fast::hash(note) != crc {
        return Err("its checksum does not fit");
    }
    Ok(note)
}

impl Engine {
    /// Writes a note in the place of the one before, durably. Waits for the disk: not for reactor threads.
    ///
    /// # Errors
    /// The disk's; the former note is whole then. `Limit`: more than `KEPT_BYTES_MAX`.
    pub fn keep(&self, kept: Kept, note: &[u8]) -> Result<()> {
        self.kept.write(kept, note)
    }

    /// How much members have sent in the periods that run; what is changed here is kept by `keep_rates`.
    pub fn rates(&self) -> MutexGuard<'_, Counters> {
        // They are whole between any two statements.
        self.rates.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes them outlive a restart. Waits for the disk: not for reactor threads.
    pub fn keep_rates(&self) {
        let note = self.rates().encode(self.clock.now());
        if let Err(why) = self.keep(Kept::Rates, &note) {
            tracing::warn!(%why, "how much members have sent could not be kept for the next start");
        }
    }

    /// The last note that was written; `None` if there is none, or none that can be read, which the log tells. Waits for the disk.
    pub fn kept(&self, kept: Kept) -> Option<Vec<u8>> {
        self.kept.read(kept).unwrap_or_else(|why| {
            tracing::warn!(%why, "a note of before this start cannot be read: what it counted begins anew");
            None
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::sim::SimDisk;

    #[test]
    fn a_note_is_the_old_or_the_new_one_wherever_the_power_fails() {
        let quiet = SimDisk::new(0);
        let write = |disk: &SimDisk, notes: &[&[u8]]| {
            let files = KeptFiles::new(Arc::new(disk.clone()));
            notes.iter().filter(|note| files.write(Kept::Rates, note).is_ok()).count()
        };
        let notes: [&[u8]; 4] = [b"first", b"", b"", &[7; 3000]];
        assert_eq!(write(&quiet, &notes), 4);
        for at in 0..quiet.ops() {
            let sim = SimDisk::new(at);
            sim.crash_at(at);
            let done = write(&sim, &notes);
            let files = KeptFiles::new(Arc::new(sim.crash()));
            let found = files.read(Kept::Rates).unwrap_or_else(|why| panic!("crash at {at}: {why}"));
            let at_least = done.checked_sub(1).map(|last| notes[last].to_vec());
            let next = notes.get(done).map(|next| next.to_vec());
            assert!(found == at_least || found == next, "crash at {at} after {done}: {found:?}");
        }
    }

    #[test]
    fn what_is_damaged_is_told_and_is_no_note() {
        let disk = SimDisk::new(1);
        let files = KeptFiles::new(Arc::new(disk.clone()));
        files.write(Kept::TlsCounts, b"counts").expect("written");
        let path = Kept::TlsCounts.path();
        for at in 0..HEAD_BYTES as u64 + 6 {
            let mut byte = [0];
            let file = disk.open(&path).expect("it is there");
            file.read_exact_at(&mut byte, at).expect("a byte");
            file.write_at(&[byte[0] ^ 1], at).expect("changed");
            assert!(files.read(Kept::TlsCounts).is_err(), "byte {at}");
            file.write_at(&byte, at).expect("changed back");
        }
        assert_eq!(files.read(Kept::TlsCounts).expect("whole"), Some(b"counts".to_vec()));
        disk.open(&path).expect("there").set_len(10).expect("cut");
        assert!(files.read(Kept::TlsCounts).is_err());
        assert!(files.write(Kept::TlsCounts, &vec![0; KEPT_BYTES_MAX + 1]).is_err());
    }
}
