//! Undoes base64 and quoted-printable (RFC 2045 section 6) as far as the text allows. Never fails.
use std::borrow::Cow;

use mail_parser::decoders::base64::base64_decode;

use crate::index::mime::TransferEncoding;

/// The decoded body of a part, as far as it can be decoded.
pub fn decode_body(body: &[u8], encoding: TransferEncoding) -> Cow<'_, [u8]> {
    match encoding {
        TransferEncoding::Base64 => Cow::Owned(base64(body)),
        TransferEncoding::QuotedPrintable => Cow::Owned(quoted_printable(body, false)),
        TransferEncoding::Identity | TransferEncoding::Unknown => Cow::Borrowed(body),
    }
}

/// RFC 2045 section 6.8: characters outside the alphabet are ignored.
pub(super) fn base64(text: &[u8]) -> Vec<u8> {
    let is_alphabet = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    // Padding ends a run; software that joins encoded texts leaves several.
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    for run in text.split(|&b| b == b'=') {
        let mut letters: Vec<u8> = run.iter().copied().filter(is_alphabet).collect();
        match letters.len() % 4 {
            // A lone letter holds no byte.
            1 => drop(letters.pop()),
            2 => letters.extend_from_slice(b"=="),
            3 => letters.push(b'='),
            _ => {}
        }
        out.extend_from_slice(&base64_decode(&letters).unwrap_or_default());
    }
    out
}

/// RFC 2045 section 6.7, and with `in_word` the Q encoding of RFC 2047 section 4.2. A broken escape stands for itself.
pub(super) fn quoted_printable(text: &[u8], in_word: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match (byte, after) {
            (b'=', [high, low, tail @ ..]) if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => {
                out.push(hex(*high) << 4 | hex(*low));
                rest = tail;
            }
            (b'=', _) if !in_word && soft_break_len(after).is_some() => {
                rest = &after[soft_break_len(after).unwrap_or(0)..];
            }
            (b'_', _) if in_word => out.push(b' '),
            _ => out.push(byte),
        }
    }
    out
}

/// Length of the line end after a "=", with white space that transport added before it.
fn soft_break_len(after: &[u8]) -> Option<usize> {
    let blank = after.iter().take_while(|b| matches!(b, b' ' | b'\t' | b'\r')).count();
    match after.get(blank) {
        Some(b'\n') => Some(blank + 1),
        None => Some(blank),
        Some(_) => None,
    }
}

fn hex(digit: u8) -> u8 {
    match digit {
        b'0'..=b'9' => digit - b'0',
        b'a'..=b'f' => digit - b'a' + 10,
        _ => digit.wrapping_sub(b'A').wrapping_add(10),
    }
}
