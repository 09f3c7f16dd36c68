//! From bytes to a message frame's payload: parsed once, base64 parts decoded, compressed once. Does no I/O.
use super::zstd::{shrink, shrink_fast};
use super::{Dictionary, base64};
use crate::base::limits::{MESSAGE_BYTES_MAX, PART_APART_BYTES_MIN};
use crate::base::{Error, Guid, Result};
use crate::format::recipe::{self, Kept, Piece};
use crate::format::{
    FRAME_FLAG_RECIPE, FRAME_FLAG_SUMMARY_ZSTD, FRAME_FLAG_ZSTD, MessageHead, PART_HEAD_BYTES, PartHash, PartHead,
};
use crate::index::mime;
use blake2::digest::consts::U32;
use blake2::{Blake2b, Digest};
use std::sync::Arc;

/// A message ready to be committed.
#[derive(Debug)]
pub struct Staged {
    pub(crate) guid: Guid,
    pub(crate) size_bytes: u32,
    /// Seconds since 1970 UTC.
    pub(crate) received: i64,
    /// Head and summary.
    pub(crate) front: Vec<u8>,
    pub(crate) body: Vec<u8>,
    pub(crate) flags: u8,
    /// What summary and body are compressed with; each shard that takes the message keeps it too.
    pub(crate) dictionary: Option<Arc<Dictionary>>,
    pieces: Vec<Piece>,
    /// The parts that are stored by themselves, in the order of the pieces that are `Apart`.
    pub(crate) parts: Vec<StagedPart>,
}

/// A part frame to be.
#[derive(Debug)]
pub(crate) struct StagedPart {
    pub(crate) hash: PartHash,
    pub(crate) payload: Vec<u8>,
    pub(crate) flags: u8,
}

impl Staged {
    /// Bytes of the message with its trace headers: what each target is charged.
    pub fn size_bytes(&self) -> u32 {
        self.size_bytes
    }

    /// The content's name.
    pub fn guid(&self) -> Guid {
        self.guid
    }

    /// Bytes that the message takes in the log, if none of its parts is there yet.
    pub fn stored_bytes(&self) -> usize {
        let parts: usize = self.parts.iter().map(|part| part.payload.len()).sum();
        self.front.len() + self.body.len() + parts
    }

    /// The recipe when the parts stand at `offsets` of the segment; empty when the message has none.
    pub(crate) fn recipe(&self, offsets: &[u32]) -> Vec<u8> {
        recipe_of(&self.pieces, offsets)
    }
}

/// The recipe when the parts that are not inline stand at `offsets`; empty when there are no pieces.
pub(super) fn recipe_of(pieces: &[Piece], offsets: &[u32]) -> Vec<u8> {
    let mut out = Vec::new();
    if pieces.is_empty() {
        return out;
    }
    let (mut pieces, mut offsets) = (pieces.to_vec(), offsets.iter());
    for piece in pieces.iter_mut().filter(|piece| piece.kept != Kept::Inline) {
        piece.kept = Kept::Apart(offsets.next().copied().unwrap_or_default());
    }
    recipe::encode(&pieces, &mut out);
    out
}

/// Where a message comes from when it is staged.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The name that its content gets.
    pub guid: Guid,
    /// When it was received, seconds since 1970 UTC.
    pub received: i64,
    /// What to compress it with.
    pub dictionary: Option<Arc<Dictionary>>,
}

/// Parses and compresses `trace` followed by `message` (CRLF line ends); `sample` sees the summary and the message.
///
/// # Errors
/// `Limit` beyond `MESSAGE_BYTES_MAX`.
pub fn stage(origin: Origin, mut trace: Vec<u8>, message: &[u8], sample: impl FnOnce(&[u8], &[u8])) -> Result<Staged> {
    if trace.len() + message.len() > MESSAGE_BYTES_MAX {
        return Err(Error::Limit(format!("a message of at most {MESSAGE_BYTES_MAX} bytes is allowed")));
    }
    trace.extend_from_slice(message);
    let whole = trace;
    let Origin { guid, received, dictionary } = origin;
    let Prepared { size_bytes, crc, summary, mut flags, text, pieces, parts } =
        prepare(whole, |summary| dictionary.as_deref().and_then(|dictionary| shrink_fast(summary, dictionary)), sample);
    let (summary_len, summary_crc) = (summary.len() as u32, crc32fast::hash(&summary));
    let head = MessageHead { size_bytes, crc, summary_len, summary_crc, guid };
    let mut front = Vec::with_capacity(head.body_start());
    head.encode(&mut front);
    front.extend_from_slice(&summary);
    let body = match shrink(&text, dictionary.as_deref()) {
        Some(body) => {
            flags |= FRAME_FLAG_ZSTD;
            body
        }
        None => text,
    };
    let dictionary = dictionary.filter(|_| flags & (FRAME_FLAG_ZSTD | FRAME_FLAG_SUMMARY_ZSTD) != 0);
    Ok(Staged { guid, size_bytes, received, front, body, flags, dictionary, pieces, parts })
}

/// A message taken apart, its text not compressed yet.
pub(super) struct Prepared {
    pub(super) size_bytes: u32,
    pub(super) crc: u32,
    /// Compressed if `flags` says so.
    pub(super) summary: Vec<u8>,
    /// Of `FRAME_FLAG_SUMMARY_ZSTD` and `FRAME_FLAG_RECIPE`.
    pub(super) flags: u8,
    pub(super) text: Vec<u8>,
    pub(super) pieces: Vec<Piece>,
    pub(super) parts: Vec<StagedPart>,
}

/// Takes a message apart; `small` makes its summary smaller, if it can, and `sample` sees the summary and the message.
pub(super) fn prepare(
    whole: Vec<u8>,
    small: impl FnOnce(&[u8]) -> Option<Vec<u8>>,
    sample: impl FnOnce(&[u8], &[u8]),
) -> Prepared {
    let parsed = mime::summarize(&whole);
    let mut summary = Vec::with_capacity(512);
    parsed.encode(&mut summary);
    sample(&summary, &whole);
    let mut flags = 0;
    // Without a dictionary a summary is too short to gain anything.
    if let Some(small) = small(&summary) {
        (summary, flags) = (small, FRAME_FLAG_SUMMARY_ZSTD);
    }
    let (size_bytes, crc) = (whole.len() as u32, crc32fast::hash(&whole));
    let (text, pieces, parts) = take_out(whole, &parsed);
    if !pieces.is_empty() {
        flags |= FRAME_FLAG_RECIPE;
    }
    Prepared { size_bytes, crc, summary, flags, text, pieces, parts }
}

/// The message without its base64 parts, followed by the small ones decoded; and the large ones.
fn take_out(whole: Vec<u8>, parsed: &mime::Summary) -> (Vec<u8>, Vec<Piece>, Vec<StagedPart>) {
    let Some(split) = base64::split(&whole, parsed.base64_bodies()) else { return (whole, Vec::new(), Vec::new()) };
    drop(whole);
    let base64::Split { mut pieces, mut text, decoded } = split;
    let mut parts = Vec::new();
    for (piece, decoded) in pieces.iter_mut().zip(decoded) {
        if decoded.len() < PART_APART_BYTES_MIN {
            text.extend_from_slice(&decoded);
        } else {
            piece.kept = Kept::Apart(0);
            parts.push(part(&decoded));
        }
    }
    (text, pieces, parts)
}

fn part(decoded: &[u8]) -> StagedPart {
    let hash: PartHash = Blake2b::<U32>::digest(decoded).into();
    let head = PartHead { size_bytes: decoded.len() as u32, crc: crc32fast::hash(decoded), hash };
    // Files of other kinds have nothing in common with mail: a dictionary would not help.
    let small = shrink(decoded, None);
    let flags = if small.is_some() { FRAME_FLAG_ZSTD } else { 0 };
    let body = small.as_deref().unwrap_or(decoded);
    let mut payload = Vec::with_capacity(PART_HEAD_BYTES + body.len());
    head.encode(&mut payload);
    payload.extend_from_slice(body);
    StagedPart { hash, payload, flags }
}
