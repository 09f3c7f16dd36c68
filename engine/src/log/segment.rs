//! One segment as readers see it: maps of sealed files and of the tail's older part, positioned reads of its newest bytes. Never writes.
use super::addressed::Addressed;
use super::frame::{Frame, FrameBytes};
use super::names::{Unit, segment_path};
use crate::base::{Error, Lsn, Result};
use crate::disk::{Disk, File, Map};
use crate::format::SegmentHeader;
use crate::format::frame::{FRAME_ALIGN, FRAME_HEADER_BYTES, FrameHeader};
use crate::format::segment::SEGMENT_HEADER_BYTES;
use std::ops::Range;
use std::path::{Path, PathBuf};
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
    /// Of a compacted segment, once it was looked into.
    pub(super) addressed: OnceLock<Addressed>,
    /// What a compacted segment has taken the place of while this program ran: who holds an old view may still ask for what was dead.
    pub(super) former: RwLock<Vec<Arc<Segment>>>,
}

enum Source {
    Tail { file: Arc<dyn File>, map: RwLock<Arc<Map>> },
    Sealed { len: u32, map: OnceLock<Arc<Map>> },
}

/// The bytes of a segment for one read.
pub(super) enum Bytes {
    /// The second is a map of what was durable some time ago.
    Tail(Arc<dyn File>, Arc<Map>),
    Map(Arc<Map>),
}

impl Segment {
    /// The tail, whose file goes on growing.
    pub(super) fn tail(disk: &dyn Disk, dir: &Path, header: SegmentHeader, file: Arc<dyn File>) -> Segment {
        let map = RwLock::new(Arc::new(Map::owned(Vec::new())));
        Segment::new(disk, segment_path(dir, header.segment), header, Source::Tail { file, map })
    }

    pub(super) fn sealed(disk: &dyn Disk, dir: &Path, header: SegmentHeader, len: u32) -> Segment {
        Segment::compacted(disk, segment_path(dir, header.segment), header, len)
    }

    /// Which of several files that stand for the same part of the log, as its name says.
    pub(super) fn generation(&self) -> u32 {
        let name = self.path.file_name().and_then(|name| name.to_str());
        name.and_then(Unit::parse).map_or(0, |unit| unit.generation)
    }

    /// A sealed segment in a file of any name.
    pub(super) fn compacted(disk: &dyn Disk, path: PathBuf, header: SegmentHeader, len: u32) -> Segment {
        Segment::new(disk, path, header, Source::Sealed { len, map: OnceLock::new() })
    }

    fn new(disk: &dyn Disk, path: PathBuf, header: SegmentHeader, source: Source) -> Segment {
        let file = Arc::new(disk.full_path(&path));
        Segment { header, file, path, source, addressed: OnceLock::new(), former: RwLock::default() }
    }

    /// Bytes of the file when it never changes any more.
    pub(super) fn sealed_len(&self) -> Option<u32> {
        match self.source {
            Source::Sealed { len, .. } => Some(len),
            Source::Tail { .. } => None,
        }
    }

    pub(super) fn is_sealed(&self) -> bool {
        matches!(self.source, Source::Sealed { .. })
    }

    /// The log position after what it stands for, when the log is durable up to `end`.
    pub(super) fn end(&self, end: Lsn) -> Lsn {
        let bytes = self.header.covers.map_or_else(|| self.readable(end), |covers| covers.bytes);
        Lsn(self.header.first_lsn.0 + bytes)
    }

    /// The frame at an offset of the file.
    pub(super) fn frame(&self, disk: &dyn Disk, offset: u32, end: Lsn) -> Result<Frame> {
        let bytes = self.read(disk, offset, 0..usize::MAX, self.readable(end))?;
        Ok(Frame::new(bytes, Arc::clone(&self.file), offset))
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

    /// The map that most of what is readable lies in.
    pub(super) fn map(&self, disk: &dyn Disk, readable: u64) -> Result<Arc<Map>> {
        self.bytes(disk, readable).map(|bytes| match bytes {
            Bytes::Map(map) | Bytes::Tail(_, map) => map,
        })
    }

    pub(super) fn bytes(&self, disk: &dyn Disk, readable: u64) -> Result<Bytes> {
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
    pub(super) fn readable(&self, end: Lsn) -> u64 {
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
    pub(super) fn read(&self, disk: &dyn Disk, offset: u32, range: Range<usize>, readable: u64) -> Result<FrameBytes> {
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

    /// A frame's header, and where in `map`, which is one of this segment, the first `len` bytes of its payload lie. None where they do not, or may
    /// not be in memory: `read` gives them, or says what is wrong.
    pub(super) fn front_in(
        &self,
        map: &Map,
        offset: u32,
        len: usize,
        readable: u64,
    ) -> Result<Option<(FrameHeader, Range<usize>)>> {
        let (start, payload_at) = (offset as usize, offset as usize + FRAME_HEADER_BYTES);
        let looked = payload_at.saturating_add(len).min(map.len());
        let is_frame = start.is_multiple_of(FRAME_ALIGN) && start >= SEGMENT_HEADER_BYTES && payload_at <= looked;
        if !is_frame || !map.is_resident(start..looked) {
            return Ok(None);
        }
        let header = self.header_at(&map[start..], offset, readable)?;
        let end = payload_at + len.min(header.payload_len as usize);
        Ok((end <= looked).then_some((header, payload_at..end)))
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
