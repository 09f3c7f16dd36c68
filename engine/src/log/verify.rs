//! Proves a sealed segment: every frame's header and payload, and that the footer says what is there. Repairs nothing.
use super::segments::Segments;
use crate::base::{Error, Result, SegmentId};
use crate::format::frame::{FrameKind, at};
use crate::format::segment::SEGMENT_HEADER_BYTES;
use crate::format::{Footer, TableBuilder};

impl Segments {
    /// Reads a sealed segment whole and holds it against its footer, which is given back; the tail is checked up to the durable end and has
    /// none.
    ///
    /// # Errors
    /// `Corrupt` with the first place that is wrong; `NotFound`, `Io` as `read`.
    pub fn verify(&self, id: SegmentId) -> Result<Option<Footer>> {
        let footer = self.footer(id)?;
        let file = self.files().into_iter().find(|file| file.id == id);
        let len = file.ok_or_else(|| Error::NotFound(format!("segment {id}")))?.len_bytes;
        let mut table = TableBuilder::default();
        let mut offset = SEGMENT_HEADER_BYTES as u32;
        while u64::from(offset) < len {
            let frame = self.read_in_file(id, offset)?;
            frame.check()?;
            if frame.kind == FrameKind::Footer {
                break;
            }
            let crc = frame.encode(self.salt(id)?);
            table.add(
                offset,
                &frame,
                u32::from_le_bytes([crc[at::CRC], crc[at::CRC + 1], crc[at::CRC + 2], crc[at::CRC + 3]]),
            );
            offset += frame.frame_bytes() as u32;
        }
        match footer {
            Some(footer) if footer != table.footer() => {
                let frame = self.read_in_file(id, offset)?;
                Err(frame.corrupt("a footer that says what the segment holds expected"))
            }
            footer => Ok(footer),
        }
    }
}
