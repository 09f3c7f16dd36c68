//! From bytes to a message frame's payload: parsed once, compressed once. Does no I/O.
use super::Dictionary;
use super::zstd::shrink;
use crate::base::limits::MESSAGE_BYTES_MAX;
use crate::base::{Error, Guid, Result};
use crate::format::{FRAME_FLAG_SUMMARY_ZSTD, FRAME_FLAG_ZSTD, MessageHead};
use crate::index::mime;
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

    /// Bytes that the message takes in the log.
    pub fn stored_bytes(&self) -> usize {
        self.front.len() + self.body.len()
    }
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
    let mut summary = Vec::with_capacity(512);
    mime::summarize(&whole).encode(&mut summary);
    sample(&summary, &whole);
    let Origin { guid, received, dictionary } = origin;
    let mut flags = 0;
    // Without a dictionary a summary is too short to gain anything.
    if let Some(small) = dictionary.as_ref().and_then(|dictionary| shrink(&summary, Some(dictionary))) {
        (summary, flags) = (small, FRAME_FLAG_SUMMARY_ZSTD);
    }
    let head = MessageHead {
        size_bytes: whole.len() as u32,
        crc: crc32fast::hash(&whole),
        summary_len: summary.len() as u32,
        summary_crc: crc32fast::hash(&summary),
        guid,
    };
    let mut front = Vec::with_capacity(head.body_start());
    head.encode(&mut front);
    front.extend_from_slice(&summary);
    let body = match shrink(&whole, dictionary.as_deref()) {
        Some(body) => {
            flags |= FRAME_FLAG_ZSTD;
            body
        }
        None => whole,
    };
    let dictionary = dictionary.filter(|_| flags != 0);
    Ok(Staged { guid, size_bytes: head.size_bytes, received, front, body, flags, dictionary })
}
