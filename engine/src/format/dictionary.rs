//! How a zstd dictionary lies in a dictionary frame's payload (docs/format.md, "Dictionary payload"). Pure; trains and digests nothing.
use crate::base::Guid;
use crate::base::bytes::{DecodeError, Put, Reader};

/// Bytes before the dictionary.
pub const DICTIONARY_HEAD_BYTES: usize = 32;

/// What stands before the dictionary's bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DictionaryHead {
    /// Bytes of the dictionary, uncompressed.
    pub size_bytes: u32,
    /// CRC-32 of the dictionary, uncompressed.
    pub crc: u32,
    /// When it was trained, milliseconds since 1970-01-01 UTC.
    pub created_ms: i64,
    /// Its name over all shards of a store; the number by which frames call it is a shard's own.
    pub name: Guid,
}

impl DictionaryHead {
    /// Appends the 32 bytes.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_u32(self.size_bytes);
        out.put_u32(self.crc);
        out.put_i64(self.created_ms);
        out.put(&self.name.0);
    }

    /// Reads the head at the front of `payload`.
    pub fn decode(payload: &[u8]) -> Result<DictionaryHead, DecodeError> {
        let mut reader = Reader::new(payload);
        let (size_bytes, crc) = (reader.u32()?, reader.u32()?);
        Ok(DictionaryHead { size_bytes, crc, created_ms: reader.i64()?, name: Guid(reader.array()?) })
    }
}
