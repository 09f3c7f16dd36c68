//! Makes the last segment fit to grow after a crash: cuts a torn tail, keeping its bytes in lost+found/, and makes the rest durable.
use super::found::{Shard, Unsettled};
use super::recovery::Cut;
use super::tail::Tail;
use crate::base::{Clock, Error, Result};
use crate::disk::File;
use crate::format::segment::SEGMENT_HEADER_BYTES;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// Bytes copied at once.
const COPY_BYTES: u64 = 1 << 20;
/// Names tried for a copy in lost+found/.
const COPY_NAMES_MAX: u32 = 1000;

impl Shard<'_> {
    /// Cuts and syncs. What was read may have come from memory whose sync failed before the restart, and the kernel may believe that it is
    /// on the disk: the bytes that are not proven by a later group are written again, so that this sync is the one that counts.
    pub(super) fn settle(&self, tail: &mut Tail, unsettled: Unsettled, clock: &dyn Clock) -> Result<Option<Cut>> {
        let end = u64::from(tail.len);
        let cut = match unsettled.torn {
            None => None,
            // What is written in front of a growing log, or the new length without the bytes: nothing is lost.
            Some((len, _)) if is_zero(&*tail.file, end..len).map_err(|error| failed("read", tail, error))? => None,
            Some((len, reason)) => {
                let copy = self.keep(tail, end..len, clock)?;
                Some(Cut { file: tail.name.clone(), offset: end, bytes: len - end, reason, copy })
            }
        };
        // The length too may be one that an earlier sync failed to make durable, so it is set even if nothing is cut.
        tail.file.set_len(end).map_err(|error| failed("cut", tail, error))?;
        let settled = rewrite(&*tail.file, 0..SEGMENT_HEADER_BYTES as u64)
            .and_then(|()| rewrite(&*tail.file, unsettled.rewrite))
            .and_then(|()| tail.file.sync_data());
        settled.map_err(|error| failed("sync", tail, error))?;
        Ok(cut)
    }

    /// Copies the torn bytes to lost+found/. None if the disk is full: they were never acknowledged, and a full disk must not keep the
    /// store closed.
    fn keep(&self, tail: &Tail, range: Range<u64>, clock: &dyn Clock) -> Result<Option<PathBuf>> {
        let dir = Path::new("lost+found");
        let kept = self.disk.create_dir(dir).and_then(|()| {
            let (path, copy) = self.create_copy(dir, tail, range.start, clock)?;
            let copied = copy_bytes(&*tail.file, range, &*copy).and_then(|()| copy.sync_data());
            if let Err(error) = copied {
                self.disk.remove(&path)?;
                return Err(error);
            }
            self.disk.sync_dir(dir)?;
            self.disk.sync_dir(Path::new(""))?;
            Ok(path)
        });
        match kept.map_err(|error| failed("keep a copy of the torn end of", tail, error)) {
            Ok(path) => Ok(Some(path)),
            Err(Error::NoSpace) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn create_copy(
        &self,
        dir: &Path,
        tail: &Tail,
        offset: u64,
        clock: &dyn Clock,
    ) -> io::Result<(PathBuf, std::sync::Arc<dyn File>)> {
        let shard = self.options.dir.display().to_string().replace('/', "-");
        let stem = format!("{shard}-seg-{:010}-at-{offset}-{}", tail.header.segment.0, clock.now_ms());
        for number in 0..COPY_NAMES_MAX {
            let path = dir.join(format!("{stem}-{number}.torn"));
            match self.disk.create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|file| (path, file)),
            }
        }
        Err(io::Error::new(io::ErrorKind::AlreadyExists, format!("{stem} in lost+found")))
    }
}

fn failed(what: &str, tail: &Tail, error: io::Error) -> Error {
    Error::io(format!("{what} {}", tail.name), error)
}

fn chunks(file: &dyn File, range: Range<u64>, then: &mut dyn FnMut(u64, &[u8]) -> io::Result<()>) -> io::Result<()> {
    let mut bytes = Vec::new();
    for at in range.clone().step_by(COPY_BYTES as usize) {
        bytes.resize(COPY_BYTES.min(range.end - at) as usize, 0);
        file.read_exact_at(&mut bytes, at)?;
        then(at, &bytes)?;
    }
    Ok(())
}

fn is_zero(file: &dyn File, range: Range<u64>) -> io::Result<bool> {
    let mut zero = true;
    chunks(file, range, &mut |_, bytes| {
        zero = zero && bytes.iter().all(|byte| *byte == 0);
        Ok(())
    })?;
    Ok(zero)
}

fn copy_bytes(file: &dyn File, range: Range<u64>, copy: &dyn File) -> io::Result<()> {
    chunks(file, range.clone(), &mut |at, bytes| copy.write_at(bytes, at - range.start))
}

fn rewrite(file: &dyn File, range: Range<u64>) -> io::Result<()> {
    chunks(file, range, &mut |at, bytes| file.write_at(bytes, at))
}
