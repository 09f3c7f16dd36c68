//! The machine's own file system under one root directory. Never touches anything outside that root.
use super::{Disk, File, Lock, Map};
use std::ffi::CString;
use std::fs::{self, OpenOptions, TryLockError};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::FileExt;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

/// A lock can be held for a moment by nobody who works on the directory: by a command that asks whether it is free, and by a child process between its fork and
/// its exec. Whoever has it longer than these tries take is a real owner.
const LOCK_TRIES: u32 = 15;
const LOCK_PAUSE: Duration = Duration::from_millis(20);

/// A directory of the machine as a `Disk`.
#[derive(Clone, Debug)]
pub struct StdDisk {
    root: PathBuf,
}

impl StdDisk {
    /// A disk whose root is `root`; the directory is made (readable by its owner only) if it does not exist.
    pub fn new(root: impl Into<PathBuf>) -> io::Result<StdDisk> {
        use std::os::unix::fs::DirBuilderExt;
        let root = root.into();
        let made: Vec<&Path> =
            root.ancestors().take_while(|dir| !dir.as_os_str().is_empty() && !dir.exists()).collect();
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&root)?;
        // A name is durable once its directory is synced.
        for dir in made {
            let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
            fs::File::open(parent)?.sync_all()?;
        }
        Ok(StdDisk { root })
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

impl Disk for StdDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(self.at(path)?)?;
        Ok(Arc::new(StdFile(file)))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        Ok(Arc::new(StdFile(OpenOptions::new().read(true).write(true).open(self.at(path)?)?)))
    }

    fn map(&self, path: &Path) -> io::Result<Map> {
        Map::of(&fs::File::open(self.at(path)?)?)
    }

    fn map_start(&self, path: &Path, len_bytes: usize) -> io::Result<Map> {
        Map::of_start(&fs::File::open(self.at(path)?)?, len_bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(self.at(from)?, self.at(to)?)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(self.at(path)?)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(self.at(path)?)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.names(path, fs::FileType::is_file)
    }

    fn list_dirs(&self, path: &Path) -> io::Result<Vec<String>> {
        self.names(path, fs::FileType::is_dir)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        fs::File::open(self.at(path)?)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(self.at(path)?)?;
        for _ in 0..LOCK_TRIES {
            match file.try_lock() {
                Ok(()) => return Ok(Box::new(StdLock { _file: file })),
                Err(TryLockError::WouldBlock) => thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(error)) => return Err(error),
            }
        }
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn free_bytes(&self) -> io::Result<u64> {
        let root = CString::new(self.root.as_os_str().as_bytes())?;
        let mut found = std::mem::MaybeUninit::<libc::statvfs>::uninit();
        // SAFETY: the path ends with a zero byte and the result has room for what the call writes.
        if unsafe { libc::statvfs(root.as_ptr(), found.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has succeeded, so it has written the whole of it.
        let found = unsafe { found.assume_init() };
        Ok(found.f_bavail.saturating_mul(found.f_frsize))
    }

    fn full_path(&self, path: &Path) -> PathBuf {
        self.root.join(path)
    }
}

struct StdFile(fs::File);

impl File for StdFile {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn read_exact_at(&self, into: &mut [u8], offset: u64) -> io::Result<()> {
        self.0.read_exact_at(into, offset)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn set_len(&self, len_bytes: u64) -> io::Result<()> {
        self.0.set_len(len_bytes)
    }

    fn allocate(&self, len_bytes: u64) -> io::Result<()> {
        let len = libc::off_t::try_from(len_bytes).map_err(|_| io::ErrorKind::FileTooLarge)?;
        loop {
            // SAFETY: the descriptor is open as long as `self`; the call takes no pointers.
            match unsafe { libc::posix_fallocate(self.0.as_raw_fd(), 0, len) } {
                0 => return Ok(()),
                libc::EINTR => {}
                code => return Err(io::Error::from_raw_os_error(code)),
            }
        }
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }
}

/// The kernel frees the lock with the last handle, so a crash frees it too.
struct StdLock {
    _file: fs::File,
}

impl Lock for StdLock {}
