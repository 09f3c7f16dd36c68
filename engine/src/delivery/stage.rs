//! From bytes to a message frame's payload and back: parsed once, compressed once, proven by crc. Does no I/O.
use crate::base::limits::MESSAGE_BYTES_MAX;
use crate::base::{Error, Guid, Result};
use crate::format::{FRAME_FLAG_ZSTD, MessageHead};
use crate::index::mime;
use std::cell::RefCell;
use zstd::bulk::{Compressor, Decompressor};

/// zstd's level for fresh mail: compaction may spend more later.
const LEVEL: i32 = 1;

thread_local! {
    static COMPRESSOR: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static DECOMPRESSOR: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
}

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

/// Parses and compresses `trace` followed by `message` (CRLF line ends, as received at `received`, seconds since 1970 UTC).
///
/// # Errors
/// `Limit` beyond `MESSAGE_BYTES_MAX`.
pub fn stage(guid: Guid, received: i64, mut trace: Vec<u8>, message: &[u8]) -> Result<Staged> {
    if trace.len() + message.len() > MESSAGE_BYTES_MAX {
        return Err(Error::Limit(format!("a message of at most {MESSAGE_BYTES_MAX} bytes is allowed")));
    }
    trace.extend_from_slice(message);
    let whole = trace;
    let mut summary = Vec::with_capacity(512);
    mime::summarize(&whole).encode(&mut summary);
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
    let (body, flags) = match compress(&whole) {
        Some(body) if body.len() < whole.len() => (body, FRAME_FLAG_ZSTD),
        _ => (whole, 0),
    };
    Ok(Staged { guid, size_bytes: head.size_bytes, received, front, body, flags })
}

fn compress(bytes: &[u8]) -> Option<Vec<u8>> {
    COMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Compressor::new(LEVEL).ok();
        }
        slot.as_mut()?.compress(bytes).ok()
    })
}

/// The message in a frame's payload. `Err` says what does not fit.
pub fn unstage(payload: &[u8], zstd: bool) -> Result<Vec<u8>, String> {
    let head = MessageHead::decode(payload).map_err(|why| why.to_string())?;
    let body = payload.get(head.body_start()..).ok_or("a body after the summary expected")?;
    let size = head.size_bytes as usize;
    if size > MESSAGE_BYTES_MAX {
        return Err(format!("a message of at most {MESSAGE_BYTES_MAX} bytes expected, {size} found"));
    }
    let whole = if zstd { decompress(body, size)? } else { body.to_vec() };
    if whole.len() != size || crc32fast::hash(&whole) != head.crc {
        return Err("the message differs from its size or crc".into());
    }
    Ok(whole)
}

fn decompress(body: &[u8], size: usize) -> Result<Vec<u8>, String> {
    DECOMPRESSOR.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = Some(Decompressor::new().map_err(|why| why.to_string())?);
        }
        match slot {
            Some(decompressor) => decompressor.decompress(body, size).map_err(|why| why.to_string()),
            None => Err("no decompressor".into()),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn messages_come_back_byte_for_byte(message: Vec<u8>, trace: Vec<u8>) {
            let staged = stage(Guid([7; 16]), 0, trace.clone(), &message).expect("within the limit");
            let payload = [staged.front.as_slice(), &staged.body].concat();
            let whole = unstage(&payload, staged.flags & FRAME_FLAG_ZSTD != 0);
            prop_assert_eq!(whole, Ok([trace, message].concat()));
        }

        #[test]
        fn damage_never_gives_another_message(at in 0usize..4000, bit in 0u8..8) {
            let message: Vec<u8> = (0..4000u32).flat_map(|i| (i * 7919).to_le_bytes()).collect();
            let staged = stage(Guid([7; 16]), 0, Vec::new(), &message).expect("within the limit");
            let mut payload = [staged.front.as_slice(), &staged.body].concat();
            let body = MessageHead::decode(&payload).expect("whole").body_start();
            payload[body + at] ^= 1 << bit;
            // A bit that zstd does not look at may change; the frame's own crc covers it.
            let whole = unstage(&payload, staged.flags & FRAME_FLAG_ZSTD != 0);
            prop_assert!(whole.as_ref().map_or(true, |whole| *whole == message), "{:?}", whole.map(|whole| whole.len()));
        }
    }
}
