//! How a message lies in a message frame's payload (docs/format.md, "Message payload"). Pure; compresses nothing.
use crate::base::Guid;
use crate::base::bytes::{DecodeError, Put, Reader};

/// Bytes before the summary.
pub const MESSAGE_HEAD_BYTES: usize = 32;

/// What stands before a message's summary and body.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageHead {
    /// Bytes of the message, uncompressed.
    pub size_bytes: u32,
    /// CRC-32 of the message, uncompressed.
    pub crc: u32,
    /// Bytes of the summary, which follows this head.
    pub summary_len: u32,
    /// CRC-32 of the summary.
    pub summary_crc: u32,
    /// The content's name.
    pub guid: Guid,
}

impl MessageHead {
    /// Appends the 32 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32(self.size_bytes);
        out.put_u32(self.crc);
        out.put_u32(self.summary_len);
        out.put_u32(self.summary_crc);
        out.put(&self.guid.0);
    }

    /// Reads the head at the front of `payload`.
    pub fn decode(payload: &[u8]) -> Result<MessageHead, DecodeError> {
        let mut reader = Reader::new(payload);
        Ok(MessageHead {
            size_bytes: reader.u32()?,
            crc: reader.u32()?,
            summary_len: reader.u32()?,
            summary_crc: reader.u32()?,
            guid: Guid(reader.array()?),
        })
    }

    /// Bytes of head and summary: where the body begins.
    pub fn body_start(&self) -> usize {
        MESSAGE_HEAD_BYTES + self.summary_len as usize
    }
}
