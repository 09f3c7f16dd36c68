//! From a message frame's payload back to bytes, proven by crc. Does no I/O.
use super::Dictionary;
use super::zstd::{content_bytes, grow};
use crate::base::Result;
use crate::base::limits::{MESSAGE_BYTES_MAX, SUMMARY_BYTES_MAX};
use crate::format::{FRAME_FLAG_SUMMARY_ZSTD, FRAME_FLAG_ZSTD, MESSAGE_HEAD_BYTES, MessageHead};

/// The message in the payload of a frame with `flags`, written with `dictionary`. `Err` says what does not fit.
pub fn unstage(payload: &[u8], flags: u8, dictionary: Option<&Dictionary>) -> Result<Vec<u8>, String> {
    let head = MessageHead::decode(payload).map_err(|why| why.to_string())?;
    let body = payload.get(head.body_start()..).ok_or("a body after the summary expected")?;
    let size = head.size_bytes as usize;
    if size > MESSAGE_BYTES_MAX {
        return Err(format!("a message of at most {MESSAGE_BYTES_MAX} bytes expected, {size} found"));
    }
    let whole = if flags & FRAME_FLAG_ZSTD != 0 { grow(body, size, dictionary)? } else { body.to_vec() };
    if whole.len() != size || crc32fast::hash(&whole) != head.crc {
        return Err("the message differs from its size or crc".into());
    }
    Ok(whole)
}

/// The encoded summary in the payload of a frame with `flags`; the payload may end after it. `None`: it stands there as it is, at
/// `MESSAGE_HEAD_BYTES..head.body_start()`. `Err` says what does not fit.
pub fn summary(payload: &[u8], flags: u8, dictionary: Option<&Dictionary>) -> Result<Option<Vec<u8>>, String> {
    let head = MessageHead::decode(payload).map_err(|why| why.to_string())?;
    let stored = payload.get(MESSAGE_HEAD_BYTES..head.body_start()).ok_or("a summary after the head expected")?;
    if crc32fast::hash(stored) != head.summary_crc {
        return Err("a summary that fits its crc expected".into());
    }
    if flags & FRAME_FLAG_SUMMARY_ZSTD == 0 {
        return Ok(None);
    }
    let size = content_bytes(stored, SUMMARY_BYTES_MAX).map_err(|why| why.to_string())?;
    let summary = grow(stored, size, dictionary)?;
    if summary.len() == size { Ok(Some(summary)) } else { Err("a summary of the size it says expected".into()) }
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
        [staged.front.as_slice(), &staged.body].concat()
    }

    proptest! {
        #[test]
        fn messages_come_back_byte_for_byte(message: Vec<u8>, trace: Vec<u8>, learn: bool) {
            let staged = staged(learn.then(learned), &trace, &message);
            let whole = unstage(&payload(&staged), staged.flags, staged.dictionary.as_deref());
            prop_assert_eq!(whole, Ok([trace, message].concat()));
        }

        #[test]
        fn damaged_payloads_are_refused(at in 0usize..4000, bit in 0u8..8, learn: bool) {
            let message: Vec<u8> = (0..4000u32).flat_map(|i| (i * 7919).to_le_bytes()).collect();
            let staged = staged(learn.then(learned), &[], &message);
            let mut payload = payload(&staged);
            let body = MessageHead::decode(&payload).expect("whole").body_start();
            payload[body + at] ^= 1 << bit;
            prop_assert!(unstage(&payload, staged.flags, staged.dictionary.as_deref()).is_err());
        }

        #[test]
        fn no_bytes_make_a_reader_panic(bytes: Vec<u8>, flags in 0u8..8, learn: bool) {
            let dictionary = learn.then(learned);
            let _ = unstage(&bytes, flags, dictionary.as_deref());
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
        assert_eq!(unstage(&payload(&small), small.flags, Some(&again)), Ok(message.to_vec()));
        let mut wanted = Vec::new();
        summarize(message).encode(&mut wanted);
        assert_eq!(summary(&payload(&small), small.flags, Some(&again)), Ok(Some(wanted)));
        assert_eq!(summary(&payload(&plain), plain.flags, None), Ok(None));
        assert!(unstage(&payload(&small), small.flags, None).is_err(), "not without the dictionary");
    }
}
