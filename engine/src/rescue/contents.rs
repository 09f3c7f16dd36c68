//! What frames hold, read with the proofs that stand inside them: the crc of a message, of its summary, the one encoding of events.
use super::walk::Frame;
use crate::base::{Guid, Lsn, SegmentId, ShardId};
use crate::delivery::{self, Blocks, Dictionary, message_in_block, summary, summary_in_block, unstage};
use crate::directory;
use crate::disk::File;
use crate::format::addresses::AddressTable;
use crate::format::block::Block;
use crate::format::frame::FRAME_HEADER_BYTES;
use crate::format::{
    Event, Footer, FrameHeader, FrameKind, FrameRef, MESSAGE_HEAD_BYTES, MessageHead, PartHead, SegmentHeader,
};
use crate::index::mime::SummaryRef;
use crate::log::FrameBytes;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

/// Reads what frames of one shard hold. It is shown every frame in order and keeps what later ones lean on: the dictionaries. Parts are read
/// where they stand, in the segment that is being walked.
#[derive(Default)]
pub(super) struct Contents(RefCell<Kept>);

#[derive(Default)]
struct Kept {
    dictionaries: HashMap<u16, Arc<Dictionary>>,
    /// Parts whose bytes were mended in memory only.
    mended: HashMap<(SegmentId, u32), FrameBytes>,
    reading: Option<(Arc<dyn File>, SegmentHeader)>,
    blocks: Arc<Blocks>,
}

/// Why a message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Unread {
    /// Its own bytes make no sense, although the frame's crc is right.
    Damaged(String),
    /// It leans on a frame that is lost; its own bytes may be whole.
    Needs(String),
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Unread::Damaged(why) | Unread::Needs(why)) = self;
        f.write_str(why)
    }
}

impl Contents {
    /// The segment whose frames come next.
    pub(super) fn reads(&self, file: &Arc<dyn File>, segment: &SegmentHeader) {
        let mut kept = self.0.borrow_mut();
        let same = kept.reading.as_ref().is_some_and(|(held, _)| Arc::ptr_eq(held, file));
        if !same {
            kept.reading = Some((file.clone(), *segment));
        }
    }

    /// A frame that is whole, or was made so.
    pub(super) fn saw(&self, segment: SegmentId, frame: &Frame) {
        match frame.header.kind {
            FrameKind::Dictionary => {
                if let Ok(dictionary) = Dictionary::decode(&frame.payload, frame.header.flags) {
                    self.0.borrow_mut().dictionaries.insert(frame.header.dictionary, Arc::new(dictionary));
                }
            }
            FrameKind::Part if frame.mended.is_some() => {
                let bytes = FrameBytes::owned(frame.header, frame.payload.clone(), 0..frame.payload.len());
                self.0.borrow_mut().mended.insert((segment, frame.offset as u32), bytes);
            }
            _ => {}
        }
    }

    fn dictionary(&self, header: &FrameHeader) -> Result<Option<Arc<Dictionary>>, Unread> {
        let missing =
            || format!("dictionary {}, which it was compressed with, is missing or damaged", header.dictionary);
        match header.dictionary {
            0 => Ok(None),
            id => {
                let found = self.0.borrow().dictionaries.get(&id).cloned();
                found.map(Some).ok_or_else(|| Unread::Needs(missing()))
            }
        }
    }

    /// The part frame at an offset of the segment that is being walked.
    fn part(&self, offset: u32) -> Option<FrameBytes> {
        let kept = self.0.borrow();
        let (file, segment) = kept.reading.as_ref()?;
        if let Some(mended) = kept.mended.get(&(segment.segment, offset)) {
            return Some(mended.clone());
        }
        let mut bytes = [0; FRAME_HEADER_BYTES];
        file.read_exact_at(&mut bytes, offset.into()).ok()?;
        let header = FrameHeader::decode(&bytes, segment.salt).ok()?;
        if header.kind != FrameKind::Part || header.lsn.0 != segment.first_lsn.0 + u64::from(offset) {
            return None;
        }
        let mut payload = vec![0; header.payload_len as usize];
        file.read_exact_at(&mut payload, u64::from(offset) + FRAME_HEADER_BYTES as u64).ok()?;
        let whole = FrameRef { header, payload: &payload }.payload_is_whole();
        let len = payload.len();
        whole.then(|| FrameBytes::owned(header, payload, 0..len))
    }

    /// A message of a block, proven by its own size and crc, with its guid.
    pub(super) fn block_message(
        &self,
        header: &FrameHeader,
        payload: &[u8],
        index: usize,
    ) -> Result<(Guid, Vec<u8>), Unread> {
        let dictionary = self.dictionary(header)?;
        let missing = Cell::new(false);
        let part_at = |offset| self.part_or(offset, &missing);
        let frame = FrameRef { header: *header, payload };
        let blocks = self.0.borrow().blocks.clone();
        let read = message_in_block(frame, index, dictionary.as_deref(), &part_at, &blocks);
        read.map_err(|why| if missing.get() { Unread::Needs(why) } else { Unread::Damaged(why) })
    }

    /// The summary of a message of a block, readable and of a message of its size.
    pub(super) fn block_summary(&self, header: &FrameHeader, payload: &[u8], index: usize) -> Result<Vec<u8>, String> {
        let dictionary = self.dictionary(header).map_err(|why| why.to_string())?;
        let summary = summary_in_block(payload, index, dictionary.as_deref())?;
        let read = SummaryRef::decode(&summary).map_err(|why| format!("the summary: {why}"))?;
        let size = Block::decode(payload).ok().and_then(|block| Some(block.rows.get(index)?.size_bytes));
        if Some(read.message_len()) != size {
            return Err("the summary is that of a message of another size".into());
        }
        Ok(summary)
    }

    /// Every message and summary of a block.
    fn block(&self, header: &FrameHeader, payload: &[u8]) -> Result<(), String> {
        let block = Block::decode(payload).map_err(|why| why.to_string())?;
        (0..block.rows.len()).try_for_each(|index| {
            self.block_message(header, payload, index).map_err(|why| why.to_string())?;
            self.block_summary(header, payload, index).map(drop)
        })
    }

    fn part_or(&self, offset: u32, missing: &Cell<bool>) -> Result<(FrameBytes, u8), String> {
        let part = self.part(offset);
        missing.set(missing.get() || part.is_none());
        let part = part.ok_or_else(|| format!("the part at byte {offset} is missing or damaged"))?;
        let flags = part.header().flags;
        Ok((part, flags))
    }

    /// The message in a frame's payload, proven by its own size and crc.
    pub(super) fn message(&self, header: &FrameHeader, payload: &[u8]) -> Result<Vec<u8>, Unread> {
        let dictionary = self.dictionary(header)?;
        let missing = Cell::new(false);
        let part_at = |offset| self.part_or(offset, &missing);
        let read = unstage(payload, header.flags, dictionary.as_deref(), &part_at);
        read.map_err(|why| if missing.get() { Unread::Needs(why) } else { Unread::Damaged(why) })
    }

    /// The summary in a message frame's payload, proven by its own crc and readable.
    pub(super) fn summary(&self, header: &FrameHeader, payload: &[u8]) -> Result<Vec<u8>, String> {
        let head = MessageHead::decode(payload).map_err(|why| why.to_string())?;
        let dictionary = self.dictionary(header).map_err(|why| why.to_string())?;
        let summary = match summary(payload, header.flags, dictionary.as_deref())? {
            Some(summary) => summary,
            None => payload[MESSAGE_HEAD_BYTES..head.body_start()].to_vec(),
        };
        let read = SummaryRef::decode(&summary).map_err(|why| format!("the summary: {why}"))?;
        if read.message_len() != head.size_bytes {
            return Err("the summary is that of a message of another size".into());
        }
        Ok(summary)
    }

    /// Whether a payload makes sense in every way that its kind knows: what mends a byte must pass it.
    pub(super) fn makes_sense(&self, shard: ShardId, header: &FrameHeader, payload: &[u8]) -> bool {
        match header.kind {
            FrameKind::Message => self.message(header, payload).is_ok() && self.summary(header, payload).is_ok(),
            FrameKind::Events if shard == ShardId::CONTROL => directory_events(payload).is_ok(),
            FrameKind::Events => transactions(header.lsn, header, payload).is_ok(),
            FrameKind::Footer => Footer::decode(payload).is_ok(),
            FrameKind::Dictionary => Dictionary::decode(payload, header.flags).is_ok(),
            FrameKind::Part => PartHead::decode(payload).is_ok(),
            FrameKind::Block => self.block(header, payload).is_ok(),
            FrameKind::Addresses => AddressTable::decode(payload).is_ok(),
        }
    }
}

/// An account shard's transactions in an event frame that stands at `lsn`, each with the place where it stood.
pub(super) fn transactions(lsn: Lsn, header: &FrameHeader, payload: &[u8]) -> Result<Vec<(Lsn, Vec<Event>)>, String> {
    let all = delivery::transactions(lsn, header.flags, payload)?;
    let decoded = |(lsn, events): (Lsn, Vec<u8>)| Ok((lsn, Event::decode_all(&events).map_err(|why| why.to_string())?));
    all.into_iter().map(decoded).collect()
}

/// The directory's events in a payload.
pub(super) fn directory_events(payload: &[u8]) -> Result<Vec<directory::Event>, String> {
    let mut reader = crate::base::bytes::Reader::new(payload);
    let mut events = Vec::new();
    while !reader.is_empty() {
        events.push(directory::Event::decode(&mut reader).map_err(|why| why.to_string())?);
    }
    Ok(events)
}
