//! A directory of the machine that is only looked at: nothing can be written through it, and nothing is made that is not there.
use super::{Disk, File, Lock, Map};
use std::fs;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Bytes read at once to see whether a file can be read.
const PROBE_BYTES: usize = 1 << 20;

/// A directory as a `Disk` that refuses every change. Reading a live store through it is safe: sealed segments and index parts never change,
/// and the growing segment is read by position.
#[derive(Clone, Debug)]
pub struct ReadOnlyDisk {
    root: PathBuf,
}

fn refused() -> io::Error {
    io::Error::new(io::ErrorKind::ReadOnlyFilesystem, "the directory is open for reading only")
}

impl ReadOnlyDisk {
    /// A view of `root`.
    ///
    /// # Errors
    /// When there is no such directory.
    pub fn new(root: impl Into<PathBuf>) -> io::Result<ReadOnlyDisk> {
        let root = root.into();
        fs::read_dir(&root)?;
        Ok(ReadOnlyDisk { root })
    }

    fn at(&self, path: &Path) -> io::Result<PathBuf> {
        if path.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir)) {
            return Ok(self.root.join(path));
        }
        Err(io::Error::new(io::ErrorKind::InvalidInput, format!("{}: a path below the root expected", path.display())))
    }

    fn names(&self, path: &Path, wanted: fn(&fs::FileType) -> bool) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(self.at(path)?)? {
            let entry = entry?;
            if wanted(&entry.file_type()?)
                && let Ok(name) = entry.file_name().into_string()
            {
                names.push(name);
            }
        }
        names.sort();
        Ok(names)
    }
}

impl Disk for ReadOnlyDisk {
    fn create(&self, _path: &Path) -> io::Result<Arc<dyn File>> {
        Err(refused())
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(ReadOnlyFile(fs::File::open(self.at(path)?)?)))
    }

    /// Read once from end to end first: a bad sector is an error here, where touching it in a map would end the process.
    fn map(&self, path: &Path) -> io::Result<Map> {
        let file = fs::File::open(self.at(path)?)?;
        let (mut bytes, mut at) = (vec![0; PROBE_BYTES], 0);
        loop {
            match file.read_at(&mut bytes, at)? {
                0 => return Map::of(&file),
                got => at += got as u64,
            }
        }
    }

    /// Nobody writes here: the whole file is proven to be readable.
    fn map_start(&self, path: &Path, len_bytes: usize) -> io::Result<Map> {
        self.map(path)?;
        Map::of_start(&fs::File::open(self.at(path)?)?, len_bytes)
    }

    fn rename(&self, _from: &Path, _to: &Path) -> io::Result<()> {
        Err(refused())
    }

    fn remove(&self, _path: &Path) -> io::Result<()> {
        Err(refused())
    }

    fn create_dir(&self, _path: &Path) -> io::Result<()> {
        Err(refused())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.names(path, fs::FileType::is_file)
    }

    fn list_dirs(&self, path: &Path) -> io::Result<Vec<String>> {
        self.names(path, fs::FileType::is_dir)
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        Err(refused())
    }

    fn lock(&self, _path: &Path) -> io::Result<Box<dyn Lock>> {
        Err(refused())
    }

    fn full_path(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }
}

struct ReadOnlyFile(fs::File);

impl File for ReadOnlyFile {
    fn write_at(&self, _bytes: &[u8], _offset: u64) -> io::Result<()> {
        Err(refused())
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(into, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        Err(refused())
    }

    fn set_len(&self, _len_bytes: u64) -> io::Result<()> {
        Err(refused())
    }

    fn allocate(&self, _len_bytes: u64) -> io::Result<()> {
        Err(refused())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}
