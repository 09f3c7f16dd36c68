//! What frames hold, read with the proofs that stand inside them: the crc of a message, of its summary, the one encoding of events.
use crate::base::{SegmentId, ShardId};
use crate::delivery::{Dictionary, summary, unstage};
use crate::directory;
use crate::format::{Event, Footer, FrameHeader, FrameKind, MESSAGE_HEAD_BYTES, MessageHead, PartHead};
use crate::index::mime::SummaryRef;
use crate::log::FrameBytes;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// Reads what frames of one shard hold. It is shown every frame in order, and keeps what later ones refer to: the dictionaries, and the parts of
/// the segment that is being read.
#[derive(Default)]
pub(super) struct Contents(RefCell<Kept>);

#[derive(Default)]
struct Kept {
    dictionaries: HashMap<u16, Arc<Dictionary>>,
    segment: SegmentId,
    parts: HashMap<u32, FrameBytes>,
}

impl Contents {
    /// A frame that is whole, at an offset of a segment.
    pub(super) fn saw(&self, segment: SegmentId, offset: u64, header: &FrameHeader, payload: &[u8]) {
        let mut kept = self.0.borrow_mut();
        if kept.segment != segment {
            kept.segment = segment;
            kept.parts.clear();
        }
        match header.kind {
            FrameKind::Dictionary => {
                if let Ok(dictionary) = Dictionary::decode(payload, header.flags) {
                    kept.dictionaries.insert(header.dictionary, Arc::new(dictionary));
                }
            }
            FrameKind::Part => {
                let bytes = FrameBytes::owned(*header, payload.to_vec(), 0..payload.len());
                kept.parts.insert(offset as u32, bytes);
            }
            _ => {}
        }
    }

    fn dictionary(&self, header: &FrameHeader) -> Result<Option<Arc<Dictionary>>, String> {
        let missing =
            || format!("dictionary {}, which it was compressed with, is missing or damaged", header.dictionary);
        match header.dictionary {
            0 => Ok(None),
            id => self.0.borrow().dictionaries.get(&id).cloned().map(Some).ok_or_else(missing),
        }
    }

    /// The message in a frame's payload, proven by its own size and crc.
    pub(super) fn message(&self, header: &FrameHeader, payload: &[u8]) -> Result<Vec<u8>, String> {
        let dictionary = self.dictionary(header)?;
        let part_at = |offset| {
            let part = self.0.borrow().parts.get(&offset).cloned();
            let part = part.ok_or_else(|| format!("the part at byte {offset} is missing or damaged"))?;
            let flags = part.header().flags;
            Ok((part, flags))
        };
        unstage(payload, header.flags, dictionary.as_deref(), &part_at)
    }

    /// The summary in a message frame's payload, proven by its own crc and readable.
    pub(super) fn summary(&self, header: &FrameHeader, payload: &[u8]) -> Result<Vec<u8>, String> {
        let head = MessageHead::decode(payload).map_err(|why| why.to_string())?;
        let dictionary = self.dictionary(header)?;
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
            FrameKind::Events => Event::decode_all(payload).is_ok(),
            FrameKind::Footer => Footer::decode(payload).is_ok(),
            FrameKind::Dictionary => Dictionary::decode(payload, header.flags).is_ok(),
            FrameKind::Part => PartHead::decode(payload).is_ok(),
        }
    }
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
