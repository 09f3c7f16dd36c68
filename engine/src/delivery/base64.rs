//! Base64 parts that are regular are taken out of a message decoded, and put back to the same bytes. Anything irregular stays as it is: what is
//! taken out was encoded again and compared. Does no I/O.
use crate::base::limits::BASE64_BYTES_MIN;
use crate::format::recipe::{Kept, Piece};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::ops::Range;

/// A message without its base64 parts.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    /// What the message is made of; all `Inline` so far.
    pub(super) pieces: Vec<Piece>,
    /// Everything else of the message.
    pub(super) text: Vec<u8>,
    /// The decoded parts, in order.
    pub(super) decoded: Vec<Vec<u8>>,
}

/// Takes the base64 parts out; `bodies` say where their bodies stand, ascending. `None`: there is nothing to take out.
pub(super) fn split(message: &[u8], bodies: impl Iterator<Item = Range<usize>>) -> Option<Split> {
    let (mut split, mut done) = (Split::default(), 0);
    for body in bodies {
        let Some(bytes) = message.get(body.clone()).filter(|bytes| bytes.len() >= BASE64_BYTES_MIN) else { continue };
        if body.start < done {
            continue;
        }
        let Some((line_chars, decoded, len)) = regular(bytes) else { continue };
        let gap = &message[done..body.start];
        split.text.extend_from_slice(gap);
        let (gap_bytes, size_bytes) = (gap.len() as u32, decoded.len() as u32);
        split.pieces.push(Piece { gap_bytes, line_chars, size_bytes, kept: Kept::Inline });
        split.decoded.push(decoded);
        done = body.start + len;
    }
    split.text.extend_from_slice(&message[done..]);
    (!split.pieces.is_empty()).then_some(split)
}

/// The regular base64 at the front of `bytes`: characters of a line, the decoded bytes, the bytes that it takes.
fn regular(bytes: &[u8]) -> Option<(u32, Vec<u8>, usize)> {
    let first = memchr::memchr(b'\r', bytes).unwrap_or(bytes.len());
    if first == 0 || !first.is_multiple_of(4) {
        return None;
    }
    let mut chars = Vec::with_capacity(bytes.len());
    let mut at = 0;
    let lines = loop {
        let rest = &bytes[at..];
        let len = memchr::memchr(b'\r', &rest[..rest.len().min(first + 1)]).unwrap_or(rest.len().min(first));
        chars.extend_from_slice(&rest[..len]);
        at += len;
        let next = bytes[at..].strip_prefix(b"\r\n").and_then(|next| next.first());
        // Another line follows if this one is full and does not end in padding, and something stands there that base64 begins with.
        let goes_on = next.is_some_and(|next| is_base64(*next)) && len == first && bytes[at - 1] != b'=';
        if !goes_on {
            break if at == len { 0 } else { first };
        }
        at += 2;
    };
    let decoded = STANDARD.decode(&chars).ok()?;
    let piece = Piece {
        gap_bytes: 0,
        line_chars: lines as u32,
        size_bytes: u32::try_from(decoded.len()).ok()?,
        kept: Kept::Inline,
    };
    let mut again = Vec::with_capacity(at);
    encode(&piece, &decoded, &mut again);
    (again == bytes[..at]).then_some((piece.line_chars, decoded, at))
}

fn is_base64(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/'
}

/// Appends a piece as it stands in the message.
pub(super) fn encode(piece: &Piece, decoded: &[u8], out: &mut Vec<u8>) {
    // A recipe that makes no sense may say lines of 4 GiB.
    let all = decoded.len().max(1);
    let line_bytes = if piece.line_chars == 0 { all } else { all.min(piece.line_chars as usize / 4 * 3) };
    let mut buffer = vec![0; line_bytes.div_ceil(3) * 4];
    for (number, line) in decoded.chunks(line_bytes).enumerate() {
        if number > 0 {
            out.extend_from_slice(b"\r\n");
        }
        // The buffer holds a full line, so there is always room.
        let len = STANDARD.encode_slice(line, &mut buffer).unwrap_or_default();
        out.extend_from_slice(&buffer[..len]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn joined(split: &Split) -> Vec<u8> {
        let (mut out, mut text) = (Vec::new(), &split.text[..]);
        for (piece, decoded) in split.pieces.iter().zip(&split.decoded) {
            let (gap, rest) = text.split_at(piece.gap_bytes as usize);
            out.extend_from_slice(gap);
            let before = out.len();
            encode(piece, decoded, &mut out);
            assert_eq!((out.len() - before) as u64, piece.encoded_bytes());
            text = rest;
        }
        out.extend_from_slice(text);
        out
    }

    fn lines(content: &[u8], chars: usize) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&Piece { gap_bytes: 0, line_chars: chars as u32, size_bytes: 0, kept: Kept::Inline }, content, &mut out);
        out
    }

    proptest! {
        #[test]
        fn what_is_taken_out_comes_back(
            content in proptest::collection::vec(any::<u8>(), 400..3000),
            quarter in 0usize..30,
            head in "[ -~]{0,40}",
            tail in "(\r\n|=|A|\r\n--b--|\n| ){0,4}",
            damage in proptest::option::of((any::<prop::sample::Index>(), any::<u8>())),
        ) {
            let mut part = lines(&content, quarter * 4);
            if let Some((at, byte)) = damage {
                let at = at.index(part.len());
                part[at] = byte;
            }
            part.extend_from_slice(tail.as_bytes());
            let message = [head.as_bytes(), &part].concat();
            let found = split(&message, std::iter::once(head.len()..message.len()));
            if let Some(split) = &found {
                prop_assert_eq!(joined(split), message);
                prop_assert!(damage.is_some() || split.decoded[0].starts_with(&content));
            } else {
                prop_assert!(damage.is_some() || !tail.is_empty());
            }
        }
    }

    #[test]
    fn the_usual_form_is_taken_out_whole_and_a_broken_one_up_to_where_it_breaks() {
        let content: Vec<u8> = (0..2000u32).map(|i| (i * i) as u8).collect();
        let part = [&lines(&content, 76)[..], b"\r\n"].concat();
        let found = split(&part, std::iter::once(0..part.len())).expect("regular");
        assert_eq!((found.text.as_slice(), found.pieces[0].line_chars), (&b"\r\n"[..], 76));
        assert_eq!(found.decoded, [content]);
        let broken = [&part[..78 * 20], b"not base64 at all\r\n", &part].concat();
        let found = split(&broken, std::iter::once(0..broken.len()));
        assert_eq!(found.map(|found| joined(&found)), None, "a line of another length in the midst: all stays");
        assert_eq!(split(b"short", std::iter::once(0..5)), None);
    }
}
