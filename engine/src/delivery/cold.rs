//! Cold mail: several messages in one block, compressed together; many transactions' events in one frame. Does no I/O.
use super::blocks::{Blocks, Unpacked};
use super::stage::{Prepared, StagedPart, prepare, recipe_of};
use super::unstage::join;
use super::zstd::{ColdEncoder, grow};
use super::{Dictionary, PartAt};
use crate::base::limits::{EVENT_PAYLOAD_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::base::{Guid, Lsn};
use crate::format::block::{self, Block, BlockRow};
use crate::format::packed::{self, Packer};
use crate::format::{FRAME_FLAG_RECIPE, FRAME_FLAG_ZSTD, FrameRef, recipe};
use std::sync::Arc;

/// Bytes of text after which a block is full: reading one message decompresses all of it (docs/decisions/0012).
pub(crate) const BLOCK_TEXT_BYTES: usize = 512 << 10;

/// A message ready for a block.
pub(crate) struct ColdMessage {
    guid: Guid,
    prepared: Prepared,
}

impl ColdMessage {
    /// `encoder` is that of the block.
    pub(crate) fn new(guid: Guid, whole: Vec<u8>, encoder: Option<&mut ColdEncoder>) -> ColdMessage {
        let small = |summary: &[u8]| encoder.and_then(|encoder| encoder.shrink_short(summary));
        ColdMessage { guid, prepared: prepare(whole, small, |_, _| {}) }
    }

    /// The parts that are to be stored by themselves.
    pub(crate) fn parts(&self) -> &[StagedPart] {
        &self.prepared.parts
    }

    /// Bytes that it adds to a block's text, but for its recipe.
    pub(crate) fn text_bytes(&self) -> usize {
        self.prepared.text.len()
    }
}

/// Gathers a block.
#[derive(Default)]
pub(crate) struct BlockBuilder {
    rows: Vec<BlockRow>,
    summaries: Vec<u8>,
    text: Vec<u8>,
}

impl BlockBuilder {
    /// Adds a message whose parts stand at `offsets` and that `stood` there (see `BlockRow`); its number in the block.
    pub(crate) fn push(&mut self, message: ColdMessage, stood: u32, offsets: &[u32]) -> u32 {
        let Prepared { size_bytes, crc, summary, flags, text, pieces, .. } = message.prepared;
        let before = self.text.len();
        self.text.extend_from_slice(&recipe_of(&pieces, offsets));
        self.text.extend_from_slice(&text);
        self.summaries.extend_from_slice(&summary);
        self.rows.push(BlockRow {
            guid: message.guid,
            size_bytes,
            crc,
            text_len: (self.text.len() - before) as u32,
            summary_len: summary.len() as u32,
            summary_crc: crc32fast::hash(&summary),
            flags,
            stood,
        });
        self.rows.len() as u32 - 1
    }

    pub(crate) fn text_bytes(&self) -> usize {
        self.text.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// The block frame's payload in parts, and its flags; the builder is empty after.
    pub(crate) fn finish(&mut self, encoder: Option<&mut ColdEncoder>) -> ([Vec<u8>; 3], u8) {
        let mut head = Vec::new();
        block::encode_head(&self.rows, self.text.len() as u32, &mut head);
        let (summaries, text) = (std::mem::take(&mut self.summaries), std::mem::take(&mut self.text));
        self.rows.clear();
        match encoder.and_then(|encoder| encoder.shrink(&text)) {
            Some(small) => ([head, summaries, small], FRAME_FLAG_ZSTD),
            None => ([head, summaries, text], 0),
        }
    }
}

/// Message `index` of the block in a frame; its guid too. The block is kept among `blocks`. `Err` says what does not fit.
pub(crate) fn message_in_block(
    frame: FrameRef<'_>,
    index: usize,
    dictionary: Option<&Dictionary>,
    part_at: PartAt<'_>,
    blocks: &Blocks,
) -> Result<(Guid, Vec<u8>), String> {
    // Position and payload crc name the block: another one at the same place differs in its crc.
    let name = (frame.header.lsn.0, frame.header.payload_crc);
    if let Some(unpacked) = blocks.get(name) {
        return unpacked.message(index, part_at);
    }
    let block = Block::decode(frame.payload).map_err(|why| why.to_string())?;
    let text = block_text(&block, frame, dictionary)?;
    let unpacked = Arc::new(Unpacked { block, text });
    if unpacked.text.len() <= 2 * BLOCK_TEXT_BYTES {
        blocks.put(name, unpacked.clone());
    }
    unpacked.message(index, part_at)
}

fn block_text(block: &Block, frame: FrameRef<'_>, dictionary: Option<&Dictionary>) -> Result<Vec<u8>, String> {
    let size = block.text_bytes as usize;
    if size > MESSAGE_BYTES_MAX + BLOCK_TEXT_BYTES {
        return Err(format!("a block within MESSAGE_BYTES_MAX expected, {size} bytes found"));
    }
    let stored = block.text(frame.payload);
    let text = if frame.header.is_zstd() { grow(stored, size, dictionary)? } else { stored.to_vec() };
    if text.len() == size { Ok(text) } else { Err("a text of the size that the block says expected".into()) }
}

pub(super) fn from_text(row: &BlockRow, text: Option<&[u8]>, part_at: PartAt<'_>) -> Result<(Guid, Vec<u8>), String> {
    let (text, size) = (text.ok_or("a text within the block expected")?, row.size_bytes as usize);
    let whole = if row.flags & FRAME_FLAG_RECIPE != 0 {
        let (pieces, body) = recipe::decode(text).map_err(|why| format!("recipe {why}"))?;
        join(&pieces, body, size, part_at)?
    } else {
        text.to_vec()
    };
    if whole.len() != size || crc32fast::hash(&whole) != row.crc {
        return Err("the message differs from its size or crc".into());
    }
    Ok((row.guid, whole))
}

/// A frame of packed events and its flags; `None` when nothing was packed.
pub(crate) fn pack(packer: &mut Packer) -> Option<(Vec<u8>, u8)> {
    let (head, bytes) = packer.finish()?;
    let mut payload = head.to_vec();
    // Packed events are always a zstd frame, since the frame's flag tells them from one transaction's.
    payload.extend_from_slice(&super::zstd::squeeze(&bytes)?);
    Some((payload, FRAME_FLAG_ZSTD))
}

/// The transactions in an event frame that stands at `lsn`: its own, or since compaction many. `Err` says what does not fit.
pub fn transactions(lsn: Lsn, flags: u8, payload: &[u8]) -> Result<Vec<(Lsn, Vec<u8>)>, String> {
    if flags & FRAME_FLAG_ZSTD == 0 {
        return Ok(vec![(lsn, payload.to_vec())]);
    }
    let (first, size, packed) = packed::decode_head(payload).map_err(|why| why.to_string())?;
    if size as usize > 2 * EVENT_PAYLOAD_BYTES_MAX {
        return Err(format!("packed events within {} bytes expected, {size} found", 2 * EVENT_PAYLOAD_BYTES_MAX));
    }
    let bytes = grow(packed, size as usize, None)?;
    if bytes.len() != size as usize {
        return Err("packed events of the size that they say expected".into());
    }
    let all = packed::decode(first, &bytes).map_err(|why| why.to_string())?;
    Ok(all.into_iter().map(|(lsn, events)| (lsn, events.to_vec())).collect())
}
