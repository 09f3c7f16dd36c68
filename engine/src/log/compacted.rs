//! Writes a compacted segment beside those that it stands for, lets it be read back, and puts it in their place by one rename. Removes what was
//! replaced when its time is over, and no file that is not a segment of this shard.
use super::addressed::Stored;
use super::names::{COMPACTING, Unit, choose};
use super::recovery::LogOptions;
use super::segment::Segment;
use super::segments::Segments;
use super::tail::footer_bytes;
use super::writer::segment_header;
use crate::base::{Clock, Error, Locator, Lsn, Result, SegmentId};
use crate::disk::{Disk, File};
use crate::format::addresses::{self, Address, OWN_FRAME};
use crate::format::frame::{FRAME_ALIGN, FRAME_FLAG_GROUP_END, FrameHeader, FrameKind, at};
use crate::format::segment::SEGMENT_HEADER_BYTES;
use crate::format::{Covers, SegmentHeader, TableBuilder};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError};

/// Bytes gathered before a write.
const BUFFER_BYTES: usize = 1 << 20;
/// Bytes written before a sync: a log's sync never waits behind a whole segment's writes.
const UNSYNCED_BYTES_MAX: u64 = 4 << 20;
/// Where no frame may end any more: the footer's offsets have 32 bits.
const FILE_BYTES_MAX: u64 = u32::MAX as u64 - (512 << 20);

/// A compacted segment that is being written.
pub struct Compacting {
    segments: Arc<Segments>,
    dir: PathBuf,
    file: Arc<dyn File>,
    header: SegmentHeader,
    table: TableBuilder,
    starts: Vec<u64>,
    addresses: Vec<Address>,
    buffer: Vec<u8>,
    written: u64,
    synced: u64,
}

/// A compacted segment that is written and synced, under a name that nobody looks for yet.
pub struct Sealed {
    segments: Arc<Segments>,
    dir: PathBuf,
    segment: Arc<Segment>,
    len: u32,
}

/// A file whose place a compacted segment has taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retired {
    /// Its path in the data directory.
    pub path: PathBuf,
    /// Bytes of it.
    pub bytes: u64,
    /// When it was replaced, milliseconds since 1970 UTC.
    pub since_ms: i64,
}

impl Compacting {
    /// Begins a segment that is to stand for those from `first` to `last`, which are sealed.
    pub fn create(
        segments: &Arc<Segments>,
        clock: &dyn Clock,
        options: &LogOptions,
        first: SegmentId,
        last: SegmentId,
    ) -> Result<Compacting> {
        let disk = segments.disk();
        let path = options.dir.join(COMPACTING);
        remove(disk, &path)?;
        let covered: Vec<Arc<Segment>> = segments
            .all()
            .into_iter()
            .filter(|segment| segment.header.segment >= first && segment.header.last_segment() <= last)
            .collect();
        let whole = covered.first().is_some_and(|segment| segment.header.segment == first)
            && covered.last().is_some_and(|segment| segment.header.last_segment() == last)
            && covered.iter().all(|segment| segment.is_sealed());
        let (Some(begin), Some(end), true) = (covered.first(), covered.last(), whole) else {
            return Err(Error::Invalid(format!("whole sealed segments from {first} to {last} expected")));
        };
        let first_lsn = begin.header.first_lsn;
        let mut starts = Vec::new();
        for segment in &covered {
            let from = segment.header.first_lsn.0 - first_lsn.0;
            let numbers = segment.header.segment.0..=segment.header.last_segment().0;
            let own = numbers.filter_map(|id| segment.start_of(disk, SegmentId(id)));
            starts.extend(own.map(|start| from + start));
        }
        let bytes = segment_end(end, segments).0 - first_lsn.0;
        let covers = Some(Covers { segments: last.0 - first.0 + 1, bytes });
        let header = SegmentHeader { covers, ..segment_header(options, clock, first, first_lsn) };
        let made = disk.create(&path).map_err(|why| Error::io(format!("create {}", shown(disk, &path)), why))?;
        let buffer = header.encode().to_vec();
        let (dir, segments) = (options.dir.clone(), Arc::clone(segments));
        let (table, addresses) = (TableBuilder::default(), Vec::new());
        Ok(Compacting { segments, dir, file: made, header, table, starts, addresses, buffer, written: 0, synced: 0 })
    }

    /// Adds a frame; its offset in the file.
    pub fn push(&mut self, kind: FrameKind, flags: u8, dictionary: u16, parts: &[&[u8]]) -> Result<u32> {
        let offset = self.written + self.buffer.len() as u64;
        let len: usize = parts.iter().map(|part| part.len()).sum();
        if offset + len as u64 > FILE_BYTES_MAX {
            return Err(Error::Limit("a compacted segment of at most 3.5 GiB expected".into()));
        }
        let mut crc = crc32fast::Hasher::new();
        parts.iter().for_each(|part| crc.update(part));
        let header = FrameHeader {
            kind,
            flags: flags | FRAME_FLAG_GROUP_END,
            dictionary,
            payload_len: len as u32,
            payload_crc: crc.finalize(),
            lsn: Lsn(self.header.first_lsn.0 + offset),
            group_back: 0,
        };
        let encoded = header.encode(self.header.salt);
        self.table.add(offset as u32, &header, encoded[at::CRC..].try_into().map_or(0, u32::from_le_bytes));
        let end = self.buffer.len() + header.frame_bytes();
        self.buffer.extend_from_slice(&encoded);
        parts.iter().for_each(|part| self.buffer.extend_from_slice(part));
        self.buffer.resize(end, 0);
        if self.buffer.len() >= BUFFER_BYTES {
            self.flush()?;
        }
        Ok(offset as u32)
    }

    fn bytes_from_start(&self, at: Locator) -> u64 {
        let number = (at.segment.0 - self.header.segment.0) as usize;
        self.starts.get(number).copied().unwrap_or_default() + u64::from(at.offset)
    }

    /// The place of the log `at` as rows of blocks and of the address table say it.
    pub fn stood(&self, at: Locator) -> u32 {
        (self.bytes_from_start(at) / FRAME_ALIGN as u64) as u32
    }

    /// Adds the short address table, which stands before all blocks: with it and with them the last one can be made again.
    pub fn push_head(&mut self) -> Result<u32> {
        self.addresses.sort_unstable();
        let mut payload = Vec::new();
        addresses::encode(&self.starts, &self.addresses, &mut payload);
        self.push(FrameKind::Addresses, 0, 0, &[&payload])
    }

    /// What stood at `at` stands at that offset now: as a frame, or as message `index` of a block.
    pub fn moved(&mut self, at: Locator, offset: u32, index: Option<u32>) {
        let from_start = self.bytes_from_start(at);
        self.addresses.push(Address { from_start, offset, index: index.unwrap_or(OWN_FRAME) });
    }

    fn flush(&mut self) -> Result<()> {
        let written = self.file.write_at(&self.buffer, self.written);
        written.map_err(|why| self.failed("write", why))?;
        self.written += self.buffer.len() as u64;
        self.buffer.clear();
        if self.written - self.synced >= UNSYNCED_BYTES_MAX {
            self.file.sync_data().map_err(|why| self.failed("sync", why))?;
            self.synced = self.written;
        }
        Ok(())
    }

    fn failed(&self, what: &str, why: io::Error) -> Error {
        Error::io(format!("{what} {}", shown(self.segments.disk(), &self.dir.join(COMPACTING))), why)
    }

    /// Writes address table, footer and trailer, and syncs.
    pub fn finish(mut self) -> Result<Sealed> {
        let mut addresses = std::mem::take(&mut self.addresses);
        addresses.sort_unstable();
        let mut payload = Vec::new();
        addresses::encode(&self.starts, &addresses, &mut payload);
        self.push(FrameKind::Addresses, 0, 0, &[&payload])?;
        let at = (self.written + self.buffer.len() as u64) as u32;
        self.buffer.extend_from_slice(&footer_bytes(&self.header, at, &self.table)?);
        self.flush()?;
        self.file.sync_data().map_err(|why| self.failed("sync", why))?;
        let path = self.dir.join(COMPACTING);
        let len = self.written as u32;
        let segment = Segment::compacted(self.segments.disk(), path, self.header, len);
        Ok(Sealed { segments: self.segments, dir: self.dir, segment: Arc::new(segment), len })
    }
}

impl Sealed {
    /// What stands at `at` by this segment's address table. Errors as `Segments::stored`.
    pub fn stored(&self, at: Locator) -> Result<Stored> {
        self.segments.stored_in(&self.segment, at)
    }

    /// The payload-checked frames of its file, in order.
    pub fn frames(&self) -> Result<Vec<(u32, FrameKind)>> {
        Ok(self.segment.footer_of(self.segments.disk(), self.len)?.table.iter().collect())
    }

    /// The frame at an offset of its file, its payload proven.
    pub fn frame(&self, offset: u32) -> Result<super::Frame> {
        let frame = self.segment.frame(self.segments.disk(), offset, self.segments.durable_end())?;
        frame.check()?;
        Ok(frame)
    }

    /// Its header stands in the file as it was made.
    pub fn check_header(&self) -> Result<()> {
        let (disk, path) = (self.segments.disk(), self.dir.join(COMPACTING));
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        let read = disk.open(&path).and_then(|file| file.read_exact_at(&mut bytes, 0));
        read.map_err(|why| Error::io(format!("read {}", shown(disk, &path)), why))?;
        match SegmentHeader::decode(&bytes) {
            Ok(header) if header == self.segment.header => Ok(()),
            _ => {
                Err(Error::corrupt(shown(disk, &path), 0, "the header that was written expected; nothing was replaced"))
            }
        }
    }

    /// Bytes of the file.
    pub fn len_bytes(&self) -> u64 {
        u64::from(self.len)
    }

    /// Puts it in the place of those that it stands for: one rename, synced. Their files stay.
    pub fn install(self) -> Result<()> {
        let disk = self.segments.disk();
        let header = self.segment.header;
        let names = disk.list(&self.dir).map_err(|why| Error::io(format!("list {}", shown(disk, &self.dir)), why))?;
        let newest = names.iter().filter_map(|name| Unit::parse(name)).map(|unit| unit.generation).max();
        let unit =
            Unit { first: header.segment, last: header.last_segment(), generation: newest.unwrap_or_default() + 1 };
        let path = unit.path(&self.dir);
        let renamed = disk.rename(&self.dir.join(COMPACTING), &path).and_then(|()| disk.sync_dir(&self.dir));
        renamed.map_err(|why| Error::io(format!("rename to {}", shown(disk, &path)), why))?;
        self.segments.replace(Segment::compacted(disk, path, header, self.len));
        Ok(())
    }
}

impl Segments {
    /// The files whose place compacted segments have taken.
    pub fn retired(&self, dir: &Path) -> Result<Vec<Retired>> {
        let disk = self.disk();
        let names = disk.list(dir).map_err(|why| Error::io(format!("list {}", shown(disk, dir)), why))?;
        let mut retired = Vec::new();
        for (unit, newer) in choose(&names).1 {
            let now = self.get(newer.first)?;
            if now.generation() != newer.generation {
                // A rename whose sync failed: until the next start the former files count.
                continue;
            }
            let path = unit.path(dir);
            let bytes = disk.open(&path).and_then(|file| file.len());
            let bytes = bytes.map_err(|why| Error::io(format!("open {}", shown(disk, &path)), why))?;
            retired.push(Retired { path, bytes, since_ms: now.header.created_ms });
        }
        Ok(retired)
    }

    /// Removes what an interrupted compaction has left; that it cannot be removed matters to nobody.
    pub fn remove_unfinished(&self, options: &LogOptions) {
        let _ = remove(self.disk(), &options.dir.join(COMPACTING));
    }

    /// Removes the retired files that were replaced before `before_ms`; gives those that are gone, and the first error: a file that cannot be
    /// removed, or is none of ours, stays.
    pub fn remove_retired(&self, options: &LogOptions, before_ms: i64) -> (Vec<Retired>, Result<()>) {
        let (disk, mut gone) = (self.disk(), Vec::new());
        let ended = self.remove_each(options, before_ms, &mut gone);
        let synced = match gone.is_empty() {
            true => Ok(()),
            false => disk.sync_dir(&options.dir),
        };
        let synced = synced.map_err(|why| Error::io(format!("sync {}", shown(disk, &options.dir)), why));
        (gone, ended.and(synced))
    }

    fn remove_each(&self, options: &LogOptions, before_ms: i64, gone: &mut Vec<Retired>) -> Result<()> {
        let disk = self.disk();
        let mut due = self.retired(&options.dir)?;
        due.retain(|retired| retired.since_ms <= before_ms);
        if !due.is_empty() {
            // What has taken their place is there for sure before they go.
            disk.sync_dir(&options.dir).map_err(|why| Error::io(format!("sync {}", shown(disk, &options.dir)), why))?;
        }
        let mut first = Ok(());
        for retired in due {
            match self.check_ours(options, &retired.path).and_then(|()| remove(disk, &retired.path)) {
                Ok(()) => gone.push(retired),
                Err(why) => first = first.and(Err(why)),
            }
        }
        for segment in self.all() {
            if segment.header.covers.is_some() && segment.header.created_ms <= before_ms {
                segment.former.write().unwrap_or_else(PoisonError::into_inner).clear();
            }
        }
        first
    }

    /// A file that only has the name of a segment is not removed.
    fn check_ours(&self, options: &LogOptions, path: &Path) -> Result<()> {
        let disk = self.disk();
        let io = |why| Error::io(format!("read {}", shown(disk, path)), why);
        let mut bytes = [0; SEGMENT_HEADER_BYTES];
        disk.open(path).and_then(|file| file.read_exact_at(&mut bytes, 0)).map_err(io)?;
        let header = SegmentHeader::decode(&bytes).ok().filter(|header| header.shard == options.shard);
        header
            .map(drop)
            .ok_or_else(|| Error::corrupt(shown(disk, path), 0, "a segment of this shard expected; not removed"))
    }
}

fn segment_end(segment: &Segment, segments: &Segments) -> Lsn {
    segment.end(segments.durable_end())
}

fn shown(disk: &dyn Disk, path: &Path) -> String {
    disk.full_path(path).display().to_string()
}

fn remove(disk: &dyn Disk, path: &Path) -> Result<()> {
    match disk.remove(path) {
        Err(why) if why.kind() != io::ErrorKind::NotFound => {
            Err(Error::io(format!("remove {}", shown(disk, path)), why))
        }
        _ => Ok(()),
    }
}
