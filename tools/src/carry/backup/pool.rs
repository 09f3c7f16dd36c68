//! The directory of all backups of a store: a pool of files that never change once they have their name, and a list for each backup. A file is
//! proven after it was written, and everything is on the medium before a list names it.
use super::list::{self, Backup, File};
use crate::carry::sha::Sha;
use crate::ops::{Failure, Kind};
use std::collections::HashSet;
use std::fs::{self, DirBuilder, File as Handle, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Says what the directory is.
const MARK: &str = "POSTHOUSE-BACKUPS";
const MARK_TEXT: &str = "posthouse backups\nformat 1\n";
/// Held while somebody writes.
const LOCK: &str = "LOCK";
/// The pool.
const FILES: &str = "files";
/// A file that has no name yet.
const UNFINISHED: &str = "unfinished";
/// The ending of lists.
const LIST: &str = ".json";
/// Bytes copied at once.
const COPY_BYTES: usize = 1 << 20;

/// The directory, locked.
pub(super) struct Pool {
    root: PathBuf,
    _lock: Handle,
}

/// How a file came into the pool.
pub(super) enum Taken {
    Linked,
    Copied,
}

/// The backups in a directory.
pub struct Backups {
    /// Oldest first, with their names.
    pub whole: Vec<(String, Backup)>,
    /// What is wrong with each of the others.
    pub broken: Vec<String>,
}

/// Reads all lists; changes nothing.
///
/// # Errors
/// The directory holds no backups.
pub fn backups(root: &Path) -> Result<Backups, Failure> {
    let failed = |error: io::Error| Failure::io(root.display(), &error);
    if !root.join(MARK).is_file() {
        return Err(Failure::not_found(format_args!("a directory of backups at {}", root.display())));
    }
    let mut found = Backups { whole: Vec::new(), broken: Vec::new() };
    for entry in fs::read_dir(root).map_err(failed)? {
        let Ok(file) = entry.map_err(failed)?.file_name().into_string() else { continue };
        let Some(name) = file.strip_suffix(LIST) else { continue };
        let read = || -> Result<Backup, String> {
            let mut bytes = Vec::new();
            let open = Handle::open(root.join(&file)).map_err(|error| error.to_string())?;
            open.take(list::BYTES_MAX).read_to_end(&mut bytes).map_err(|error| error.to_string())?;
            Backup::decode(&bytes)
        };
        match read() {
            Ok(backup) => found.whole.push((name.to_owned(), backup)),
            Err(why) => found.broken.push(format!("{}: passed over: {why}", root.join(&file).display())),
        }
    }
    found.whole.sort_by_key(|(_, backup)| backup.number);
    Ok(found)
}

impl Pool {
    /// Makes the directory if it is not there; one that holds something else is refused.
    pub(super) fn open(root: &Path) -> Result<Pool, Failure> {
        let failed = |error: io::Error| Failure::io(root.display(), &error);
        make(root).map_err(failed)?;
        let names = fs::read_dir(root).map_err(failed)?.map(|entry| entry.map(|entry| entry.file_name()));
        let names: Vec<_> = names.collect::<io::Result<_>>().map_err(failed)?;
        // A crash of the first backup leaves these; what lies in a pool without a list is nobody's.
        let ours = |name: &std::ffi::OsString| {
            name == LOCK || name == UNFINISHED || (name == FILES && is_empty(&root.join(name)))
        };
        if !root.join(MARK).is_file() && !names.iter().all(ours) {
            let text =
                format!("{} holds something else than backups; give an empty or a new directory", root.display());
            return Err(Failure::new(Kind::Exists, text));
        }
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(root.join(LOCK));
        let lock = lock.map_err(failed)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let text = format!("another backup into {} is under way", root.display());
                return Err(Failure::new(Kind::TryAgain, text));
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let pool = Pool { root: root.to_path_buf(), _lock: lock };
        pool.begin().map_err(failed)?;
        Ok(pool)
    }

    fn begin(&self) -> io::Result<()> {
        if !self.root.join(MARK).is_file() {
            self.write(&self.root.join(UNFINISHED), MARK_TEXT.as_bytes())?;
            fs::rename(self.root.join(UNFINISHED), self.root.join(MARK))?;
            self.sync(&self.root)?;
        }
        // After the mark: whatever the pool holds, it is known to be one.
        DirBuilder::new().recursive(true).mode(0o700).create(self.root.join(FILES))?;
        self.sync(&self.root)
    }

    /// What lies here already.
    pub(super) fn backups(&self) -> Result<super::pool::Backups, Failure> {
        backups(&self.root)
    }

    /// A new file, durable.
    fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        forget(path)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(bytes)?;
        file.sync_all()
    }

    fn sync(&self, dir: &Path) -> io::Result<()> {
        Handle::open(dir)?.sync_all()
    }

    /// Where it lies.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// The first `bytes` of a file into the pool, as a link where that can be.
    pub(super) fn take(
        &self,
        source: &Path,
        dir: &str,
        name: &str,
        bytes: u64,
        may_link: bool,
    ) -> io::Result<(File, Taken)> {
        let folder = self.root.join(FILES).join(dir.replace('/', "-"));
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let unfinished = folder.join(UNFINISHED);
        forget(&unfinished)?;
        let linked = may_link && fs::hard_link(source, &unfinished).is_ok();
        let sha256 = if linked { None } else { Some(copy(source, &unfinished, bytes)?) };
        let written = hash(&unfinished, bytes)?;
        if sha256.as_ref().is_some_and(|sha256| *sha256 != written) {
            let text = format!("{}: what was written differs from what was read", unfinished.display());
            return Err(io::Error::other(text));
        }
        let (stem, ending) =
            name.rsplit_once('.').map_or((name, String::new()), |(stem, end)| (stem, format!(".{end}")));
        let own = format!("{stem}-{bytes}-{}{ending}", &written[..16]);
        fs::rename(&unfinished, folder.join(&own))?;
        // Renaming one name of a file to another of its names does nothing, says POSIX; then the first is still there.
        forget(&unfinished)?;
        self.sync(&folder)?;
        let at = Path::new(FILES).join(dir.replace('/', "-")).join(own).to_string_lossy().into_owned();
        let file = File { dir: dir.to_owned(), name: name.to_owned(), bytes, sha256: written, at };
        Ok((file, if linked { Taken::Linked } else { Taken::Copied }))
    }

    /// Gives a backup its name: from now on it is there. All its files are on the medium already.
    pub(super) fn publish(&self, backup: &Backup) -> Result<String, Failure> {
        let failed = |error: io::Error| Failure::io(self.root.display(), &error);
        let bytes = backup.encode().map_err(|error| failed(error.into()))?;
        // What was just written is read once more as a restore would read it.
        Backup::decode(&bytes).map_err(|why| Failure::new(Kind::Failed, why))?;
        self.sync(&self.root.join(FILES)).map_err(failed)?;
        let unfinished = self.root.join(UNFINISHED);
        self.write(&unfinished, &bytes).map_err(failed)?;
        let stem = backup.made.replace(':', "-");
        let mut name = stem.clone();
        for number in 2.. {
            if !self.root.join(format!("{name}{LIST}")).exists() {
                break;
            }
            name = format!("{stem}-{number}");
        }
        fs::rename(&unfinished, self.root.join(format!("{name}{LIST}"))).map_err(failed)?;
        self.sync(&self.root).map_err(failed)?;
        Ok(name)
    }

    /// Removes all but the newest `keep` backups, and then every file of the pool that no list names. While a list cannot be read, no file
    /// is removed: it might be that list's.
    pub(super) fn prune(&self, keep: usize) -> Result<u64, Failure> {
        let failed = |error: io::Error| Failure::io(self.root.display(), &error);
        let Backups { mut whole, broken } = self.backups()?;
        let old = whole.len().saturating_sub(keep);
        for (name, _) in whole.drain(..old) {
            fs::remove_file(self.root.join(format!("{name}{LIST}"))).map_err(failed)?;
        }
        self.sync(&self.root).map_err(failed)?;
        if broken.is_empty() {
            let needed: HashSet<PathBuf> =
                whole.iter().flat_map(|(_, backup)| backup.files()).map(|file| self.root.join(&file.at)).collect();
            self.sweep(&needed).map_err(failed)?;
        }
        Ok(old as u64)
    }

    /// Only files whose names this module makes.
    fn sweep(&self, needed: &HashSet<PathBuf>) -> io::Result<()> {
        for folder in fs::read_dir(self.root.join(FILES))? {
            let folder = folder?;
            if !folder.file_type()?.is_dir() {
                continue;
            }
            for file in fs::read_dir(folder.path())? {
                let path = file?.path();
                let name = path.file_name().unwrap_or_default().to_string_lossy();
                let ours = name.starts_with("seg-") || name.starts_with("STORE-") || name == UNFINISHED;
                if ours && !needed.contains(&path) {
                    fs::remove_file(&path)?;
                }
            }
        }
        Ok(())
    }
}

/// Makes a directory and those above it that are missing, each durable.
fn make(dir: &Path) -> io::Result<()> {
    let absolute = std::path::absolute(dir)?;
    let missing: Vec<&Path> = absolute.ancestors().take_while(|dir| !dir.exists()).collect();
    for dir in missing.into_iter().rev() {
        DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
        if let Some(parent) = dir.parent() {
            Handle::open(parent)?.sync_all()?;
        }
    }
    Ok(())
}

fn is_empty(dir: &Path) -> bool {
    fs::read_dir(dir).is_ok_and(|mut names| names.next().is_none())
}

fn forget(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Copies and syncs; the hash of what was read.
pub(crate) fn copy(from: &Path, to: &Path, bytes: u64) -> io::Result<String> {
    let (mut source, mut left) = (Handle::open(from)?, bytes);
    let mut target = OpenOptions::new().write(true).create_new(true).mode(0o600).open(to)?;
    let (mut sha, mut chunk) = (Sha::default(), vec![0; COPY_BYTES]);
    while left > 0 {
        let step = left.min(COPY_BYTES as u64) as usize;
        source.read_exact(&mut chunk[..step])?;
        sha.add(&chunk[..step]);
        target.write_all(&chunk[..step])?;
        left -= step as u64;
    }
    target.sync_all()?;
    // Read back from the medium and not from memory, where the kernel is willing.
    let _ = rustix::fs::fadvise(&target, 0, None, rustix::fs::Advice::DontNeed);
    Ok(sha.hex())
}

/// The hash of a file that has exactly so many bytes.
pub(crate) fn hash(path: &Path, bytes: u64) -> io::Result<String> {
    let mut file = Handle::open(path)?;
    let found = file.metadata()?.len();
    if found != bytes {
        let text = format!("{}: {bytes} bytes expected, {found} found", path.display());
        return Err(io::Error::new(io::ErrorKind::InvalidData, text));
    }
    let (mut sha, mut chunk) = (Sha::default(), vec![0; COPY_BYTES]);
    loop {
        match file.read(&mut chunk)? {
            0 => return Ok(sha.hex()),
            got => sha.add(&chunk[..got]),
        }
    }
}

/// Whether a backup's file is what its list says.
pub fn prove(root: &Path, file: &File) -> Result<(), String> {
    match hash(&root.join(&file.at), file.bytes) {
        Ok(found) if found == file.sha256 => Ok(()),
        Ok(_) => {
            Err(format!("{}: SHA-256 differs from the list's: the file has changed", root.join(&file.at).display()))
        }
        Err(error) => Err(format!("{}: {error}", root.join(&file.at).display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::carry::sha;

    #[test]
    fn hashes_of_files_are_those_of_bytes() {
        let dir = tempfile::tempdir().expect("a directory");
        let (from, to) = (dir.path().join("from"), dir.path().join("to"));
        let bytes: Vec<u8> = (0..3_000_000u32).map(|at| at as u8).collect();
        fs::write(&from, &bytes).expect("written");
        let part = 2_500_001;
        assert_eq!(copy(&from, &to, part).expect("copied"), sha::of(&bytes[..part as usize]));
        assert_eq!(hash(&to, part).expect("read"), sha::of(&bytes[..part as usize]));
        assert!(hash(&to, part + 1).is_err() && copy(&from, &dir.path().join("more"), 3_000_001).is_err());
    }
}
