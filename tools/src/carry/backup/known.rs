//! Whether a file of the pool still is the sealed segment that a store has. A segment never changes, but a repair puts another in its place, and
//! bytes of the pool may change at rest: so what shows both is asked each time, and every byte of a share of the files. Changes nothing.
use super::list::{Backup, File};
use super::pool::hash;
use posthouse_engine::format::segment::{SEGMENT_HEADER_BYTES, TRAILER_BYTES};
use std::fs::File as Handle;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;

/// One in so many backups reads a file that it shares, at least.
const ROUNDS: u64 = 8;
/// Bytes that each backup reads, however few they are of all.
const PROVE_BYTES_MIN: u64 = 4 << 30;
/// Bytes compared at once.
const STEP_BYTES: u64 = 1 << 20;

/// Whether the pool's file is this sealed segment: the same length, header and footer with the hash of all frames, and, if the store's was
/// written or moved since `since` (seconds since 1970-01-01 UTC), the same bytes.
pub(super) fn is_same(root: &Path, known: &File, source: &Path, since: i64) -> io::Result<bool> {
    let ours = Handle::open(source)?;
    let Ok(held) = Handle::open(root.join(&known.at)) else { return Ok(false) };
    let about = ours.metadata()?;
    if about.len() != known.bytes || held.metadata()?.len() != known.bytes {
        return Ok(false);
    }
    let front = 0..known.bytes.min(SEGMENT_HEADER_BYTES as u64);
    if !equal(&ours, &held, front)? || !equal(&ours, &held, footer(&ours, known.bytes)?)? {
        return Ok(false);
    }
    Ok(about.mtime().max(about.ctime()) < since || hash(source, known.bytes)? == known.sha256)
}

/// From the footer's frame to the file's end; the trailer says where it begins.
fn footer(file: &Handle, bytes: u64) -> io::Result<Range<u64>> {
    let mut start = [0; 4];
    let trailer = bytes.saturating_sub(TRAILER_BYTES as u64);
    file.read_exact_at(&mut start, trailer)?;
    Ok(u64::from(u32::from_le_bytes(start)).min(trailer)..bytes)
}

/// A pool's file that cannot be read is not equal to any.
fn equal(ours: &Handle, held: &Handle, range: Range<u64>) -> io::Result<bool> {
    let mut at = range.start;
    while at < range.end {
        let len = STEP_BYTES.min(range.end - at) as usize;
        let (mut one, mut other) = (vec![0; len], vec![0; len]);
        ours.read_exact_at(&mut one, at)?;
        if held.read_exact_at(&mut other, at).is_err() || one != other {
            return Ok(false);
        }
        at += len as u64;
    }
    Ok(true)
}

/// Which of the bytes of a backup are read again although an earlier one has them.
#[derive(Debug)]
pub(super) struct Share {
    start: u64,
    bytes: u64,
    total: u64,
}

impl Share {
    /// That of the backup with this number; with `all` everything.
    pub(super) fn new(number: u64, total: u64, all: bool) -> Share {
        let bytes = if all { total } else { total.div_ceil(ROUNDS).max(PROVE_BYTES_MIN).min(total) };
        let start = number.wrapping_mul(bytes).checked_rem(total).unwrap_or(0);
        Share { start, bytes, total }
    }

    /// Whether it reaches into a file that stands at these bytes of the backup.
    pub(super) fn holds(&self, file: Range<u64>) -> bool {
        let end = self.start + self.bytes;
        let meets = |from: u64, to: u64| file.start < to && from < file.end;
        self.bytes >= self.total || meets(self.start, end) || meets(0, end.saturating_sub(self.total))
    }
}

/// Whether a backup is of another store than the one in `data`: not one segment that both have begins alike.
pub(super) fn is_of_another(root: &Path, data: &Path, backup: &Backup) -> bool {
    let front = |path: &Path| -> io::Result<[u8; SEGMENT_HEADER_BYTES]> {
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        Handle::open(path)?.read_exact_at(&mut bytes, 0).map(|()| bytes)
    };
    let mut compared = false;
    for file in backup.shards.iter().flat_map(|shard| &shard.files) {
        let both = (front(&root.join(&file.at)), front(&data.join(&file.dir).join(&file.name)));
        let (Ok(held), Ok(ours)) = both else { continue };
        if held == ours {
            return false;
        }
        compared = true;
    }
    compared
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_byte_is_read_again_within_a_few_backups() {
        for total in [1, 1000, PROVE_BYTES_MIN, PROVE_BYTES_MIN * 3 + 1, PROVE_BYTES_MIN * 100] {
            for first in [1, 7, 1_000_003] {
                for at in [0, 1, total / 3, total / 2, total - 1] {
                    let read = |number| Share::new(number, total, false).holds(at..at + 1);
                    assert!((first..=first + ROUNDS).any(read), "byte {at} of {total}");
                }
            }
        }
        assert!(!Share::new(1, PROVE_BYTES_MIN * 100, false).holds(0..1));
        assert!(Share::new(1, PROVE_BYTES_MIN * 100, true).holds(0..1));
    }
}
