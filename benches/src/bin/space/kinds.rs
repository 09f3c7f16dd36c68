//! What the bytes of a store's log are: by kind of frame, and what is inside messages and blocks. Reads files that nobody writes.
use crate::Outcome;
use posthouse_engine::format::block::{BLOCK_HEAD_BYTES, BLOCK_ROW_BYTES, Block};
use posthouse_engine::format::frame::FRAME_HEADER_BYTES;
use posthouse_engine::format::segment::SEGMENT_HEADER_BYTES;
use posthouse_engine::format::{FrameHeader, FrameKind, MESSAGE_HEAD_BYTES, MessageHead, SegmentHeader};
use std::collections::BTreeMap;
use std::path::Path;

/// Bytes by what they are, frame headers and padding apart.
pub(crate) type Kinds = BTreeMap<&'static str, u64>;

/// Adds up every segment below `dir`.
pub(crate) fn kinds(dir: &Path) -> Outcome<Kinds> {
    let mut all = Kinds::new();
    for entry in std::fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() {
            kinds(&path)?.into_iter().for_each(|(kind, bytes)| *all.entry(kind).or_default() += bytes);
        } else if path.extension().is_some_and(|end| end == "phl") {
            segment(&std::fs::read(&path)?, &mut all)?;
        }
    }
    Ok(all)
}

fn segment(bytes: &[u8], all: &mut Kinds) -> Outcome<()> {
    let header = SegmentHeader::decode(bytes).map_err(|why| why.to_string())?;
    let (mut at, mut add) = (SEGMENT_HEADER_BYTES, |kind, bytes: usize| *all.entry(kind).or_default() += bytes as u64);
    while let Some(rest) = bytes.get(at..).filter(|rest| rest.len() >= FRAME_HEADER_BYTES) {
        // Behind the last frame stand the trailer, or zeros.
        let Ok(frame) = FrameHeader::decode(rest, header.salt) else { break };
        let payload = rest.get(FRAME_HEADER_BYTES..FRAME_HEADER_BYTES + frame.payload_len as usize);
        let payload = payload.ok_or("a whole frame expected")?;
        add("frame headers, padding", frame.frame_bytes() - payload.len());
        match frame.kind {
            FrameKind::Message => {
                let head = MessageHead::decode(payload).map_err(|why| why.to_string())?;
                add("message heads", MESSAGE_HEAD_BYTES);
                add("message summaries", head.summary_len as usize);
                add("message bodies", payload.len() - head.body_start());
            }
            FrameKind::Block => {
                let block = Block::decode(payload).map_err(|why| why.to_string())?;
                add("block rows", BLOCK_HEAD_BYTES + block.rows.len() * BLOCK_ROW_BYTES);
                add("block summaries", block.rows.iter().map(|row| row.summary_len as usize).sum());
                add("block texts", block.text(payload).len());
            }
            FrameKind::Events => add("events", payload.len()),
            FrameKind::Footer => add("footers", payload.len()),
            FrameKind::Dictionary => add("dictionaries", payload.len()),
            FrameKind::Part => add("parts", payload.len()),
            FrameKind::Addresses => add("address tables", payload.len()),
        }
        at += frame.frame_bytes();
    }
    add("segment headers, trailers, zeros", SEGMENT_HEADER_BYTES + bytes.len().saturating_sub(at));
    Ok(())
}
