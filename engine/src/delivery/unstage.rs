//! From a message frame's payload back to bytes, proven by crc. Does no I/O.
use super::zstd::{content_bytes, grow, grow_into};
use super::{Dictionary, base64};
use crate::base::Result;
use crate::base::limits::{MESSAGE_BYTES_MAX, SUMMARY_BYTES_MAX};
use crate::format::block::summary_at;
use crate::format::recipe::{self, Kept, Piece};
use crate::format::{
    FRAME_FLAG_RECIPE, FRAME_FLAG_SUMMARY_ZSTD, FRAME_FLAG_ZSTD, MESSAGE_HEAD_BYTES, MessageHead, PART_HEAD_BYTES,
    PartHead,
};
use crate::log::FrameBytes;

/// Gives the payload and flags of the part frame at an offset of the message's segment, its crc proven.
pub type PartAt<'a> = &'a dyn Fn(u32) -> Result<(FrameBytes, u8), String>;

/// The message in the payload of a frame with `flags`, written with `dictionary`; `part_at` is asked for parts that are stored by
/// themselves. `Err` says what does not fit.
pub fn unstage(
    payload: &[u8],
    flags: u8,
    dictionary: Option<&Dictionary>,
    part_at: PartAt<'_>,
) -> Result<Vec<u8>, String> {
    let head = MessageHead::decode(payload).map_err(|why| why.to_string())?;
    let mut body = payload.get(head.body_start()..).ok_or("a body after the summary expected")?;
    let size = head.size_bytes as usize;
    if size > MESSAGE_BYTES_MAX {
        return Err(format!("a message of at most {MESSAGE_BYTES_MAX} bytes expected, {size} found"));
    }
    let mut pieces = Vec::new();
    if flags & FRAME_FLAG_RECIPE != 0 {
        (pieces, body) = recipe::decode(body).map_err(|why| format!("recipe {why}"))?;
    }
    let whole = match (flags & FRAME_FLAG_ZSTD != 0, pieces.is_empty()) {
        (true, true) => grow(body, size, dictionary)?,
        (false, true) => body.to_vec(),
        // Decoded parts are shorter than encoded ones, so the text is no longer than the message.
        (true, false) => join(&pieces, &grow(body, size, dictionary)?, size, part_at)?,
        (false, false) => join(&pieces, body, size, part_at)?,
    };
    if whole.len() != size || crc32fast::hash(&whole) != head.crc {
        return Err("the message differs from its size or crc".into());
    }
    Ok(whole)
}

/// `stored` is the text, then the decoded pieces that are kept inline.
pub(super) fn join(pieces: &[Piece], stored: &[u8], size: usize, part_at: PartAt<'_>) -> Result<Vec<u8>, String> {
    let short = || "text and parts of the length that the recipe says expected".to_owned();
    let inline = pieces.iter().filter(|piece| piece.kept == Kept::Inline).map(|piece| piece.size_bytes as usize);
    let text_len = stored.len().checked_sub(inline.fold(0, usize::saturating_add)).ok_or_else(short)?;
    let (mut text, mut decoded) = stored.split_at(text_len);
    let encoded: u64 = pieces.iter().map(Piece::encoded_bytes).sum();
    if text_len as u64 + encoded != size as u64 {
        return Err(short());
    }
    let mut whole = Vec::with_capacity(size);
    for piece in pieces {
        let (gap, rest) = text.split_at_checked(piece.gap_bytes as usize).ok_or_else(short)?;
        whole.extend_from_slice(gap);
        text = rest;
        match piece.kept {
            Kept::Inline => {
                let (part, rest) = decoded.split_at_checked(piece.size_bytes as usize).ok_or_else(short)?;
                base64::encode(piece, part, &mut whole);
                decoded = rest;
            }
            Kept::Apart(offset) => {
                let (payload, flags) = part_at(offset)?;
                base64::encode(piece, &part(&payload, flags, piece.size_bytes)?, &mut whole);
            }
        }
    }
    whole.extend_from_slice(text);
    Ok(whole)
}

/// The decoded bytes in a part frame's payload.
fn part(payload: &[u8], flags: u8, size_bytes: u32) -> Result<Vec<u8>, String> {
    let head = PartHead::decode(payload).map_err(|why| why.to_string())?;
    if head.size_bytes != size_bytes {
        return Err(format!("a part of {size_bytes} bytes expected, {} found", head.size_bytes));
    }
    let (body, size) = (&payload[PART_HEAD_BYTES..], size_bytes as usize);
    let part = if flags & FRAME_FLAG_ZSTD != 0 { grow(body, size, None)? } else { body.to_vec() };
    if part.len() != size || crc32fast::hash(&part) != head.crc {
        return Err("the part differs from its size or crc".into());
    }
    Ok(part)
}

/// The encoded summary in the payload of a frame with `flags`; the payload may end after it. `None`: it stands there as it is, at
/// `MESSAGE_HEAD_BYTES..head.body_start()`. `Err` says what does not fit.
pub fn summary(payload: &[u8], flags: u8, dictionary: Option<&Dictionary>) -> Result<Option<Vec<u8>>, String> {
    let head = MessageHead::decode(payload).map_err(|why| why.to_string())?;
    let mut out = Vec::new();
    Ok(summary_behind(&mut out, &head, payload, flags, dictionary)?.then_some(out))
}

/// The same where the head has been read, into a vector that was used before; false: the summary stands in the payload as it is.
pub(super) fn summary_behind(
    out: &mut Vec<u8>,
    head: &MessageHead,
    payload: &[u8],
    flags: u8,
    dictionary: Option<&Dictionary>,
) -> Result<bool, String> {
    let stored = payload.get(MESSAGE_HEAD_BYTES..head.body_start()).ok_or("a summary after the head expected")?;
    decode_summary(out, stored, head.summary_crc, flags, dictionary)
}

/// The encoded summary of a message of a block.
pub(crate) fn summary_in_block(
    payload: &[u8],
    index: usize,
    dictionary: Option<&Dictionary>,
) -> Result<Vec<u8>, String> {
    let found = summary_at(payload, index).map_err(|why| why.to_string())?;
    let (row, stored) = found.ok_or("as many messages as addressed expected")?;
    let mut out = Vec::new();
    let packed = decode_summary(&mut out, stored, row.summary_crc, row.flags, dictionary)?;
    Ok(if packed { out } else { stored.to_vec() })
}

fn decode_summary(
    out: &mut Vec<u8>,
    stored: &[u8],
    crc: u32,
    flags: u8,
    dictionary: Option<&Dictionary>,
) -> Result<bool, String> {
    if crc32fast::hash(stored) != crc {
        return Err("a summary that fits its crc expected".into());
    }
    if flags & FRAME_FLAG_SUMMARY_ZSTD == 0 {
        return Ok(false);
    }
    let size = content_bytes(stored, SUMMARY_BYTES_MAX).map_err(|why| why.to_string())?;
    grow_into(out, stored, size, dictionary)?;
    if out.len() == size { Ok(true) } else { Err("a summary of the size it says expected".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Guid;
    use crate::delivery::stage::{Origin, Staged, stage};
    use crate::delivery::{Dictionary, Samples};
    use crate::index::mime::summarize;
    use proptest::prelude::*;
    use std::sync::{Arc, OnceLock};

    fn learned() -> Arc<Dictionary> {
        static LEARNED: OnceLock<Arc<Dictionary>> = OnceLock::new();
        let train = || {
            let mut samples = Samples::default();
            for number in 0..400u32 {
                let word = number.wrapping_mul(2_654_435_761);
                let text = format!(
                    "From: someone{number} <s{word}@example.test>\r\nSubject: {word} of many\r\n\r\nhello {word:x}"
                );
                samples.push(text.as_bytes());
            }
            Arc::new(Dictionary::train(&samples, Guid([3; 16]), 5).expect("enough to learn from"))
        };
        LEARNED.get_or_init(train).clone()
    }

    fn staged(dictionary: Option<Arc<Dictionary>>, trace: &[u8], message: &[u8]) -> Staged {
        let origin = Origin { guid: Guid([7; 16]), received: 0, dictionary };
        stage(origin, trace.to_vec(), message, |_, _| {}).expect("within the limit")
    }

    fn payload(staged: &Staged) -> Vec<u8> {
        [staged.front.as_slice(), &staged.recipe(&[]), &staged.body].concat()
    }

    const NO_PARTS: PartAt<'_> = &|_| Err("no part frames here".into());

    proptest! {
        #[test]
        fn messages_come_back_byte_for_byte(message: Vec<u8>, trace: Vec<u8>, learn: bool) {
            let staged = staged(learn.then(learned), &trace, &message);
            let whole = unstage(&payload(&staged), staged.flags, staged.dictionary.as_deref(), NO_PARTS);
            prop_assert_eq!(whole, Ok([trace, message].concat()));
        }

        #[test]
        fn damage_never_gives_another_message(at in 0usize..4000, bit in 0u8..8, learn: bool) {
            let message: Vec<u8> = (0..4000u32).flat_map(|i| (i * 7919).to_le_bytes()).collect();
            let staged = staged(learn.then(learned), &[], &message);
            let mut payload = payload(&staged);
            let body = MessageHead::decode(&payload).expect("whole").body_start();
            payload[body + at] ^= 1 << bit;
            // A bit that zstd does not look at may change; the frame's own crc covers it.
            let whole = unstage(&payload, staged.flags, staged.dictionary.as_deref(), NO_PARTS);
            prop_assert!(whole.as_ref().map_or(true, |whole| *whole == message), "{:?}", whole.map(|whole| whole.len()));
        }

        #[test]
        fn no_bytes_make_a_reader_panic(bytes: Vec<u8>, flags in 0u8..16, learn: bool) {
            let dictionary = learn.then(learned);
            let _ = unstage(&bytes, flags, dictionary.as_deref(), NO_PARTS);
            let _ = summary(&bytes, flags, dictionary.as_deref());
            let _ = Dictionary::decode(&bytes, flags);
        }
    }

    #[test]
    fn a_learned_dictionary_makes_mail_and_summary_smaller_and_comes_back() {
        let message = b"From: someone5 <s5@example.test>\r\nSubject: 17 of many\r\n\r\nhello";
        let (plain, small) = (staged(None, &[], message), staged(Some(learned()), &[], message));
        assert_eq!(small.flags, FRAME_FLAG_ZSTD | FRAME_FLAG_SUMMARY_ZSTD);
        assert!(small.stored_bytes() < plain.stored_bytes() - 40, "{} {}", small.stored_bytes(), plain.stored_bytes());
        let (bytes, flags) = learned().encode();
        let again = Dictionary::decode(&bytes, flags).expect("it was just written");
        assert_eq!((again.name(), again.created_ms()), (Guid([3; 16]), 5));
        assert_eq!(unstage(&payload(&small), small.flags, Some(&again), NO_PARTS), Ok(message.to_vec()));
        let mut wanted = Vec::new();
        summarize(message).encode(&mut wanted);
        assert_eq!(summary(&payload(&small), small.flags, Some(&again)), Ok(Some(wanted)));
        assert_eq!(summary(&payload(&plain), plain.flags, None), Ok(None));
        assert!(unstage(&payload(&small), small.flags, None, NO_PARTS).is_err(), "not without the dictionary");
    }
}
