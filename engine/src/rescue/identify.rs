//! Which segment a file is: by its header, or, when that is damaged, by the frames in it. A header is made up only when frames prove it.
use super::crc::salt_of;
use super::source::{SKIP_BYTES, Source};
use crate::base::{Lsn, ShardId};
use crate::format::frame::{FRAME_ALIGN, FRAME_HEADER_BYTES, FRAME_MAGIC, FrameHeader, FrameRef, at as frame_at};
use crate::format::segment::{SEGMENT_HEADER_BYTES, SEGMENT_VERSION, at};
use crate::format::{Covers, FrameKind, SegmentHeader};
use crate::log::Unit;
use std::collections::HashMap;

/// Frame headers that are asked for the salt; more prove nothing more.
const VOTES_MAX: usize = 64;

/// A segment's header and what was wrong with the bytes of it.
#[derive(Clone, Debug)]
pub(super) struct Identity {
    pub(super) header: SegmentHeader,
    pub(super) damage: Option<String>,
}

/// Why a file is no segment that can be read.
#[derive(Clone, Debug)]
pub(super) enum Unknown {
    /// Written by a newer program.
    Newer(String),
    /// Nothing in it is believed.
    Nothing(String),
}

/// The identity of a file that is named as this segment of `shard`.
pub(super) fn identify(source: &mut Source, shard: ShardId, unit: Unit) -> Result<Identity, Unknown> {
    let bytes = source.get(0, SEGMENT_HEADER_BYTES).map(<[u8]>::to_vec).unwrap_or_default();
    let why = match SegmentHeader::decode(&bytes) {
        Ok(header) => return Ok(Identity { header, damage: None }),
        Err(why) if why.at == at::READER_VERSION && bytes.len() == SEGMENT_HEADER_BYTES => {
            return Err(Unknown::Newer(why.what.into()));
        }
        Err(why) => why.what,
    };
    if let Some((at, header)) = one_byte(&bytes, shard, unit) {
        return Ok(Identity { header, damage: Some(format!("{why}; the byte at {at} was changed")) });
    }
    let (salt, first_lsn) = salt_by_frames(source).ok_or_else(|| Unknown::Nothing(why.into()))?;
    let number =
        |from: usize| bytes.get(from..from + 8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
    // Both are for people only; what the damaged bytes say is taken if it can be true.
    let created = number(at::CREATED_MS).and_then(|ms| i64::try_from(ms).ok()).filter(|ms| *ms < 1 << 42).unwrap_or(0);
    let epoch = number(at::EPOCH).filter(|epoch| (1..1 << 32).contains(epoch)).unwrap_or(1);
    let said = bytes.get(at::VERSION).map(|version| u16::from(*version));
    let version = said.filter(|version| (1..=SEGMENT_VERSION).contains(version)).unwrap_or(SEGMENT_VERSION);
    // How many bytes of log a compacted segment stands for is known from the segment that follows, if not from what is left here.
    let said = number(at::COVERED_BYTES).filter(|bytes| *bytes < 1 << 40).unwrap_or(0);
    let covers = (unit.generation > 0).then_some(Covers { segments: unit.last.0 - unit.first.0 + 1, bytes: said });
    let (segment, first_lsn, created_ms) = (unit.first, Lsn(first_lsn), created);
    let header = SegmentHeader { version, shard, epoch, segment, first_lsn, created_ms, salt, covers };
    Ok(Identity { header, damage: Some(format!("{why}; the frames after it prove salt and log position")) })
}

/// The header after the one change of a byte that makes it right.
fn one_byte(bytes: &[u8], shard: ShardId, unit: Unit) -> Option<(usize, SegmentHeader)> {
    let mut tried = bytes.to_vec();
    for at in 0..bytes.len() {
        for change in 1..=255 {
            tried[at] = bytes[at] ^ change;
            if let Ok(header) = SegmentHeader::decode(&tried)
                && (header.shard, header.segment, header.last_segment()) == (shard, unit.first, unit.last)
                && header.covers.is_some() == (unit.generation > 0)
            {
                return Some((at, header));
            }
        }
        tried[at] = bytes[at];
    }
    None
}

/// Each frame header's crc names the salt that it was begun with, and its log position the file's first one: what two of them say is
/// true, and what one says whose payload fits.
fn salt_by_frames(source: &mut Source) -> Option<(u32, u64)> {
    let mut votes: HashMap<(u32, u64), usize> = HashMap::new();
    let (mut asked, mut at) = (0, SEGMENT_HEADER_BYTES as u64);
    while at + FRAME_HEADER_BYTES as u64 <= source.len && asked < VOTES_MAX {
        let Some(bytes) = source.get(at, FRAME_HEADER_BYTES) else {
            at = (at + 1).next_multiple_of(SKIP_BYTES);
            continue;
        };
        if bytes.starts_with(&FRAME_MAGIC) {
            let bytes = bytes.to_vec();
            asked += 1;
            if let Some((vote, sure)) = vote(source, &bytes, at) {
                if sure {
                    return Some(vote);
                }
                let count = votes.entry(vote).or_default();
                *count += 1;
                if *count == 2 {
                    return Some(vote);
                }
            }
        }
        at += FRAME_ALIGN as u64;
    }
    None
}

/// Salt and first log position as the frame header at `at` says, and whether its payload proves it.
fn vote(source: &mut Source, bytes: &[u8], at: u64) -> Option<((u32, u64), bool)> {
    let salt = salt_of(&bytes[..frame_at::CRC], super::walk::crc_in(bytes));
    let header = FrameHeader::decode(bytes, salt).ok()?;
    let first_lsn = header.lsn.0.checked_sub(at)?;
    let payload = source.read(at + FRAME_HEADER_BYTES as u64, header.payload_len as usize);
    let whole = payload.is_some_and(|payload| FrameRef { header, payload: &payload }.payload_is_whole());
    // An empty payload has a crc that anybody can guess.
    Some(((salt, first_lsn), whole && header.payload_len > 0 && header.kind != FrameKind::Footer))
}
