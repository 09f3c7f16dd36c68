//! Reads messages and summaries of a shard's log: finds the frame, its dictionary and its parts, and proves what comes out. Waits for the disk.
use super::blocks::Blocks;
use super::cold::message_in_block;
use super::summaries::Summaries;
use super::{Dictionaries, unstage};
use crate::base::bytes::DecodeError;
use crate::base::{Error, Guid, Locator, Result};
use crate::format::block::Block;
use crate::format::{MESSAGE_HEAD_BYTES, MessageHead};
use crate::log::{Frame, FrameBytes, FrameKind, Place, Segments, Stored};
use std::sync::Arc;

/// What is needed to read the messages of a shard. Cheap to clone.
#[derive(Clone)]
pub struct MessageReader {
    pub(super) segments: Arc<Segments>,
    pub(super) dictionaries: Arc<Dictionaries>,
    blocks: Arc<Blocks>,
}

/// What reading a message would take.
pub(crate) enum Ahead {
    /// It was at hand, and here it is.
    Read(Vec<u8>),
    /// It lies in a frame of its own.
    InFrame,
    /// A block has to be unpacked for it.
    InBlock,
}

impl MessageReader {
    /// A reader of that log.
    pub fn new(segments: Arc<Segments>, dictionaries: Arc<Dictionaries>) -> MessageReader {
        MessageReader { segments, dictionaries, blocks: Arc::default() }
    }

    /// The message at `at`: read, proven, put together.
    ///
    /// # Errors
    /// `NotFound`: no such dictionary, or nothing referred to the message and compaction has dropped it. `Corrupt`: no such segment, or no
    /// message stands there, or it is not what was written.
    pub fn message(&self, at: Locator) -> Result<Vec<u8>> {
        let stored = self.segments.stored(at).map_err(|why| self.missing(at, why))?;
        self.put_together(stored, at).map(|(_, whole)| whole)
    }

    /// A message's guid and bytes from what was found at `at`. Errors as `message`.
    pub fn put_together(&self, stored: Stored, at: Locator) -> Result<(Guid, Vec<u8>)> {
        match stored {
            Stored::Frame(frame) if frame.kind == FrameKind::Message => {
                let dictionary = self.dictionaries.get(&self.segments, frame.dictionary)?;
                let part_at = |offset| part(self.segments.read(Locator { offset, ..at }));
                let whole = unstage(frame.payload(), frame.flags, dictionary.as_deref(), &part_at);
                let guid = MessageHead::decode(frame.payload()).map(|head| head.guid).unwrap_or_default();
                whole.map(|whole| (guid, whole)).map_err(|why: String| frame.corrupt(&why))
            }
            Stored::Frame(frame) => Err(frame.corrupt("a message frame expected")),
            Stored::InBlock { block, index, file } => {
                let dictionary = self.dictionaries.get(&self.segments, block.dictionary)?;
                let part_at = |offset| part(file.frame(&self.segments, offset));
                let found =
                    message_in_block(block.as_ref(), index as usize, dictionary.as_deref(), &part_at, &self.blocks);
                found.map_err(|why| block.corrupt(&why))
            }
        }
    }

    /// Gives the message at `at` if that needs neither disk nor decompression; else says what it needs. A hint.
    pub(crate) fn look_ahead(&self, at: Locator) -> Ahead {
        match self.segments.place(at) {
            Place::Frame => Ahead::InFrame,
            Place::InBlock(None) => Ahead::InBlock,
            Place::InBlock(Some((name, index))) => {
                let elsewhere = |_| Err("a part stands elsewhere".to_owned());
                let kept = self.blocks.get(name);
                match kept.and_then(|block| block.message(index as usize, &elsewhere).ok()) {
                    Some((_, whole)) => Ahead::Read(whole),
                    None => Ahead::InBlock,
                }
            }
        }
    }

    /// The encoded summary of the message at `at`. Errors as `message`.
    pub(crate) fn summary(&self, at: Locator) -> Result<Vec<u8>> {
        let mut all = self.summaries();
        all.get(at)?;
        Ok(all.into_vec())
    }

    /// Reads summaries one after the other: what neighbours share is looked for once.
    pub fn summaries(&self) -> Summaries<'_> {
        Summaries::new(self)
    }

    /// Bytes and crc of the message at `at`, without reading it. Errors as `message`.
    pub(crate) fn checksum(&self, at: Locator) -> Result<(u32, u32)> {
        if self.segments.is_compacted(at.segment)
            && let Stored::InBlock { block, index, .. } = self.segments.stored(at)?
        {
            let rows = Block::decode(block.payload()).map_err(|why| block.corrupt(&why.to_string()))?.rows;
            let row =
                rows.get(index as usize).ok_or_else(|| block.corrupt("as many messages as addressed expected"))?;
            return Ok((row.size_bytes, row.crc));
        }
        let bytes = self.segments.read_part(at, 0..MESSAGE_HEAD_BYTES)?;
        let why =
            |why: DecodeError| Error::corrupt(self.segments.file_name(at.segment), at.offset.into(), why.to_string());
        MessageHead::decode(&bytes).map(|head| (head.size_bytes, head.crc)).map_err(why)
    }

    /// An entry's segment that is not there is damage, and not a wrong question.
    pub(super) fn missing(&self, at: Locator, why: Error) -> Error {
        match why {
            // What compaction has dropped is not found by an old view: that is no damage.
            Error::NotFound(_) if !self.segments.is_compacted(at.segment) => {
                let name = self.segments.file_name(at.segment);
                Error::corrupt(name, at.offset.into(), "a message expected; the file is missing")
            }
            why => why,
        }
    }

    /// Whether reading `bytes` of the frame at `at` would not wait for the disk; a hint.
    pub fn is_resident(&self, at: Locator, bytes: usize) -> bool {
        self.segments.is_resident(at, bytes)
    }
}

fn part(frame: Result<Frame>) -> Result<(FrameBytes, u8), String> {
    let frame = frame.and_then(|frame| frame.check().map(|()| frame)).map_err(|why| why.to_string())?;
    if frame.kind != FrameKind::Part {
        return Err("a part frame where the recipe says expected".into());
    }
    let flags = frame.flags;
    Ok((frame.into_bytes(), flags))
}
