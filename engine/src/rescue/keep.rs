//! Keeps bytes before they are cut: copies in lost+found/, synced before anything is removed.
use crate::base::{Error, Result};
use crate::disk::{Disk, File};
use std::io::{self, ErrorKind};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Bytes copied at once.
const COPY_BYTES: u64 = 1 << 20;
const DIR: &str = "lost+found";
/// Names tried for one copy.
const NAMES_MAX: u32 = 1000;

/// Copies a range of a file into a new one in lost+found/; what cannot be read comes out as zeros. Its path.
pub(super) fn keep_range(disk: &dyn Disk, path: &Path, range: Range<u64>, stem: &str) -> Result<PathBuf> {
    let shown = disk.full_path(path).display().to_string();
    let kept = disk.create_dir(Path::new(DIR)).and_then(|()| {
        let from = disk.open(path)?;
        let (kept, to) = create(disk, stem)?;
        copy(&*from, range, &*to)?;
        to.sync_data()?;
        disk.sync_dir(Path::new(DIR))?;
        disk.sync_dir(Path::new(""))?;
        Ok(kept)
    });
    kept.map_err(|why| Error::io(format!("keep a copy of {shown} in {DIR}"), why))
}

/// Copies a whole file to lost+found/ and removes it.
pub(super) fn move_aside(disk: &dyn Disk, path: &Path, stem: &str) -> Result<PathBuf> {
    let shown = disk.full_path(path).display().to_string();
    let len = disk.open(path).and_then(|file| file.len()).map_err(|why| Error::io(format!("open {shown}"), why))?;
    let kept = keep_range(disk, path, 0..len, stem)?;
    let removed = disk.remove(path).and_then(|()| disk.sync_dir(path.parent().unwrap_or(Path::new(""))));
    removed.map_err(|why| Error::io(format!("remove {shown}"), why))?;
    Ok(kept)
}

/// `shards/00001/idx-0000000003.phi` as a part of a file's name.
pub(super) fn flat(path: &Path) -> String {
    path.display().to_string().replace('/', "-")
}

fn create(disk: &dyn Disk, stem: &str) -> io::Result<(PathBuf, Arc<dyn File>)> {
    for number in 0..NAMES_MAX {
        let name = if number == 0 { stem.to_owned() } else { format!("{stem}-{number}") };
        let path = Path::new(DIR).join(name);
        match disk.create(&path) {
            Err(why) if why.kind() == ErrorKind::AlreadyExists => {}
            made => return made.map(|file| (path, file)),
        }
    }
    Err(io::Error::new(ErrorKind::AlreadyExists, format!("{stem} in {DIR}")))
}

fn copy(from: &dyn File, range: Range<u64>, to: &dyn File) -> io::Result<()> {
    let end = range.end.min(from.len()?);
    let mut bytes = Vec::new();
    for at in (range.start..end).step_by(COPY_BYTES as usize) {
        bytes.clear();
        bytes.resize(COPY_BYTES.min(end - at) as usize, 0);
        if from.read_exact_at(&mut bytes, at).is_err() {
            bytes.fill(0);
        }
        to.write_at(&bytes, at - range.start)?;
    }
    Ok(())
}
