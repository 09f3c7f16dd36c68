//! Which segments a shard's log has, and which of them answers for a place of the log. Never writes.
use super::addressed::Stored;
use super::frame::{Frame, FrameBytes};
use super::iter::Frames;
use super::names::{Unit, segment_path};
use super::segment::{Bytes, Segment};
use crate::base::{Error, Locator, Lsn, Result, SegmentId};
use crate::disk::{Disk, Map};
use crate::format::frame::FRAME_HEADER_BYTES;
use crate::format::segment::SEGMENT_VERSION;
use crate::format::{Footer, FrameHeader};
use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

/// One file of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentFile {
    /// Its number; of a compacted one the first of those that it stands for.
    pub id: SegmentId,
    /// Its number; of a compacted one the last of those that it stands for.
    pub last_id: SegmentId,
    /// Bytes of the file, of the tail the durable ones.
    pub len_bytes: u64,
    /// Whether it never changes any more.
    pub sealed: bool,
    /// Log position of its first byte.
    pub first_lsn: Lsn,
    /// Log position after what it stands for.
    pub end_lsn: Lsn,
    /// When the file was made, milliseconds since 1970 UTC.
    pub created_ms: i64,
    /// Whether compaction wrote it: its bytes are not those of the log, and locators are looked up in its address table.
    pub compacted: bool,
    /// Which of several files that stand for the same part of the log: the highest counts; 0 as it was written.
    pub generation: u32,
}

impl SegmentFile {
    /// Its name in the shard's directory.
    pub fn name(&self) -> String {
        Unit { first: self.id, last: self.last_id, generation: self.generation }
            .path(Path::new(""))
            .display()
            .to_string()
    }
}

/// All segments of a shard's log, shared by its committer and all readers. No lock is held during a read.
pub struct Segments {
    disk: Arc<dyn Disk>,
    list: RwLock<Vec<Arc<Segment>>>,
    /// How often the list was changed.
    changes: AtomicU64,
    durable_end: AtomicU64,
}

/// Where somebody has read last, and what: the next read of the same segment need not look for it.
#[derive(Default)]
pub struct Near {
    segment: Option<Arc<Segment>>,
    changes: u64,
    /// Of that segment; what lies in it is not copied.
    map: Option<Arc<Map>>,
    /// Where in the map the last bytes lie.
    range: Range<usize>,
    /// The last bytes, where they lie in no map.
    apart: Option<FrameBytes>,
}

impl Near {
    /// What was read last.
    pub fn bytes(&self) -> &[u8] {
        match (&self.apart, &self.map) {
            (Some(apart), _) => apart,
            (None, Some(map)) => &map[self.range.clone()],
            (None, None) => &[],
        }
    }

    /// Bytes that were read in another way take the place of the last ones.
    pub fn keep(&mut self, bytes: FrameBytes) {
        self.apart = Some(bytes);
    }
}

impl Segments {
    /// `list` is in the order of ids, which is that of lsns.
    pub(super) fn new(disk: Arc<dyn Disk>, list: Vec<Arc<Segment>>, durable_end: Lsn) -> Segments {
        Segments {
            disk,
            list: RwLock::new(list),
            changes: AtomicU64::new(0),
            durable_end: AtomicU64::new(durable_end.0),
        }
    }

    /// Adds a segment, or replaces the one of the same id.
    pub(super) fn put(&self, segment: Segment) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        match list.binary_search_by_key(&segment.header.segment, |segment| segment.header.segment) {
            Ok(at) => list[at] = Arc::new(segment),
            Err(at) => list.insert(at, Arc::new(segment)),
        }
        self.changes.fetch_add(1, Ordering::Release);
    }

    pub(super) fn set_durable_end(&self, end: Lsn) {
        self.durable_end.store(end.0, Ordering::Release);
    }

    /// A compacted segment takes the place of those that it stands for.
    pub(super) fn replace(&self, segment: Segment) {
        let mut list = self.list.write().unwrap_or_else(PoisonError::into_inner);
        let covered = |other: &Arc<Segment>| {
            other.header.segment >= segment.header.segment && other.header.segment <= segment.header.last_segment()
        };
        let former = list.iter().filter(|other| covered(other)).cloned().collect();
        *segment.former.write().unwrap_or_else(PoisonError::into_inner) = former;
        list.retain(|other| !covered(other));
        let at = list.partition_point(|other| other.header.segment < segment.header.segment);
        list.insert(at, Arc::new(segment));
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// The segment that stands for number `id`.
    pub(super) fn get(&self, id: SegmentId) -> Result<Arc<Segment>> {
        let list = self.list.read().unwrap_or_else(PoisonError::into_inner);
        let after = list.partition_point(|segment| segment.header.segment <= id);
        let found = after.checked_sub(1).map(|at| &list[at]).filter(|found| id <= found.header.last_segment());
        found.map(Arc::clone).ok_or_else(|| Error::NotFound(format!("segment {id}")))
    }

    /// All segments in order.
    pub(super) fn all(&self) -> Vec<Arc<Segment>> {
        self.list.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The format version of the last segment, which the log goes on in.
    pub fn tail_version(&self) -> u16 {
        self.all().last().map_or(SEGMENT_VERSION, |last| last.header.version)
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        &*self.disk
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
    /// `NotFound`: no such segment, or compaction has dropped the frame. `Corrupt`: no valid frame stands there. `Invalid`: a message that
    /// lies in a block now (see `stored`). `Io`: the disk failed.
    pub fn read(&self, at: Locator) -> Result<Frame> {
        match self.stored(at)? {
            Stored::Frame(frame) => Ok(frame),
            Stored::InBlock { .. } => Err(Error::Invalid(format!("message {at} lies in a block"))),
        }
    }

    /// What stands at `at`: a frame, or since compaction a message in a block. Errors as `read`.
    pub fn stored(&self, at: Locator) -> Result<Stored> {
        let segment = self.get(at.segment)?;
        if segment.header.covers.is_none() {
            return segment.frame(&*self.disk, at.offset, self.durable_end()).map(Stored::Frame);
        }
        self.stored_in(&segment, at)
    }

    /// Whether locators of that segment are looked up in an address table.
    pub fn is_compacted(&self, id: SegmentId) -> bool {
        self.get(id).is_ok_and(|segment| segment.header.covers.is_some())
    }

    /// A frame of a file as it stands there, whatever locators say of it: parts of a compacted segment. Errors as `read`.
    pub fn read_in_file(&self, id: SegmentId, offset: u32) -> Result<Frame> {
        self.get(id)?.frame(&*self.disk, offset, self.durable_end())
    }

    /// A part of the payload at `at`, which is a frame of its own, in bytes from the payload's start; what lies beyond its end is left out.
    /// The payload's crc cannot be checked by this. Errors as `read`.
    pub fn read_part(&self, at: Locator, range: Range<usize>) -> Result<FrameBytes> {
        let segment = self.get(at.segment)?;
        if segment.header.covers.is_none() {
            return segment.read(&*self.disk, at.offset, range, segment.readable(self.durable_end()));
        }
        let frame = self.read(at)?;
        let range = range.start.min(frame.payload().len())..range.end.min(frame.payload().len());
        Ok(frame.into_bytes().part(range))
    }

    /// The first `len` bytes of the payload at `at`, for who reads one frame after the other: they are in `near` then. None in a compacted segment.
    /// Errors as `read`.
    pub fn read_front(&self, near: &mut Near, at: Locator, len: usize) -> Result<Option<FrameHeader>> {
        let changes = self.changes.load(Ordering::Acquire);
        let is_it = |segment: &Arc<Segment>| segment.header.segment == at.segment;
        if near.changes != changes || !near.segment.as_ref().is_some_and(is_it) {
            *near = Near { segment: Some(self.get(at.segment)?), changes, ..Near::default() };
        }
        let Near { segment: Some(segment), map, range, apart, .. } = near else { return Ok(None) };
        if segment.header.covers.is_some() {
            return Ok(None);
        }
        let readable = segment.readable(self.durable_end());
        let mut found = None;
        if let Some(map) = map {
            found = segment.front_in(map, at.offset, len, readable)?;
        }
        if found.is_none() {
            // A growing segment may have another map by now.
            let map = map.insert(segment.map(&*self.disk, readable)?);
            found = segment.front_in(map, at.offset, len, readable)?;
        }
        if let Some((header, place)) = found {
            (*range, *apart) = (place, None);
            return Ok(Some(header));
        }
        let read = apart.insert(segment.read(&*self.disk, at.offset, 0..len, readable)?);
        Ok(Some(*read.header()))
    }

    /// Whether reading `len` payload bytes of the frame at `at` would not wait for the disk: pages of maps are asked for, the tail's newest
    /// bytes were written a moment ago. A hint, false when in doubt.
    pub fn is_resident(&self, at: Locator, len: usize) -> bool {
        let Ok(segment) = self.get(at.segment) else { return false };
        match segment.bytes(&*self.disk, segment.readable(self.durable_end())) {
            // What is behind its map was written a moment ago.
            Ok(Bytes::Tail(_, map)) => {
                let start = at.offset as usize;
                let end = start.saturating_add(FRAME_HEADER_BYTES).saturating_add(len).min(map.len());
                start >= map.len() || map.is_resident(start..end)
            }
            Ok(Bytes::Map(map)) => {
                let Some(offset) = segment.offset_of(&*self.disk, at) else { return false };
                let start = (offset as usize).min(map.len());
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
        if lsn >= segment.end(self.durable_end()) {
            return None;
        }
        segment.locator(&*self.disk, lsn.0 - segment.header.first_lsn.0)
    }

    /// The log position of a frame; `None` if there is no such segment.
    pub fn lsn(&self, at: Locator) -> Option<Lsn> {
        let segment = self.get(at.segment).ok()?;
        let start = segment.start_of(&*self.disk, at.segment)?;
        Some(Lsn(segment.header.first_lsn.0 + start + u64::from(at.offset)))
    }

    /// Every frame from `from` (a frame's lsn or a log end) up to the durable end at the time of each call, but footers and address tables.
    /// Compacted segments that end after `from` come whole, with the places of frames in their files.
    pub fn frames(self: &Arc<Self>, from: Lsn) -> Frames {
        Frames::new(Arc::clone(self), from)
    }

    /// The footer of a sealed segment; `None` for the tail.
    ///
    /// # Errors
    /// `NotFound`: no such segment. `Corrupt`: the footer is not what was written.
    pub fn footer(&self, id: SegmentId) -> Result<Option<Footer>> {
        let segment = self.get(id)?;
        segment.sealed_len().map(|len| segment.footer_of(&*self.disk, len)).transpose()
    }

    pub(super) fn salt(&self, id: SegmentId) -> Result<u32> {
        self.get(id).map(|segment| segment.header.salt)
    }

    /// A segment's path to show to a person, whether the file is there or not.
    pub fn file_name(&self, id: SegmentId) -> String {
        if let Ok(segment) = self.get(id) {
            return segment.file.display().to_string();
        }
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
            last_id: segment.header.last_segment(),
            len_bytes: segment.readable(end),
            sealed: segment.is_sealed(),
            first_lsn: segment.header.first_lsn,
            end_lsn: segment.end(end),
            created_ms: segment.header.created_ms,
            compacted: segment.header.covers.is_some(),
            generation: segment.generation(),
        };
        list.iter().map(file).collect()
    }
}
