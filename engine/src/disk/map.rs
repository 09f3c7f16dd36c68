//! A read-only view of a file, or of its first part, that nobody changes any more. Never shows bytes that may still be written.
use std::io;
use std::ops::{Deref, Range};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

/// The bytes of a file: a memory map, or a copy on the simulated disk.
pub struct Map(Bytes);

enum Bytes {
    /// With the moment at which each block was found in memory last.
    Mapped(memmap2::Mmap, Box<[AtomicU32]>),
    Owned(Vec<u8>),
    /// With which blocks have been brought.
    Unread(Vec<u8>, Box<[AtomicBool]>),
}

/// Pages asked for in one `mincore` call.
const PAGES: usize = 64;
/// Bytes that one `mincore` call answers for: it takes as long as reading a summary does.
const BLOCK_BYTES: usize = 64 << 10;
/// Bytes of a block of what is unread.
const UNREAD_BYTES: usize = 4096;
/// How long its answer is believed, in milliseconds.
const BELIEVED_MS: u32 = 2000;

impl Map {
    /// Maps `file`, which must not change its length or content while the map lives.
    pub(super) fn of(file: &std::fs::File) -> io::Result<Map> {
        if file.metadata()?.len() == 0 {
            return Ok(Map(Bytes::Owned(Vec::new())));
        }
        // SAFETY: the promise of `Disk::map` is that nobody changes the file any more; the data directory's lock keeps other processes of
        // ours away, and a sealed segment is never written or truncated, only unlinked (which keeps the mapped pages).
        let map = unsafe { memmap2::Mmap::map(file)? };
        Ok(Map::with_blocks(map))
    }

    fn with_blocks(map: memmap2::Mmap) -> Map {
        let blocks = (0..map.len().div_ceil(BLOCK_BYTES)).map(|_| AtomicU32::new(0)).collect();
        Map(Bytes::Mapped(map, blocks))
    }

    /// Maps the first `len` bytes of `file`, which must not change, nor the file become shorter than that, while the map lives.
    pub(super) fn of_start(file: &std::fs::File, len: usize) -> io::Result<Map> {
        if file.metadata()?.len() < len as u64 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if len == 0 {
            return Ok(Map(Bytes::Owned(Vec::new())));
        }
        // SAFETY: the promise of `Disk::map_start` is that nobody changes these bytes or shortens the file below them: the writer of a
        // growing segment writes behind its durable end only, and cuts there at most. The data directory's lock keeps other processes away.
        let map = unsafe { memmap2::MmapOptions::new().len(len).map(file)? };
        Ok(Map::with_blocks(map))
    }

    /// A view of bytes in memory.
    pub fn owned(bytes: Vec<u8>) -> Map {
        Map(Bytes::Owned(bytes))
    }

    /// The same, as if a disk would have to be waited for until they have been brought: how the simulated disk has files that nobody has read.
    pub fn unread(bytes: Vec<u8>) -> Map {
        let blocks = (0..bytes.len().div_ceil(UNREAD_BYTES)).map(|_| AtomicBool::new(false)).collect();
        Map(Bytes::Unread(bytes, blocks))
    }

    /// Whether reading `range` now would not wait for the disk: it is in memory, or was two seconds ago. A hint: pages may leave memory right
    /// after. Out of bounds is false.
    pub fn is_resident(&self, range: Range<usize>) -> bool {
        if range.start > range.end || range.end > self.len() {
            return false;
        }
        match &self.0 {
            Bytes::Owned(_) => true,
            Bytes::Unread(_, brought) => {
                unread_blocks(brought, &range).iter().all(|block| block.load(Ordering::Relaxed))
            }
            Bytes::Mapped(map, seen) => {
                range.is_empty() || blocks_resident(map, seen, &range) || pages_resident(map, range)
            }
        }
    }

    /// Brings `range` into memory: where the disk cannot give it that is an error, and to touch it would be the end of the process. Kernels
    /// before Linux 5.14 cannot do it; there it does nothing.
    ///
    /// # Errors
    /// The disk's; `UnexpectedEof` out of bounds.
    pub fn bring(&self, range: Range<usize>) -> io::Result<()> {
        if range.start > range.end || range.end > self.len() {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Bytes::Unread(_, brought) = &self.0 {
            unread_blocks(brought, &range).iter().for_each(|block| block.store(true, Ordering::Relaxed));
        }
        let Bytes::Mapped(map, _) = &self.0 else { return Ok(()) };
        if range.is_empty() {
            return Ok(());
        }
        let start = range.start / page_bytes() * page_bytes();
        // SAFETY: `start` is a page boundary of the mapping, which begins at one, and `range` ends within it. The call reads pages, as touching
        // them would, and changes nothing.
        let answer = unsafe {
            libc::madvise(map.as_ptr().add(start).cast_mut().cast(), range.end - start, libc::MADV_POPULATE_READ)
        };
        match if answer == 0 { None } else { io::Error::last_os_error().raw_os_error() } {
            None | Some(libc::EINVAL | libc::ENOSYS) => Ok(()),
            // Both stand for a signal that touching would have given.
            Some(libc::EFAULT | libc::EHWPOISON) => Err(io::Error::from_raw_os_error(libc::EIO)),
            Some(other) => Err(io::Error::from_raw_os_error(other)),
        }
    }
}

/// The blocks that `range` touches, which is within the map.
fn unread_blocks<'a>(blocks: &'a [AtomicBool], range: &Range<usize>) -> &'a [AtomicBool] {
    let end = if range.is_empty() { range.start / UNREAD_BYTES } else { range.end.div_ceil(UNREAD_BYTES) };
    blocks.get(range.start / UNREAD_BYTES..end).unwrap_or_default()
}

/// Milliseconds by the kernel's coarse clock, which costs a fifth of the exact one; they turn over, and are never zero.
fn now_ms() -> u32 {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one timespec, which `now` is. Without such a clock it stays as it is, and what is found in memory once counts
    // as being there.
    unsafe { libc::clock_gettime(libc::CLOCK_MONOTONIC_COARSE, &raw mut now) };
    ((now.tv_sec as u64).wrapping_mul(1000).wrapping_add(now.tv_nsec as u64 / 1_000_000) as u32).max(1)
}

/// Whether all blocks of `range`, which is not empty and within `map`, are in memory.
fn blocks_resident(map: &memmap2::Mmap, seen: &[AtomicU32], range: &Range<usize>) -> bool {
    let now = now_ms();
    (range.start / BLOCK_BYTES..=(range.end - 1) / BLOCK_BYTES).all(|at| {
        let Some(block) = seen.get(at) else { return false };
        let before = block.load(Ordering::Relaxed);
        if before != 0 && now.wrapping_sub(before) < BELIEVED_MS {
            return true;
        }
        let resident = pages_resident(map, at * BLOCK_BYTES..map.len().min((at + 1) * BLOCK_BYTES));
        if resident {
            block.store(now, Ordering::Relaxed);
        }
        resident
    })
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
            Bytes::Mapped(map, _) => map,
            Bytes::Owned(bytes) | Bytes::Unread(bytes, _) => bytes,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unread_is_brought_in_blocks() {
        let map = Map::unread(vec![7; 3 * UNREAD_BYTES]);
        assert!(!map.is_resident(0..1) && map.is_resident(5..5) && map[1] == 7);
        map.bring(UNREAD_BYTES - 1..UNREAD_BYTES + 1).expect("within");
        assert!(map.is_resident(0..2 * UNREAD_BYTES) && !map.is_resident(0..2 * UNREAD_BYTES + 1));
    }

    #[test]
    fn what_the_disk_cannot_give_is_an_error() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("part");
        std::fs::write(&path, vec![7; 3 * page_bytes()]).expect("a file");
        let map = Map::of(&std::fs::File::open(&path).expect("the file")).expect("a map");
        assert!(map.bring(5..map.len()).is_ok());
        assert!(map.bring(5..map.len() + 1).is_err());
        // Pages that are gone: to touch them is SIGBUS, as where a sector cannot be read.
        std::fs::OpenOptions::new().write(true).open(&path).and_then(|file| file.set_len(1)).expect("shortened");
        assert!(map.bring(0..10).is_ok());
        let missing = map.bring(page_bytes()..map.len());
        assert_eq!(missing.expect_err("no page").raw_os_error(), Some(libc::EIO));
    }
}
