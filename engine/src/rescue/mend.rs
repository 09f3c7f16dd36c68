//! Mends a frame of which little was changed, if what comes out is proven: one byte of a header by the salted crc, one byte of a payload by
//! the frame's crc and by what the payload holds, a summary by making it again from the message. Never guesses.
use super::contents::Contents;
use super::crc::single_changes;
use super::walk::Frame;
use crate::base::{Lsn, ShardId};
use crate::format::frame::{FRAME_HEADER_BYTES, FrameHeader, FrameKind};
use crate::format::{FRAME_FLAG_SUMMARY_ZSTD, MESSAGE_HEAD_BYTES, MessageHead};
use crate::index::mime;

/// Longer event payloads are not mended: too many changes of a byte come out right by chance, and events have one proof only.
const EVENTS_BYTES_MAX: usize = 64 << 10;

/// The one change of a byte that makes a header of `bytes`: the header, the byte's offset in it, and its old and new value.
pub(super) fn header(bytes: &[u8], salt: u32, lsn: Lsn) -> Option<(FrameHeader, usize, u8, u8)> {
    let mut tried: [u8; FRAME_HEADER_BYTES] = bytes.try_into().ok()?;
    for at in 0..tried.len() {
        let old = tried[at];
        for change in 1..=255 {
            tried[at] = old ^ change;
            if let Ok(header) = FrameHeader::decode(&tried, salt)
                && header.lsn == lsn
            {
                return Some((header, at, old, tried[at]));
            }
        }
        tried[at] = old;
    }
    None
}

/// Mends the payload of a frame whose header is believed; says what was done. The frame is as before if nothing can be proven.
pub(super) fn payload(frame: &mut Frame, shard: ShardId, contents: &Contents) -> Option<String> {
    if frame.payload.is_empty() {
        return None;
    }
    let what = one_byte(frame, shard, contents).or_else(|| summary(frame, contents))?;
    frame.whole = crc32fast::hash(&frame.payload) == frame.header.payload_crc;
    frame.whole.then_some(what)
}

fn one_byte(frame: &mut Frame, shard: ShardId, contents: &Contents) -> Option<String> {
    let header = frame.header;
    if header.kind == FrameKind::Events && frame.payload.len() > EVENTS_BYTES_MAX {
        return None;
    }
    let found = crc32fast::hash(&frame.payload);
    let mut proven = None;
    for (at, change) in single_changes(frame.payload.len(), found, header.payload_crc) {
        frame.payload[at] ^= change;
        if contents.makes_sense(shard, &header, &frame.payload) {
            if proven.is_some() {
                // Two ways to be right are none.
                frame.payload[at] ^= change;
                return None;
            }
            proven = Some((at, change));
        }
        frame.payload[at] ^= change;
    }
    let (at, change) = proven?;
    let old = frame.payload[at];
    frame.payload[at] ^= change;
    let place = frame.offset + (FRAME_HEADER_BYTES + at) as u64;
    Some(format!("the byte at {place} was changed from {:02x} to {old:02x}", old ^ change))
}

/// A message that is whole although its frame is not: head and summary are made again from it.
fn summary(frame: &mut Frame, contents: &Contents) -> Option<String> {
    if frame.header.kind != FrameKind::Message {
        return None;
    }
    let message = contents.message(&frame.header, &frame.payload).ok()?;
    let head = MessageHead::decode(&frame.payload).ok()?;
    let mut summary = Vec::new();
    mime::summarize(&message).encode(&mut summary);
    // A compressed one could only be made again with the very same dictionary and zstd; the message itself is what matters.
    if frame.header.flags & FRAME_FLAG_SUMMARY_ZSTD != 0 {
        return None;
    }
    if summary.len() != head.summary_len as usize {
        return None;
    }
    let mut mended = frame.payload.clone();
    mended[MESSAGE_HEAD_BYTES..head.body_start()].copy_from_slice(&summary);
    if crc32fast::hash(&mended) != frame.header.payload_crc {
        return None;
    }
    frame.payload = mended;
    Some("the summary was damaged; it is made again from the message, which is whole".into())
}
