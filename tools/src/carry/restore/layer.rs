//! A backup as a disk that a store can be opened from: its files are read where they lie and never changed; what is written goes to a
//! directory of its own, a file that changes being copied there first.
use super::Found;
use crate::carry::backup::copy;
use posthouse_engine::disk::{Disk, File, Lock, Map, ReadOnlyDisk, StdDisk};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

/// The backup below, what is written above.
pub(super) struct Layer(Arc<Inner>);

struct Inner {
    below: ReadOnlyDisk,
    above: StdDisk,
    root: PathBuf,
    /// Path in the store -> path in the backup; gone: removed here, or copied above.
    names: Mutex<BTreeMap<PathBuf, (PathBuf, u64)>>,
    /// Nothing is made any more.
    closed: OnceLock<()>,
}

impl Layer {
    /// `above` is an empty directory.
    pub(super) fn new(found: &Found, above: &Path) -> io::Result<Layer> {
        let file = |file: &crate::carry::backup::list::File| {
            (Path::new(&file.dir).join(&file.name), (PathBuf::from(&file.at), file.bytes))
        };
        Ok(Layer(Arc::new(Inner {
            below: ReadOnlyDisk::new(&found.root)?,
            above: StdDisk::new(above)?,
            root: found.root.clone(),
            names: Mutex::new(found.backup.files().map(file).collect()),
            closed: OnceLock::new(),
        })))
    }

    /// From now on nothing is made: closing a store would write a checkpoint that nobody needs.
    pub(super) fn close(&self) -> impl FnOnce() + use<> {
        let inner = self.0.clone();
        move || {
            let _ = inner.closed.set(());
        }
    }
}

impl Inner {
    fn names(&self) -> MutexGuard<'_, BTreeMap<PathBuf, (PathBuf, u64)>> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lies_below(&self, path: &Path) -> Option<PathBuf> {
        self.names().get(path).map(|(at, _)| at.clone())
    }

    /// Copies a file above, so that it can be changed.
    fn lift(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let below = self.names().get(path).cloned();
        if let Some((at, bytes)) = below {
            if let Some(dir) = path.parent() {
                self.above.create_dir(dir)?;
            }
            copy(&self.root.join(at), &self.above.full_path(path), bytes)?;
            self.names().remove(path);
        }
        self.above.open(path)
    }
}

impl Disk for Layer {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        if self.0.closed.get().is_some() {
            return Err(io::ErrorKind::ReadOnlyFilesystem.into());
        }
        match self.0.lies_below(path) {
            Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
            None => self.0.above.create(path),
        }
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        match self.0.lies_below(path) {
            Some(at) => Ok(Arc::new(Lifted {
                inner: self.0.clone(),
                path: path.to_path_buf(),
                below: self.0.below.open(&at)?,
                above: OnceLock::new(),
            })),
            None => self.0.above.open(path),
        }
    }

    fn map(&self, path: &Path) -> io::Result<Map> {
        match self.0.lies_below(path) {
            Some(at) => self.0.below.map(&at),
            None => self.0.above.map(path),
        }
    }

    fn map_start(&self, path: &Path, len_bytes: usize) -> io::Result<Map> {
        match self.0.lies_below(path) {
            Some(at) => self.0.below.map_start(&at, len_bytes),
            None => self.0.above.map_start(path, len_bytes),
        }
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.0.lift(from)?;
        self.0.names().remove(to);
        self.0.above.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        match self.0.names().remove(path) {
            Some(_) => Ok(()),
            None => self.0.above.remove(path),
        }
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.0.above.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = match self.0.above.list(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            listed => listed?,
        };
        let below = self.0.names();
        let in_it = below.keys().filter(|name| name.parent() == Some(path));
        names.extend(in_it.filter_map(|name| name.file_name()?.to_str().map(str::to_owned)));
        names.sort();
        Ok(names)
    }

    fn list_dirs(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = match self.0.above.list_dirs(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            listed => listed?,
        };
        let below = self.0.names();
        let dirs = below.keys().filter_map(|name| name.parent().filter(|dir| dir.parent() == Some(path)));
        names.extend(dirs.filter_map(|dir| dir.file_name()?.to_str().map(str::to_owned)));
        names.sort();
        names.dedup();
        Ok(names)
    }

    fn sync_dir(&self, _path: &Path) -> io::Result<()> {
        // What is written here need not outlive this process.
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.0.above.lock(path)
    }

    fn full_path(&self, path: &Path) -> PathBuf {
        match self.0.lies_below(path) {
            Some(at) => self.0.below.full_path(&at),
            None => self.0.above.full_path(path),
        }
    }
}

/// A file of the backup until it is changed.
struct Lifted {
    inner: Arc<Inner>,
    path: PathBuf,
    below: Arc<dyn File>,
    above: OnceLock<Arc<dyn File>>,
}

impl Lifted {
    fn now(&self) -> &dyn File {
        &**self.above.get().unwrap_or(&self.below)
    }

    fn lifted(&self) -> io::Result<&dyn File> {
        if self.above.get().is_none() {
            let _ = self.above.set(self.inner.lift(&self.path)?);
        }
        Ok(self.now())
    }
}

impl File for Lifted {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.lifted()?.write_at(bytes, offset)
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.now().read_exact_at(into, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.lifted()?.sync_data()
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.lifted()?.set_len(len_bytes)
    }

    fn allocate(&self, len_bytes: u64) -> io::Result<()> {
        self.lifted()?.allocate(len_bytes)
    }

    fn len(&self) -> io::Result<u64> {
        self.now().len()
    }
}
