//! A read-only view of a whole file that nobody changes any more. Never shows a file that is still written.
use std::io;
use std::ops::{Deref, Range};

/// The bytes of a sealed file: a memory map, or a copy on the simulated disk.
pub struct Map(Bytes);

enum Bytes {
    Mapped(memmap2::Mmap),
    Owned(Vec<u8>),
}

/// Pages asked for in one `mincore` call.
const PAGES: usize = 64;

impl Map {
    /// Maps `file`, which must not change its length or content while the map lives.
    pub(super) fn of(file: &std::fs::File) -> io::Result<Map> {
        if file.metadata()?.len() == 0 {
            return Ok(Map(Bytes::Owned(Vec::new())));
        }
        // SAFETY: the promise of `Disk::map` is that nobody changes the file any more; the data directory's lock keeps other processes of
        // ours away, and a sealed segment is never written or truncated, only unlinked (which keeps the mapped pages).
        let map = unsafe { memmap2::Mmap::map(file)? };
        Ok(Map(Bytes::Mapped(map)))
    }

    /// A view of bytes in memory.
    pub fn owned(bytes: Vec<u8>) -> Map {
        Map(Bytes::Owned(bytes))
    }

    /// Whether reading `range` now would not wait for the disk. A hint: pages may leave memory right after. Out of bounds is false.
    pub fn is_resident(&self, range: Range<usize>) -> bool {
        if range.start > range.end || range.end > self.len() {
            return false;
        }
        match &self.0 {
            Bytes::Owned(_) => true,
            Bytes::Mapped(map) => range.is_empty() || pages_resident(map, range),
        }
    }
}

/// `range` is not empty and within `map`.
fn pages_resident(map: &memmap2::Mmap, range: Range<usize>) -> bool {
    let page = page_bytes();
    let (mut at, end) = (range.start / page * page, range.end);
    while at < end {
        let len = (end - at).min(PAGES * page);
        let mut pages = [0u8; PAGES];
        // SAFETY: `at` is a page boundary of the mapping (which begins at one), `at + len <= map.len()`, and `pages` holds one byte for each
        // of the at most PAGES pages that `len` touches.
        let answer = unsafe { libc::mincore(map.as_ptr().add(at).cast_mut().cast(), len, pages.as_mut_ptr().cast()) };
        if answer != 0 || pages[..len.div_ceil(page)].iter().any(|page| page & 1 == 0) {
            return false;
        }
        at += len;
    }
    true
}

fn page_bytes() -> usize {
    // SAFETY: sysconf only reads a constant of the system.
    let bytes = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(bytes).ok().filter(|bytes| *bytes > 0).unwrap_or(4096)
}

impl Deref for Map {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Bytes::Mapped(map) => map,
            Bytes::Owned(bytes) => bytes,
        }
    }
}
