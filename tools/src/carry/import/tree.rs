//! Directories of a source, which may be anybody's: opened one below the other, so that nothing outside is reached, whatever links somebody
//! puts there meanwhile. Symbolic links are never followed; devices, pipes and sockets are never opened for good.
use crate::limits::IMPORT_NAMES_MAX;
use rustix::fs::{self, AtFlags, FileType, Mode, OFlags};
use std::ffi::OsStr;
use std::fs::File;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// An open directory.
pub(super) struct Dir {
    fd: OwnedFd,
    path: PathBuf,
}

/// What a name in a directory stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    File,
    Directory,
    Link,
    Other,
}

/// The names of a directory as they come.
pub(super) struct Entries<'a> {
    dir: &'a Dir,
    from: fs::Dir,
}

impl Dir {
    /// The directory that the operator named; a link to it is followed.
    pub(super) fn open(path: &Path) -> io::Result<Dir> {
        let fd = fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
        Ok(Dir { fd, path: path.to_path_buf() })
    }

    /// A directory in it.
    pub(super) fn sub(&self, name: &[u8]) -> io::Result<Dir> {
        let fd = self.at(name, OFlags::DIRECTORY)?;
        Ok(Dir { fd, path: self.path.join(OsStr::from_bytes(name)) })
    }

    /// A file in it, to be read.
    pub(super) fn file(&self, name: &[u8]) -> io::Result<File> {
        // A pipe would wait for its writer otherwise.
        let file = File::from(self.at(name, OFlags::NONBLOCK)?);
        match file.metadata()?.is_file() {
            true => Ok(file),
            false => Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a file")),
        }
    }

    /// A file below it; each level is opened for itself.
    pub(super) fn file_below(&self, path: &str) -> io::Result<File> {
        let mut levels: Vec<&str> = path.split('/').collect();
        let Some(name) = levels.pop() else { return Err(io::ErrorKind::InvalidInput.into()) };
        let mut dir: Option<Dir> = None;
        for level in levels {
            dir = Some(dir.as_ref().unwrap_or(self).sub(level.as_bytes())?);
        }
        dir.as_ref().unwrap_or(self).file(name.as_bytes())
    }

    fn at(&self, name: &[u8], more: OFlags) -> io::Result<OwnedFd> {
        if name.is_empty() || name == b"." || name == b".." || name.contains(&b'/') || name.contains(&0) {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "is not a name in a directory"));
        }
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::CLOEXEC | more;
        fs::openat(&self.fd, OsStr::from_bytes(name), flags, Mode::empty()).map_err(|error| match error {
            rustix::io::Errno::LOOP => io::Error::new(io::ErrorKind::InvalidInput, LINK),
            error => error.into(),
        })
    }

    /// The path of a name in it, for people.
    pub(super) fn shown(&self, name: &[u8]) -> String {
        self.path.join(OsStr::from_bytes(name)).display().to_string()
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn entries(&self) -> io::Result<Entries<'_>> {
        Ok(Entries { dir: self, from: fs::Dir::read_from(&self.fd)? })
    }

    /// Calls `each` for every name, in the order of `key` and then of names; of a huge directory in runs of `IMPORT_NAMES_MAX`, each in order.
    pub(super) fn sorted<E: From<io::Error>>(
        &self,
        key: impl Fn(&[u8]) -> u64,
        mut each: impl FnMut(&[u8], What) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut entries = self.entries()?;
        loop {
            let mut run: Vec<(u64, Box<[u8]>, What)> = Vec::new();
            while run.len() < IMPORT_NAMES_MAX {
                let Some((name, what)) = entries.next()? else { break };
                run.push((key(&name), name.into(), what));
            }
            if run.is_empty() {
                return Ok(());
            }
            run.sort_unstable_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
            run.iter().try_for_each(|(_, name, what)| each(name, *what))?;
        }
    }
}

/// Why a link is passed over.
pub(super) const LINK: &str = "is a symbolic link, which is not followed";

impl Entries<'_> {
    /// The next name but `.` and `..`.
    pub(super) fn next(&mut self) -> io::Result<Option<(Vec<u8>, What)>> {
        loop {
            let Some(entry) = self.from.read() else { return Ok(None) };
            let entry = entry?;
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => {
                    let about = fs::statat(&self.dir.fd, OsStr::from_bytes(name), AtFlags::SYMLINK_NOFOLLOW)?;
                    FileType::from_raw_mode(about.st_mode)
                }
                known => known,
            };
            let what = match kind {
                FileType::RegularFile => What::File,
                FileType::Directory => What::Directory,
                FileType::Symlink => What::Link,
                _ => What::Other,
            };
            return Ok(Some((name.to_vec(), what)));
        }
    }
}
