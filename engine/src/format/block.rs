//! How several messages lie in one block frame's payload (docs/format.md, "Block payload"). Pure; compresses nothing.
use super::frame::{FRAME_FLAG_RECIPE, FRAME_FLAG_SUMMARY_ZSTD};
use crate::base::Guid;
use crate::base::bytes::{DecodeError, Put, Reader};

/// Bytes before the rows.
pub const BLOCK_HEAD_BYTES: usize = 16;
/// Bytes of one row.
pub const BLOCK_ROW_BYTES: usize = 41;
/// Where in a row the length of its summary stands.
const SUMMARY_LEN_AT: usize = 28;

/// One message of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockRow {
    /// The content's name.
    pub guid: Guid,
    /// Bytes of the message.
    pub size_bytes: u32,
    /// CRC-32 of the message.
    pub crc: u32,
    /// Bytes of its recipe, if it has one, and its text in the block's text.
    pub text_len: u32,
    /// Bytes of its summary as it stands in the block.
    pub summary_len: u32,
    /// CRC-32 of these.
    pub summary_crc: u32,
    /// Of `FRAME_FLAG_SUMMARY_ZSTD` and `FRAME_FLAG_RECIPE`.
    pub flags: u8,
    /// Where it stood, as in the address table: bytes of log from the first covered segment's start, divided by 8.
    pub stood: u32,
}

/// A block's rows, proven, and the places of the rest in its payload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Block {
    /// The messages.
    pub rows: Vec<BlockRow>,
    /// Bytes of the text, uncompressed.
    pub text_bytes: u32,
    summaries_at: usize,
    text_at: usize,
}

/// Appends head and rows; summaries and text follow.
pub fn encode_head(rows: &[BlockRow], text_bytes: u32, out: &mut Vec<u8>) {
    let mut bytes = Vec::with_capacity(rows.len() * BLOCK_ROW_BYTES);
    for row in rows {
        bytes.put(&row.guid.0);
        bytes.put_u32(row.size_bytes);
        bytes.put_u32(row.crc);
        bytes.put_u32(row.text_len);
        bytes.put_u32(row.summary_len);
        bytes.put_u32(row.summary_crc);
        bytes.put_u8(row.flags);
        bytes.put_u32(row.stood);
    }
    out.put_u32(rows.len() as u32);
    out.put_u32(text_bytes);
    out.put_u32(crc32fast::hash(&bytes));
    out.put_u32(0);
    out.put(&bytes);
}

/// A row and its summary as it stands in the payload, without a look at what the other rows say but for its place; `None`: no such row.
pub fn summary_at(payload: &[u8], index: usize) -> Result<Option<(BlockRow, &[u8])>, DecodeError> {
    let mut reader = Reader::new(payload);
    let (count, _, bytes) = rows(&mut reader)?;
    if index >= count {
        return Ok(None);
    }
    let (before, from) = bytes.split_at(index * BLOCK_ROW_BYTES);
    let lengths =
        before.chunks_exact(BLOCK_ROW_BYTES).map(|row| Reader::new(&row[SUMMARY_LEN_AT..]).u32().map(u64::from));
    let start = lengths.sum::<Result<u64, DecodeError>>()?;
    let row = row(&mut Reader::new(from))?;
    reader.take(usize::try_from(start).unwrap_or(usize::MAX))?;
    Ok(Some((row, reader.take(row.summary_len as usize)?)))
}

/// Number of rows, bytes of the text, and the rows, proven by their crc; what stands behind the rows is left in the reader.
fn rows<'a>(reader: &mut Reader<'a>) -> Result<(usize, u32, &'a [u8]), DecodeError> {
    let (count, text_bytes, crc) = (reader.u32()? as usize, reader.u32()?, reader.u32()?);
    reader.take(4)?;
    let len = count.checked_mul(BLOCK_ROW_BYTES).filter(|len| *len <= reader.remaining());
    let Some(len) = len else { return reader.error("as many rows as counted expected") };
    let bytes = reader.take(len)?;
    if crc32fast::hash(bytes) != crc {
        return Err(DecodeError { at: 8, what: "the crc of the rows expected" });
    }
    Ok((count, text_bytes, bytes))
}

impl Block {
    /// Reads head and rows of a payload.
    pub fn decode(payload: &[u8]) -> Result<Block, DecodeError> {
        let mut reader = Reader::new(payload);
        let (count, text_bytes, bytes) = rows(&mut reader)?;
        let mut each = Reader::new(bytes);
        let rows = (0..count).map(|_| row(&mut each)).collect::<Result<Vec<_>, _>>()?;
        let summaries: u64 = rows.iter().map(|row| u64::from(row.summary_len)).sum();
        let texts: u64 = rows.iter().map(|row| u64::from(row.text_len)).sum();
        if summaries > reader.remaining() as u64 || texts != u64::from(text_bytes) {
            return reader.error("summaries within the block and texts that fill its text expected");
        }
        let summaries_at = reader.position();
        Ok(Block { rows, text_bytes, summaries_at, text_at: summaries_at + summaries as usize })
    }

    /// The summary of a message as it stands in the payload.
    pub fn summary<'a>(&self, payload: &'a [u8], index: usize) -> Option<&'a [u8]> {
        let before: usize = self.rows.get(..index)?.iter().map(|row| row.summary_len as usize).sum();
        let start = self.summaries_at + before;
        payload.get(start..start + self.rows.get(index)?.summary_len as usize)
    }

    /// The stored text: a zstd frame when the frame's flag says so.
    pub fn text<'a>(&self, payload: &'a [u8]) -> &'a [u8] {
        payload.get(self.text_at..).unwrap_or_default()
    }

    /// Where a message's recipe and text stand in the block's uncompressed text.
    pub fn range(&self, index: usize) -> Option<std::ops::Range<usize>> {
        let start: usize = self.rows.get(..index)?.iter().map(|row| row.text_len as usize).sum();
        Some(start..start + self.rows.get(index)?.text_len as usize)
    }
}

fn row(reader: &mut Reader<'_>) -> Result<BlockRow, DecodeError> {
    let row = BlockRow {
        guid: Guid(reader.array()?),
        size_bytes: reader.u32()?,
        crc: reader.u32()?,
        text_len: reader.u32()?,
        summary_len: reader.u32()?,
        summary_crc: reader.u32()?,
        flags: reader.u8()?,
        stood: reader.u32()?,
    };
    match row.flags & !(FRAME_FLAG_SUMMARY_ZSTD | FRAME_FLAG_RECIPE) {
        0 => Ok(row),
        _ => reader.error("flags of a message in a block expected before this byte"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn payload(lengths: &[(u8, u8)]) -> Vec<u8> {
        let rows: Vec<BlockRow> = lengths
            .iter()
            .enumerate()
            .map(|(at, (summary, text))| BlockRow {
                guid: Guid([at as u8; 16]),
                summary_len: u32::from(*summary),
                text_len: u32::from(*text),
                stood: at as u32,
                ..BlockRow::default()
            })
            .collect();
        let mut out = Vec::new();
        encode_head(&rows, rows.iter().map(|row| row.text_len).sum(), &mut out);
        rows.iter().for_each(|row| out.resize(out.len() + row.summary_len as usize, row.guid.0[0]));
        out.extend_from_slice(b"the text");
        out
    }

    proptest! {
        #[test]
        fn one_summary_is_what_the_whole_block_says(lengths in proptest::collection::vec((0u8..40, 0u8..40), 0..30)) {
            let payload = payload(&lengths);
            let block = Block::decode(&payload).expect("whole");
            for index in 0..lengths.len() + 2 {
                let wanted = block.rows.get(index).copied().zip(block.summary(&payload, index));
                prop_assert_eq!(summary_at(&payload, index), Ok(wanted));
            }
        }

        #[test]
        fn no_bytes_make_a_reader_panic(bytes: Vec<u8>, lengths in proptest::collection::vec((0u8..40, 0u8..40), 0..30), cut: usize, index in 0usize..40) {
            let mut payload = payload(&lengths);
            payload.truncate(cut % (payload.len() + 1));
            for bytes in [bytes, payload] {
                let _ = summary_at(&bytes, index);
                if let Ok(block) = Block::decode(&bytes) {
                    let _ = (block.summary(&bytes, index), block.text(&bytes), block.range(index));
                }
            }
        }
    }
}
