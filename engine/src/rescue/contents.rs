//! What frames hold, read with the proofs that stand inside them: the crc of a message, of its summary, the one encoding of events.
use crate::base::ShardId;
use crate::delivery::unstage;
use crate::directory;
use crate::format::{Event, Footer, FrameHeader, FrameKind, MESSAGE_HEAD_BYTES, MessageHead};
use crate::index::mime::SummaryRef;

/// Reads what frames of one shard hold.
#[derive(Default)]
pub(super) struct Contents {}

impl Contents {
    /// The message in a frame's payload, proven by its own size and crc.
    pub(super) fn message(&self, header: &FrameHeader, payload: &[u8]) -> Result<Vec<u8>, String> {
        unstage(payload, header.is_zstd())
    }

    /// The summary in a message frame's payload, proven by its own crc and readable.
    pub(super) fn summary(&self, _header: &FrameHeader, payload: &[u8]) -> Result<Vec<u8>, String> {
        let head = MessageHead::decode(payload).map_err(|why| why.to_string())?;
        let summary =
            payload.get(MESSAGE_HEAD_BYTES..head.body_start()).ok_or("a summary within the frame expected")?;
        if crc32fast::hash(summary) != head.summary_crc {
            return Err("the summary differs from its crc".into());
        }
        let read = SummaryRef::decode(summary).map_err(|why| format!("the summary: {why}"))?;
        if read.message_len() != head.size_bytes {
            return Err("the summary is that of a message of another size".into());
        }
        Ok(summary.to_vec())
    }

    /// Whether a payload makes sense in every way that its kind knows: what mends a byte must pass it.
    pub(super) fn makes_sense(&self, shard: ShardId, header: &FrameHeader, payload: &[u8]) -> bool {
        match header.kind {
            FrameKind::Message => self.message(header, payload).is_ok() && self.summary(header, payload).is_ok(),
            FrameKind::Events if shard == ShardId::CONTROL => directory_events(payload).is_ok(),
            FrameKind::Events => Event::decode_all(payload).is_ok(),
            FrameKind::Footer => Footer::decode(payload).is_ok(),
            FrameKind::Dictionary => true,
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
