//! Which segments a shard's log has, and how bytes are read from them: maps of sealed files and of the tail's older part, positioned reads of its
//! newest bytes. Never writes.
use super::frame::{Frame, FrameBytes};
use super::iter::Frames;
use super::tail::segment_path;
use crate::base::{Error, Locator, Lsn, Result, SegmentId};
use crate::disk::{Disk, File, Map};
use crate::format::frame::{FRAME_ALIGN, FRAME_HEADER_BYTES, FrameHeader};
use crate::format::segment::SEGMENT_HEADER_BYTES;
use crate::format::{Footer, SegmentHeader};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// Bytes that the first read of a frame in a file asks for: most messages come whole.
const TAIL_READ_BYTES: usize = 8 << 10;
/// A part that begins later than this in its payload is read apart from the header.
const PART_SKIP_BYTES: usize = 64 << 10;

/// The tail is mapped again when so many bytes came behind its map: a remap costs as much as a few hundred positioned reads.
const TAIL_MAP_STEP_BYTES: u64 = 256 << 10;

/// One segment as readers see it. A tail that is sealed is replaced by a new value; who holds the old one reads on from its file.
pub(super) struct Segment {
    pub(super) header: SegmentHeader,
    pub(super) file: Arc<PathBuf>,
    path: PathBuf,
    source: Source,
}

enum Source {
    Tail { file: Arc<dyn File>, map: RwLock<Arc<Map>> },
    Sealed { len: u32, map: OnceLock<Arc<Map>> },
}

/// The bytes of a segment for one read.
enum Bytes {
    /// The second is a map of what was durable some time ago.
    Tail(Arc<dyn File>, Arc<Map>),
    Map(Arc<Map>),
}

impl Segment {
    pub(super) fn tail(disk: &dyn Disk, dir: &Path, header: SegmentHeader, file: Arc<dyn File>) -> Segment {
        Segment::new(disk, dir, header, Source::Tail { file, map: RwLock::new(Arc::new(Map::owned(Vec::new()))) })
    }

    pub(super) fn sealed(disk: &dyn Disk, dir: &Path, header: SegmentHeader, len: u32) -> Segment {
        Segment::new(disk, dir, header, Source::Sealed { len, map: OnceLock::new() })
    }

    fn new(disk: &dyn Disk, dir: &Path, header: SegmentHeader, source: Source) -> Segment {
        let path = segment_path(dir, header.segment);
        Segment { header, file: Arc::new(disk.full_path(&path)), path, source }
    }

    pub(super) fn corrupt(&self, offset: u64, what: impl Into<String>) -> Error {
        Error::corrupt(self.file.display().to_string(), offset, what)
    }

    /// The file, to read from by calls.
    pub(super) fn open(&self, disk: &dyn Disk) -> Result<Arc<dyn File>> {
        disk.open(&self.path).map_err(|error| self.io(error))
    }

    pub(super) fn io(&self, error: std::io::Error) -> Error {
        if error.kind() == std::io::ErrorKind::UnexpectedEof {
            return self.corrupt(0, "a longer file expected: somebody has shortened it");
        }
        Error::io(format!("read {}", self.file.display()), error)
    }

    fn bytes(&self, disk: &dyn Disk, readable: u64) -> Result<Bytes> {
        match &self.source {
            Source::Tail { file, map } => Ok(Bytes::Tail(Arc::clone(file), self.tail_map(disk, map, readable))),
            Source::Sealed { len, map } => {
                if let Some(map) = map.get() {
                    return Ok(Bytes::Map(Arc::clone(map)));
                }
                let made = disk.map(&self.path).map_err(|error| self.io(error))?;
                if made.len() != *len as usize {
                    return Err(self.corrupt(made.len() as u64, format!("a sealed segment of {len} bytes expected")));
                }
                Ok(Bytes::Map(Arc::clone(map.get_or_init(|| Arc::new(made)))))
            }
        }
    }

    /// A map of the durable bytes, but for the newest; without memory for one, of fewer.
    fn tail_map(&self, disk: &dyn Disk, map: &RwLock<Arc<Map>>, readable: u64) -> Arc<Map> {
        let old = Arc::clone(&map.read().unwrap_or_else(PoisonError::into_inner));
        if readable < old.len() as u64 + TAIL_MAP_STEP_BYTES {
            return old;
        }
        let made = usize::try_from(readable).ok().and_then(|len| disk.map_start(&self.path, len).ok());
        let Some(made) = made.map(Arc::new) else { return old };
        *map.write().unwrap_or_else(PoisonError::into_inner) = Arc::clone(&made);
        made
    }

    /// Bytes of the file that readers may see when the log is durable up to `end`.
    fn readable(&self, end: Lsn) -> u64 {
        match &self.source {
            Source::Tail { .. } => end.0.saturating_sub(self.header.first_lsn.0),
            Source::Sealed { len, .. } => u64::from(*len),
        }
    }

    /// Believes a header only at its own place and only if the whole frame is readable.
    fn header_at(&self, bytes: &[u8], offset: u32, readable: u64) -> Result<FrameHeader> {
        let at = u64::from(offset);
        let header = FrameHeader::decode(bytes, self.header.salt)
            .map_err(|error| self.corrupt(at + error.at as u64, error.what))?;
        if header.lsn.0 != self.header.first_lsn.0 + at {
            return Err(self.corrupt(
                at,
                format!("the frame of lsn {} expected, lsn {} found", self.header.first_lsn.0 + at, header.lsn),
            ));
        }
        if at + header.frame_bytes() as u64 > readable {
            return Err(self.corrupt(at, "a frame that ends within the log expected"));
        }
        Ok(header)
    }

    /// The payload's bytes in `range`, cut at the payload's end.
    fn read(&self, disk: &dyn Disk, offset: u32, range: Range<usize>, readable: u64) -> Result<FrameBytes> {
        let at = u64::from(offset);
        if !(offset as usize).is_multiple_of(FRAME_ALIGN)
            || (offset as usize) < SEGMENT_HEADER_BYTES
            || at + FRAME_HEADER_BYTES as u64 > readable
        {
            return Err(self.corrupt(at, format!("a frame offset below {readable} expected")));
        }
        let payload_at = offset as usize + FRAME_HEADER_BYTES;
        let (map, tail) = match self.bytes(disk, readable)? {
            Bytes::Map(map) => (map, None),
            Bytes::Tail(file, map) => (map, Some(file)),
        };
        // What is not in memory is read by a call: where the disk fails, or the file was shortened, that is an error, and touching the map
        // would be the end of the process. One look covers most frames.
        let looked = payload_at.saturating_add(range.end.min(TAIL_READ_BYTES)).min(map.len());
        if payload_at <= map.len() && map.is_resident(offset as usize..looked) {
            let header = self.header_at(&map[offset as usize..], offset, readable)?;
            let range = clip(range.clone(), header.payload_len);
            let wanted = payload_at + range.start..payload_at + range.end;
            // A frame may reach beyond the tail's map.
            if wanted.end <= map.len() && (wanted.end <= looked || map.is_resident(wanted.clone())) {
                return Ok(FrameBytes::mapped(header, map, wanted));
            }
        }
        let file = tail.map_or_else(|| self.open(disk), Ok)?;
        self.read_file(&*file, offset, range, readable)
    }

    fn read_file(&self, file: &dyn File, offset: u32, range: Range<usize>, readable: u64) -> Result<FrameBytes> {
        let at = u64::from(offset);
        let wanted = if range.start > PART_SKIP_BYTES {
            0
        } else {
            range.end.min(TAIL_READ_BYTES.max(range.start + TAIL_READ_BYTES))
        };
        let first = (FRAME_HEADER_BYTES + wanted).min(usize::try_from(readable - at).unwrap_or(usize::MAX));
        let mut bytes = vec![0; first];
        if file.read_exact_at(&mut bytes, at).is_err() {
            // What cannot be read may stand behind the frame.
            bytes.truncate(FRAME_HEADER_BYTES);
            file.read_exact_at(&mut bytes, at).map_err(|error| self.io(error))?;
        }
        let (first, header) = (bytes.len(), self.header_at(&bytes, offset, readable)?);
        let range = clip(range, header.payload_len);
        if range.start > PART_SKIP_BYTES {
            let mut part = vec![0; range.len()];
            file.read_exact_at(&mut part, at + (FRAME_HEADER_BYTES + range.start) as u64)
                .map_err(|error| self.io(error))?;
            return Ok(FrameBytes::owned(header, part, 0..range.len()));
        }
        let end = FRAME_HEADER_BYTES + range.end;
        if end > first {
            bytes.resize(end, 0);
            file.read_exact_at(&mut bytes[first..], at + first as u64).map_err(|error| self.io(error))?;
        }
        Ok(FrameBytes::owned(header, bytes, FRAME_HEADER_BYTES + range.start..end))
    }
}

fn clip(range: Range<usize>, payload_len: u32) -> Range<usize> {
    let end = range.end.min(payload_len as usize);
    range.start.min(end)..end
}

/// One file of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentFile {
    /// Its number.
    pub id: SegmentId,
    /// Bytes of the file, of the tail the durable ones.
    pub len_bytes: u64,
    /// Whether it never changes any more.
    pub sealed: bool,
    /// Log position of its first byte.
    pub first_lsn: Lsn,
}

/// All segments of a shard's log, shared by its committer and all readers. No lock is held during a read.
pub struct Segments {
    disk: Arc<dyn Disk>,
    list: RwLock<Vec<Arc<Segment>>>,
    durable_end: AtomicU64,
}

impl Segments {
    /// `list` is in the order of ids, which is that of lsns.
    pub(super) fn new(disk: Arc<dyn Disk>, list: Vec<Arc<Segment>>, durable_end: Lsn) -> Segments {
        Segments { disk, list: RwLock::new(list), durable_end: AtomicU64::new(durable_end.0) }
    }

    /// Adds a segment, or replaces the one of the same id.
    pub(super) fn put(&self, segment: Segment) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        match list.binary_search_by_key(&segment.header.segment, |segment| segment.header.segment) {
            Ok(at) => list[at] = Arc::new(segment),
            Err(at) => list.insert(at, Arc::new(segment)),
        }
    }

    pub(super) fn set_durable_end(&self, end: Lsn) {
        self.durable_end.store(end.0, Ordering::Release);
    }

    fn get(&self, id: SegmentId) -> Result<Arc<Segment>> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        match list.binary_search_by_key(&id, |segment| segment.header.segment) {
            Ok(at) => Ok(Arc::clone(&list[at])),
            Err(_) => Err(Error::NotFound(format!("segment {id}"))),
        }
    }

    /// The last segment that begins at or before `lsn`, and the one after it.
    pub(super) fn around(&self, lsn: Lsn) -> (Option<Arc<Segment>>, Option<Arc<Segment>>) {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        let after = list.partition_point(|segment| segment.header.first_lsn <= lsn);
        (after.checked_sub(1).map(|at| Arc::clone(&list[at])), list.get(after).map(Arc::clone))
    }

    /// The frame at `at`. Its header is checked, its payload by `Frame::check`.
    ///
    /// # Errors
    /// `NotFound`: no such segment. `Corrupt`: no valid frame stands there. `Io`: the disk failed.
    pub fn read(&self, at: Locator) -> Result<Frame> {
        let segment = self.get(at.segment)?;
        let bytes = segment.read(&*self.disk, at.offset, 0..usize::MAX, segment.readable(self.durable_end()))?;
        Ok(Frame::new(bytes, Arc::clone(&segment.file), at.offset))
    }

    /// A part of the payload at `at`, in bytes from the payload's start; what lies beyond its end is left out. The payload's crc cannot
    /// be checked by this. Errors as `read`.
    pub fn read_part(&self, at: Locator, range: Range<usize>) -> Result<FrameBytes> {
        let segment = self.get(at.segment)?;
        segment.read(&*self.disk, at.offset, range, segment.readable(self.durable_end()))
    }

    /// Whether reading `len` payload bytes of the frame at `at` would not wait for the disk: pages of maps are asked for, the tail was
    /// written a moment ago. A hint, false when in doubt.
    pub fn is_resident(&self, at: Locator, len: usize) -> bool {
        let Ok(segment) = self.get(at.segment) else { return false };
        match segment.bytes(&*self.disk, segment.readable(self.durable_end())) {
            Ok(Bytes::Tail(..)) => true,
            Ok(Bytes::Map(map)) => {
                let start = (at.offset as usize).min(map.len());
                map.is_resident(start..start.saturating_add(FRAME_HEADER_BYTES).saturating_add(len).min(map.len()))
            }
            Err(_) => false,
        }
    }

    /// Everything before this position is synced and readable.
    pub fn durable_end(&self) -> Lsn {
        Lsn(self.durable_end.load(Ordering::Acquire))
    }

    /// Where `lsn` stands; `None` beyond the durable end or before the first segment. Says nothing of what is there.
    pub fn locate(&self, lsn: Lsn) -> Option<Locator> {
        let segment = self.around(lsn).0.filter(|_| lsn < self.durable_end())?;
        let offset = lsn.0 - segment.header.first_lsn.0;
        (offset < segment.readable(self.durable_end()))
            .then(|| u32::try_from(offset).ok())
            .flatten()
            .map(|offset| Locator { segment: segment.header.segment, offset })
    }

    /// The log position of a frame; `None` if there is no such segment.
    pub fn lsn(&self, at: Locator) -> Option<Lsn> {
        self.get(at.segment).ok().map(|segment| Lsn(segment.header.first_lsn.0 + u64::from(at.offset)))
    }

    /// Every message, event and dictionary frame from `from` (a frame's lsn or a log end) up to the durable end at the time of each call.
    pub fn frames(self: &Arc<Self>, from: Lsn) -> Frames {
        Frames::new(Arc::clone(self), from)
    }

    /// The footer of a sealed segment; `None` for the tail.
    ///
    /// # Errors
    /// `NotFound`: no such segment. `Corrupt`: the footer is not what was written.
    pub fn footer(&self, id: SegmentId) -> Result<Option<Footer>> {
        let segment = self.get(id)?;
        match &segment.source {
            Source::Sealed { len, .. } => segment.footer_of(&*self.disk, *len).map(Some),
            Source::Tail { .. } => Ok(None),
        }
    }

    pub(super) fn salt(&self, id: SegmentId) -> Result<u32> {
        self.get(id).map(|segment| segment.header.salt)
    }

    /// A segment's path to show to a person, whether the file is there or not.
    pub fn file_name(&self, id: SegmentId) -> String {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        let dir = list.first().and_then(|segment| segment.file.parent().map(Path::to_path_buf)).unwrap_or_default();
        segment_path(&dir, id).display().to_string()
    }

    /// The files of the log in order.
    pub fn files(&self) -> Vec<SegmentFile> {
        let end = self.durable_end();
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        let file = |segment: &Arc<Segment>| SegmentFile {
            id: segment.header.segment,
            len_bytes: segment.readable(end),
            sealed: matches!(segment.source, Source::Sealed { .. }),
            first_lsn: segment.header.first_lsn,
        };
        list.iter().map(file).collect()
    }
}
