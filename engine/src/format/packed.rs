//! Many transactions' events in one frame of a compacted segment (docs/format.md, "Packed events"). Pure; compresses nothing.
use crate::base::Lsn;
use crate::base::bytes::{DecodeError, Put, Reader};

/// Bytes before the transactions, which are a zstd frame.
pub const PACKED_HEAD_BYTES: usize = 12;

/// Gathers transactions in the order of the log.
#[derive(Debug, Default)]
pub struct Packer {
    first: Option<Lsn>,
    last: Lsn,
    bytes: Vec<u8>,
}

impl Packer {
    /// Adds the events of the transaction that stood at `lsn`.
    pub fn push(&mut self, lsn: Lsn, events: &[u8]) {
        let first = *self.first.get_or_insert(lsn);
        let before = if self.bytes.is_empty() { first } else { self.last };
        self.bytes.put_varint(lsn.0 - before.0);
        self.bytes.put_bytes(events);
        self.last = lsn;
    }

    /// Bytes gathered.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The head and the transactions, which are to be compressed; empties the packer. `None`: there are none.
    pub fn finish(&mut self) -> Option<([u8; PACKED_HEAD_BYTES], Vec<u8>)> {
        let first = self.first.take()?;
        let mut head = Vec::with_capacity(PACKED_HEAD_BYTES);
        head.put_u64(first.0);
        head.put_u32(self.bytes.len() as u32);
        let mut array = [0; PACKED_HEAD_BYTES];
        array.copy_from_slice(&head);
        Some((array, std::mem::take(&mut self.bytes)))
    }
}

/// The first transaction's Lsn, the bytes of all of them, and their zstd frame.
pub fn decode_head(payload: &[u8]) -> Result<(Lsn, u32, &[u8]), DecodeError> {
    let mut reader = Reader::new(payload);
    Ok((Lsn(reader.u64()?), reader.u32()?, reader.take(reader.remaining())?))
}

/// Each transaction's Lsn and events.
pub fn decode(first: Lsn, bytes: &[u8]) -> Result<Vec<(Lsn, &[u8])>, DecodeError> {
    let (mut reader, mut lsn, mut all) = (Reader::new(bytes), first, Vec::new());
    while !reader.is_empty() {
        let Some(next) = lsn.0.checked_add(reader.varint()?) else {
            return reader.error("a log position of 64 bits expected before this byte");
        };
        lsn = Lsn(next);
        all.push((lsn, reader.bytes()?));
    }
    Ok(all)
}
