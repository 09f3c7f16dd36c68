//! Appends groups of frames to a shard's log: one write and one sync per group. Never shows a reader what is not synced.
use super::recovery::LogOptions;
use super::segment::Segment;
use super::segments::Segments;
use super::tail::Tail;
use crate::base::{Clock, Error, Locator, Lsn, Result, SegmentId, limits};
use crate::disk::{Disk, Latch};
use crate::format::SegmentHeader;
use crate::format::frame::{FRAME_FLAG_GROUP_END, FRAME_HEADER_BYTES, FrameHeader, FrameKind, at, frame_bytes};
use crate::format::segment::SEGMENT_HEADER_BYTES;
use crate::format::segment::SEGMENT_VERSION;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

/// Where no frame may begin or end any more, so that the footer's offsets still fit 32 bits.
const SEGMENT_END_MAX: u64 = u32::MAX as u64 - limits::FRAME_PAYLOAD_BYTES_MAX as u64;
/// The group's buffer is given back when one large group has made it larger than this.
const BUFFER_BYTES_KEPT: usize = 2 * limits::GROUP_BYTES_MAX;

/// The one writer of a shard's log, owned by its committer.
pub struct Writer {
    disk: Arc<dyn Disk>,
    clock: Arc<dyn Clock>,
    options: LogOptions,
    segments: Arc<Segments>,
    tail: Tail,
    latch: Arc<Latch>,
    group: Vec<u8>,
    headers: Vec<FrameHeader>,
    syncs: u64,
}

impl Writer {
    pub(super) fn new(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        options: LogOptions,
        segments: Arc<Segments>,
        mut tail: Tail,
    ) -> Writer {
        let latch = Arc::default();
        tail.zeros_max = zeros_max(&options);
        Writer { disk, clock, options, segments, tail, latch, group: Vec::new(), headers: Vec::new(), syncs: 0 }
    }

    /// Adds a frame to the open group, in memory; its payload is `parts` one after the other. Rolls to a new segment first when this is
    /// the group's first frame and the segment is full.
    ///
    /// # Errors
    /// `NoSpace`: rolling found no room; the log is as before. `Limit`: the payload or the group is too large; the group is as before.
    /// `Latched`.
    pub fn push(&mut self, kind: FrameKind, flags: u8, dictionary: u16, parts: &[&[u8]]) -> Result<Locator> {
        self.latch.check()?;
        let payload_len = payload_len(kind, parts)?;
        if self.group.is_empty() {
            self.roll_if_full()?;
        }
        let start = self.group.len();
        let offset = u64::from(self.tail.len) + start as u64;
        if offset + frame_bytes(payload_len as usize) as u64 > SEGMENT_END_MAX {
            return Err(Error::Limit("one group of frames does not fit a segment".into()));
        }
        self.group.resize(start + FRAME_HEADER_BYTES, 0);
        let mut crc = crc32fast::Hasher::new();
        for part in parts {
            crc.update(part);
            self.group.extend_from_slice(part);
        }
        self.group.resize(start + frame_bytes(payload_len as usize), 0);
        let header = FrameHeader {
            kind,
            flags: flags & !FRAME_FLAG_GROUP_END,
            dictionary,
            payload_len,
            payload_crc: crc.finalize(),
            lsn: Lsn(self.tail.header.first_lsn.0 + offset),
            group_back: start as u32,
        };
        self.put_header(&header);
        self.headers.push(header);
        Ok(Locator { segment: self.tail.header.segment, offset: offset as u32 })
    }

    /// The segment that the open group, or the next one, goes to. Errors as `push`.
    pub fn segment(&mut self) -> Result<SegmentId> {
        self.latch.check()?;
        if self.group.is_empty() {
            self.roll_if_full()?;
        }
        Ok(self.tail.header.segment)
    }

    /// Bytes in the open group.
    pub fn group_bytes(&self) -> usize {
        self.group.len()
    }

    /// Writes and syncs the open group. `Ok(end)`: everything before `end` is durable and readable.
    ///
    /// # Errors
    /// `NoSpace`: the group is dropped, the log as before, the writer usable. Anything else is `Latched`, now and for ever.
    pub fn commit(&mut self) -> Result<Lsn> {
        self.latch.check()?;
        let Some(mut last) = self.headers.pop() else { return Ok(self.end()) };
        last.flags |= FRAME_FLAG_GROUP_END;
        self.put_header(&last);
        self.headers.push(last);
        self.syncs += 1;
        let start = self.tail.len;
        if let Err(error) = self.tail.append(&self.group, &self.latch) {
            self.abort();
            return Err(error);
        }
        for header in &self.headers {
            let crc_at = header.group_back as usize + at::CRC;
            let crc = self.group[crc_at..crc_at + 4].try_into().map_or(0, u32::from_le_bytes);
            self.tail.table.add(start + header.group_back, header, crc);
        }
        self.segments.set_durable_end(self.end());
        self.abort();
        Ok(self.end())
    }

    /// Drops the open group.
    pub fn abort(&mut self) {
        self.group.clear();
        self.group.shrink_to(BUFFER_BYTES_KEPT);
        self.headers.clear();
    }

    /// The end of the durable log.
    pub fn end(&self) -> Lsn {
        self.tail.end()
    }

    /// Seals the current segment if it has frames; the next push begins a new one.
    ///
    /// # Errors
    /// `Invalid`: a group is open. `NoSpace`: the segment goes on as it was. `Latched`.
    pub fn seal(&mut self) -> Result<()> {
        self.latch.check()?;
        if !self.group.is_empty() {
            return Err(Error::Invalid("a segment is sealed between groups, not within one".into()));
        }
        if self.tail.sealed || self.tail.len as usize <= SEGMENT_HEADER_BYTES {
            return Ok(());
        }
        self.seal_tail()
    }

    /// Seals the current segment if it was begun at that time or before and has an eighth of what a segment holds, and begins the next one; says
    /// whether it did. Errors as `seal`.
    pub fn turn_over(&mut self, created_before_ms: i64) -> Result<bool> {
        let worth = (self.options.segment_bytes_max / 8).max(SEGMENT_HEADER_BYTES as u32 + 1);
        if self.tail.header.created_ms > created_before_ms || self.tail.len < worth {
            return Ok(false);
        }
        self.seal()?;
        self.roll_if_full()?;
        Ok(true)
    }

    fn seal_tail(&mut self) -> Result<()> {
        self.syncs += 1;
        self.tail.seal(&self.latch)?;
        self.segments.put(Segment::sealed(&*self.disk, &self.options.dir, self.tail.header, self.tail.len));
        self.segments.set_durable_end(self.end());
        Ok(())
    }

    /// Gives back the room that is kept in front of the log: before a clean stop. Errors as `commit`.
    pub fn trim(&mut self) -> Result<()> {
        self.latch.check()?;
        self.tail.trim(&self.latch)
    }

    /// Syncs of file data made so far.
    pub fn syncs(&self) -> u64 {
        self.syncs
    }

    /// Closed by the first failed write or sync; who else writes for this shard shares it.
    pub fn latch(&self) -> &Arc<Latch> {
        &self.latch
    }

    /// `header` goes to its place in the group's buffer.
    fn put_header(&mut self, header: &FrameHeader) {
        let start = header.group_back as usize;
        self.group[start..start + FRAME_HEADER_BYTES].copy_from_slice(&header.encode(self.tail.header.salt));
    }

    fn roll_if_full(&mut self) -> Result<()> {
        // An older program must be able to trust the version that a file says.
        let old = self.tail.header.version < SEGMENT_VERSION;
        if !self.tail.sealed && (old || self.tail.len >= self.options.segment_bytes_max) {
            self.seal_tail()?;
        }
        if !self.tail.sealed {
            return Ok(());
        }
        let segment = SegmentId(self.tail.header.segment.0 + 1);
        let header = segment_header(&self.options, &*self.clock, segment, self.end());
        self.syncs += 1;
        let tail = Tail::create(&*self.disk, &self.options.dir, header).map_err(|error| match error {
            Error::NoSpace => Error::NoSpace,
            error => self.latch.close(error.to_string()),
        })?;
        self.segments.put(Segment::tail(&*self.disk, &self.options.dir, header, Arc::clone(&tail.file)));
        self.tail = tail;
        self.tail.zeros_max = zeros_max(&self.options);
        self.segments.set_durable_end(self.end());
        Ok(())
    }
}

/// Where a segment gets no zeros any more: little is written behind its size.
fn zeros_max(options: &LogOptions) -> u64 {
    if options.writes_ahead { u64::from(options.segment_bytes_max) } else { 0 }
}

fn payload_len(kind: FrameKind, parts: &[&[u8]]) -> Result<u32> {
    let len = parts.iter().map(|part| part.len()).fold(0, usize::saturating_add);
    let (max, name) = match kind {
        FrameKind::Message | FrameKind::Dictionary | FrameKind::Part => {
            (limits::FRAME_PAYLOAD_BYTES_MAX, "FRAME_PAYLOAD_BYTES_MAX")
        }
        FrameKind::Events => (limits::EVENT_PAYLOAD_BYTES_MAX, "EVENT_PAYLOAD_BYTES_MAX"),
        FrameKind::Footer => return Err(Error::Invalid("footers are written by sealing a segment".into())),
        FrameKind::Block | FrameKind::Addresses => {
            return Err(Error::Invalid("only compaction writes such frames".into()));
        }
    };
    match u32::try_from(len) {
        Ok(short) if len <= max => Ok(short),
        _ => Err(Error::Limit(format!("{name}: a payload of at most {max} bytes expected, not {len}"))),
    }
}

/// The header of a new segment of this shard.
pub(super) fn segment_header(
    options: &LogOptions,
    clock: &dyn Clock,
    segment: SegmentId,
    first_lsn: Lsn,
) -> SegmentHeader {
    // The hasher's keys are the standard library's source of bits that nobody outside can guess.
    let salt = RandomState::new().hash_one(segment.0) as u32;
    SegmentHeader {
        version: SEGMENT_VERSION,
        shard: options.shard,
        epoch: options.epoch,
        segment,
        first_lsn,
        created_ms: clock.now_ms(),
        salt,
        covers: None,
    }
}
