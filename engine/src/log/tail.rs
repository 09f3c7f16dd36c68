//! The growing segment of a shard: made, appended to, sealed and named here. Never holds uncommitted frames.
use super::names::segment_path;
use crate::base::limits::{LOG_AHEAD_BYTES_MAX, LOG_AHEAD_BYTES_MIN};
use crate::base::{Error, Lsn, Result};
use crate::disk::{Disk, File, Latch};
use crate::format::frame::{FRAME_FLAG_GROUP_END, FRAME_HEADER_BYTES, FrameHeader, FrameKind};
use crate::format::segment::SEGMENT_HEADER_BYTES;
use crate::format::{SegmentHeader, TableBuilder, Trailer};
use std::io;
use std::path::Path;
use std::sync::Arc;

/// The last segment. Everything in it is durable.
pub(super) struct Tail {
    pub(super) header: SegmentHeader,
    pub(super) file: Arc<dyn File>,
    /// What errors call the file.
    pub(super) name: String,
    pub(super) len: u32,
    pub(super) table: TableBuilder,
    /// Sealed, and the next segment is not made yet.
    pub(super) sealed: bool,
    /// Zeros were written up to here: a group that fits changes no length, so its sync needs no commit of the file system's journal.
    pub(super) zeros_end: u64,
    /// No zeros are written behind this.
    pub(super) zeros_max: u64,
}

impl Tail {
    /// Makes a new segment's file, durable with its name. What a full disk leaves behind is removed.
    pub(super) fn create(disk: &dyn Disk, dir: &Path, header: SegmentHeader) -> Result<Tail> {
        let path = segment_path(dir, header.segment);
        let name = disk.full_path(&path).display().to_string();
        let failed = |what: &str, error| Error::io(format!("{what} {name}"), error);
        let file = disk.create(&path).map_err(|error| failed("create", error))?;
        let written = file.write_at(&header.encode(), 0).and_then(|()| file.sync_data());
        if let Err(error) = written {
            disk.remove(&path).map_err(|error| Error::Io {
                what: format!("remove {name}"),
                source: Arc::new(io::Error::other(error)),
            })?;
            return Err(failed("write", error));
        }
        disk.sync_dir(dir)
            .map_err(|error| Error::Io { what: format!("sync the directory of {name}"), source: Arc::new(error) })?;
        let len = SEGMENT_HEADER_BYTES as u32;
        let table = TableBuilder::default();
        Ok(Tail { header, file, name, len, table, sealed: false, zeros_end: 0, zeros_max: 0 })
    }

    /// The log position after the last byte.
    pub(super) fn end(&self) -> Lsn {
        Lsn(self.header.first_lsn.0 + u64::from(self.len))
    }

    /// One write and one sync; when the zeros in front are used up, more are written with it. On a full disk the file is as before, and that
    /// is durable; any other failure closes the latch.
    pub(super) fn append(&mut self, bytes: &[u8], latch: &Latch) -> Result<()> {
        self.write(bytes, latch)?;
        let end = u64::from(self.len) + bytes.len() as u64;
        if end > self.zeros_end {
            self.write_zeros(end, latch)?;
        }
        self.sync(latch)?;
        self.len += bytes.len() as u32;
        Ok(())
    }

    fn write(&mut self, bytes: &[u8], latch: &Latch) -> Result<()> {
        let Err(error) = self.file.write_at(bytes, u64::from(self.len)) else { return Ok(()) };
        let error = Error::io(format!("write {}", self.name), error);
        Err(if matches!(error, Error::NoSpace) { self.undo(latch) } else { latch.close(error.to_string()) })
    }

    fn sync(&self, latch: &Latch) -> Result<()> {
        self.file.sync_data().map_err(|error| latch.close(format!("sync {}: {error}", self.name)))
    }

    /// As many as the segment has bytes, within bounds: a small log stays small. Without room there are none from now on.
    fn write_zeros(&mut self, end: u64, latch: &Latch) -> Result<()> {
        let more = end.clamp(LOG_AHEAD_BYTES_MIN, LOG_AHEAD_BYTES_MAX);
        let upto = (end + more).next_multiple_of(LOG_AHEAD_BYTES_MIN).min(self.zeros_max);
        self.zeros_end = upto.max(end);
        if upto <= end {
            return Ok(());
        }
        let Err(error) = self.file.write_at(&vec![0; (upto - end) as usize], end) else { return Ok(()) };
        let error = Error::io(format!("write {}", self.name), error);
        if !matches!(error, Error::NoSpace) {
            return Err(latch.close(error.to_string()));
        }
        (self.zeros_end, self.zeros_max) = (end, 0);
        self.cut_to(end, latch)
    }

    fn cut_to(&self, end: u64, latch: &Latch) -> Result<()> {
        self.file.set_len(end).map_err(|error| latch.close(format!("cut {}: {error}", self.name)))
    }

    /// Gives the zeros back, durably: the log's last byte is the file's last again.
    pub(super) fn trim(&mut self, latch: &Latch) -> Result<()> {
        if self.zeros_end > u64::from(self.len) {
            self.cut_to(self.len.into(), latch)?;
            self.sync(latch)?;
            self.zeros_end = self.len.into();
        }
        Ok(())
    }

    /// Takes back a write that did not fit. It must be gone for good: a shorter group in its place would let its rest come back to life.
    fn undo(&mut self, latch: &Latch) -> Error {
        self.zeros_end = self.len.into();
        match self.file.set_len(u64::from(self.len)).and_then(|()| self.file.sync_data()) {
            Ok(()) => Error::NoSpace,
            Err(error) => latch.close(format!("take back a write to {} on a full disk: {error}", self.name)),
        }
    }

    /// Appends footer and trailer; the file never changes after.
    pub(super) fn seal(&mut self, latch: &Latch) -> Result<()> {
        let bytes = footer_bytes(&self.header, self.len, &self.table)?;
        // The trailer is the file's end: the zeros go with the sync that covers it.
        self.write(&bytes, latch)?;
        let end = u64::from(self.len) + bytes.len() as u64;
        if self.zeros_end > end {
            self.cut_to(end, latch)?;
        }
        self.sync(latch)?;
        self.len += bytes.len() as u32;
        self.sealed = true;
        Ok(())
    }
}

/// Footer frame and trailer of a segment whose frames end at `offset`.
pub(super) fn footer_bytes(segment: &SegmentHeader, offset: u32, table: &TableBuilder) -> Result<Vec<u8>> {
    let payload = table.footer().encode();
    let header = FrameHeader {
        kind: FrameKind::Footer,
        flags: FRAME_FLAG_GROUP_END,
        dictionary: 0,
        payload_len: u32::try_from(payload.len())
            .map_err(|_| Error::Limit("FRAME_PAYLOAD_BYTES_MAX: a segment's footer".into()))?,
        payload_crc: crc32fast::hash(&payload),
        lsn: Lsn(segment.first_lsn.0 + u64::from(offset)),
        group_back: 0,
    };
    let mut bytes = Vec::with_capacity(header.frame_bytes() + FRAME_HEADER_BYTES);
    bytes.extend_from_slice(&header.encode(segment.salt));
    bytes.extend_from_slice(&payload);
    bytes.resize(header.frame_bytes(), 0);
    bytes.extend_from_slice(&Trailer { footer_offset: offset }.encode(segment.salt));
    Ok(bytes)
}
