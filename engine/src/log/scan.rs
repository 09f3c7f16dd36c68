//! Reads an unsealed segment from its start and says where its last whole group ends and what is wrong after it. Never writes.
use super::segment::Segment;
use crate::base::{Error, Lsn, Result};
use crate::disk::File;
use crate::format::TableBuilder;
use crate::format::frame::{FRAME_ALIGN, FRAME_HEADER_BYTES, FRAME_MAGIC, FrameHeader, FrameKind, at};
use crate::format::segment::SEGMENT_HEADER_BYTES;
use std::ops::Range;
use std::path::Path;

/// Bytes read at once.
const WINDOW_BYTES: usize = 1 << 20;

/// What an unsealed segment holds.
pub(super) struct Scanned {
    /// Every frame of a whole group.
    pub(super) table: TableBuilder,
    /// The last whole group, or an empty range after the segment's header: the only one whose sync may have failed.
    pub(super) last_group: Range<u64>,
    /// Why the bytes after the last whole group are not believed; none if there are no such bytes.
    pub(super) torn: Option<String>,
}

/// Scans `file` of `len` bytes. Payloads of frames from `check_from` on are checked; a file that is broken before that is corrupt.
pub(super) fn scan(segment: &Segment, file: &dyn File, len: u64, check_from: Lsn) -> Result<Scanned> {
    let mut scan = Scan {
        segment,
        window: Window { file, name: &segment.file, len, start: 0, bytes: Vec::new() },
        check_from,
        frames: Vec::new(),
        at: SEGMENT_HEADER_BYTES as u64,
        found: Scanned {
            table: TableBuilder::default(),
            last_group: SEGMENT_HEADER_BYTES as u64..SEGMENT_HEADER_BYTES as u64,
            torn: None,
        },
    };
    while scan.at < len {
        if let Err(why) = scan.step()? {
            scan.found.torn = Some(scan.judge(why)?);
            return Ok(scan.found);
        }
    }
    if !scan.frames.is_empty() {
        scan.found.torn = Some(scan.judge("the group is not finished".into())?);
    }
    Ok(scan.found)
}

/// A frame, or why it is not believed.
type Believed<T> = std::result::Result<T, String>;

struct Scan<'a> {
    segment: &'a Segment,
    window: Window<'a>,
    check_from: Lsn,
    /// Frames of the group that is being read.
    frames: Vec<(u32, FrameHeader, u32)>,
    at: u64,
    found: Scanned,
}

impl Scan<'_> {
    /// The end of the last whole group.
    fn end(&self) -> u64 {
        self.found.last_group.end
    }

    /// One frame on.
    fn step(&mut self) -> Result<Believed<()>> {
        let (header, crc) = match self.header(self.at)? {
            Ok(header) => header,
            Err(why) => return Ok(Err(why)),
        };
        let next = self.at + header.frame_bytes() as u64;
        let why = if header.kind == FrameKind::Footer {
            Some("the segment's sealing is not finished")
        } else if self.at.checked_sub(u64::from(header.group_back)) != Some(self.end()) {
            Some("a frame of the group before expected, another group's found")
        } else if next > self.window.len || next > u64::from(u32::MAX) {
            Some("the frame is longer than the file")
        } else if header.lsn >= self.check_from && !self.payload_is_whole(&header)? {
            Some("the frame's payload differs from its crc")
        } else {
            None
        };
        if let Some(why) = why {
            return Ok(Err(why.into()));
        }
        self.frames.push((self.at as u32, header, crc));
        self.at = next;
        if header.ends_group() {
            for (offset, header, crc) in self.frames.drain(..) {
                self.found.table.add(offset, &header, crc);
            }
            self.found.last_group = self.found.last_group.end..next;
        }
        Ok(Ok(()))
    }

    /// The header at `at` with its crc, if it is one of this segment at its own place.
    fn header(&mut self, at: u64) -> Result<Believed<(FrameHeader, u32)>> {
        if at + FRAME_HEADER_BYTES as u64 > self.window.len {
            return Ok(Err("the frame's header is cut off".into()));
        }
        let lsn = Lsn(self.segment.header.first_lsn.0 + at);
        let bytes = self.window.get(at, FRAME_HEADER_BYTES)?;
        Ok(match FrameHeader::decode(bytes, self.segment.header.salt) {
            Ok(header) if header.lsn != lsn => {
                Err(format!("the frame of lsn {lsn} expected, lsn {} found", header.lsn))
            }
            Ok(header) => Ok((header, bytes[at::CRC..at::CRC + 4].try_into().map_or(0, u32::from_le_bytes))),
            Err(error) => Err(error.what.into()),
        })
    }

    /// Where the group of the frame at `at` begins, if a believable header stands there.
    fn group_start(&mut self, at: u64) -> Result<Option<u64>> {
        let header = self.header(at)?;
        Ok(header.ok().and_then(|(header, _)| at.checked_sub(u64::from(header.group_back))))
    }

    fn payload_is_whole(&mut self, header: &FrameHeader) -> Result<bool> {
        let mut hasher = crc32fast::Hasher::new();
        let mut at = self.at + FRAME_HEADER_BYTES as u64;
        let end = at + u64::from(header.payload_len);
        while at < end {
            let len = WINDOW_BYTES.min((end - at) as usize);
            hasher.update(self.window.get(at, len)?);
            at += len as u64;
        }
        Ok(hasher.finalize() == header.payload_crc)
    }

    /// A torn tail gives its reason. Corruption at rest, an error: when a checkpoint covers the place, or when a later group was begun,
    /// which is written only after everything before it was synced.
    fn judge(&mut self, what: String) -> Result<String> {
        if self.segment.header.first_lsn.0 + self.end() < self.check_from.0 {
            return Err(self
                .segment
                .corrupt(self.at, format!("{what}; a checkpoint at lsn {} covers this place", self.check_from)));
        }
        let mut at = (self.end() + 1).next_multiple_of(FRAME_ALIGN as u64);
        while at + FRAME_HEADER_BYTES as u64 <= self.window.len {
            let magic = self.window.get(at, FRAME_MAGIC.len())? == FRAME_MAGIC;
            let group = if magic { self.group_start(at)? } else { None };
            if group.is_some_and(|start| start > self.end()) {
                let why = format!("{what}; the later group of the frame at {at} proves that this was synced");
                return Err(self.segment.corrupt(self.at, why));
            }
            at += FRAME_ALIGN as u64;
        }
        Ok(what)
    }
}

/// A part of the file in memory.
struct Window<'a> {
    file: &'a dyn File,
    name: &'a Path,
    len: u64,
    start: u64,
    bytes: Vec<u8>,
}

impl Window<'_> {
    /// `len` bytes at `at`, which lie within the file.
    fn get(&mut self, at: u64, len: usize) -> Result<&[u8]> {
        let held = self.start..self.start + self.bytes.len() as u64;
        if at < held.start || at + len as u64 > held.end {
            let load = (self.len - at).min(WINDOW_BYTES.max(len) as u64) as usize;
            self.bytes.resize(load, 0);
            self.start = at;
            if let Err(error) = self.file.read_exact_at(&mut self.bytes, at) {
                self.bytes.clear();
                return Err(Error::io(format!("read {}", self.name.display()), error));
            }
        }
        let from = (at - self.start) as usize;
        Ok(&self.bytes[from..from + len])
    }
}
