//! How a decoded part that is stored by itself lies in a part frame's payload (docs/format.md, "Part payload"). Pure.
use crate::base::bytes::{DecodeError, Put, Reader};

/// Bytes before the part.
pub const PART_HEAD_BYTES: usize = 40;

/// Names content: BLAKE2b-256 of the decoded bytes.
pub type PartHash = [u8; 32];

/// What stands before the part's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PartHead {
    /// Bytes of the part, decoded and uncompressed.
    pub size_bytes: u32,
    /// CRC-32 of these bytes.
    pub crc: u32,
    /// Their name.
    pub hash: PartHash,
}

impl PartHead {
    /// Appends the 40 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32(self.size_bytes);
        out.put_u32(self.crc);
        out.put(&self.hash);
    }

    /// Reads the head at the front of `payload`.
    pub fn decode(payload: &[u8]) -> Result<PartHead, DecodeError> {
        let mut reader = Reader::new(payload);
        Ok(PartHead { size_bytes: reader.u32()?, crc: reader.u32()?, hash: reader.array()? })
    }
}
