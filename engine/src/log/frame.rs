//! A frame or a part of one as readers get it: bytes of a map (no copy) or of a positioned read. Never changes after it is read.
use crate::base::{Error, Result};
use crate::disk::Map;
use crate::format::{FrameHeader, FrameRef};
use std::ops::{Deref, Range};
use std::path::PathBuf;
use std::sync::Arc;

/// Bytes of a frame's payload, cheap to clone when they come from a map. Derefs to the bytes.
#[derive(Clone)]
pub struct FrameBytes {
    header: FrameHeader,
    source: Source,
    range: Range<usize>,
}

#[derive(Clone)]
enum Source {
    Mapped(Arc<Map>),
    Owned(Arc<Vec<u8>>),
}

impl FrameBytes {
    /// `range` lies within `map`.
    pub(super) fn mapped(header: FrameHeader, map: Arc<Map>, range: Range<usize>) -> FrameBytes {
        assert!(range.start <= range.end && range.end <= map.len());
        FrameBytes { header, source: Source::Mapped(map), range }
    }

    /// `range` lies within `bytes`.
    pub(crate) fn owned(header: FrameHeader, bytes: Vec<u8>, range: Range<usize>) -> FrameBytes {
        assert!(range.start <= range.end && range.end <= bytes.len());
        FrameBytes { header, source: Source::Owned(Arc::new(bytes)), range }
    }

    /// The bytes in `range` of these; it lies within them.
    pub(super) fn part(&self, range: Range<usize>) -> FrameBytes {
        assert!(range.start <= range.end && range.end <= self.range.len());
        let range = self.range.start + range.start..self.range.start + range.end;
        FrameBytes { header: self.header, source: self.source.clone(), range }
    }

    /// The checked header of the frame these bytes belong to.
    pub fn header(&self) -> &FrameHeader {
        &self.header
    }
}

impl Deref for FrameBytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match &self.source {
            Source::Mapped(map) => &map[self.range.clone()],
            Source::Owned(bytes) => &bytes[self.range.clone()],
        }
    }
}

/// A whole frame. Its header is checked (crc, place, bounds); its payload when `check` is called. Derefs to the header.
#[derive(Clone)]
pub struct Frame {
    bytes: FrameBytes,
    file: Arc<PathBuf>,
    offset: u32,
}

impl Frame {
    pub(super) fn new(bytes: FrameBytes, file: Arc<PathBuf>, offset: u32) -> Frame {
        Frame { bytes, file, offset }
    }

    /// The payload without padding.
    pub fn payload(&self) -> &[u8] {
        &self.bytes
    }

    /// The payload, to keep it or to hand it on without a copy.
    pub fn into_bytes(self) -> FrameBytes {
        self.bytes
    }

    /// The frame as the format's own type.
    pub fn as_ref(&self) -> FrameRef<'_> {
        FrameRef { header: self.bytes.header, payload: &self.bytes }
    }

    /// Whether the payload is what was written: `Corrupt` if its crc differs.
    pub fn check(&self) -> Result<()> {
        if self.as_ref().payload_is_whole() {
            return Ok(());
        }
        Err(self.corrupt("the frame's payload differs from its crc"))
    }

    /// `Corrupt` at this frame's place, for who finds the payload senseless.
    pub fn corrupt(&self, what: &str) -> Error {
        Error::corrupt(self.file.display().to_string(), u64::from(self.offset), what)
    }
}

impl Deref for Frame {
    type Target = FrameHeader;
    fn deref(&self) -> &FrameHeader {
        &self.bytes.header
    }
}
