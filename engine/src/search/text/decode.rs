//! Undoes base64 and quoted-printable (RFC 2045 section 6) as far as the text allows. Never fails.
use std::borrow::Cow;
use std::ops::Range;

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

/// Undoes a transfer encoding a stretch at a time: what it has given is forgotten, so that a part of any size needs no memory.
#[derive(Clone, Debug)]
pub struct Decoder {
    encoding: TransferEncoding,
    /// Where the next stretch begins.
    at: usize,
    /// Letters of a group that is not whole yet: three at most.
    held: Vec<u8>,
}

impl Decoder {
    /// For a body from its first byte on.
    pub fn new(encoding: TransferEncoding) -> Decoder {
        Decoder { encoding, at: 0, held: Vec::new() }
    }

    /// Appends what the next `bytes` of the body stand for; false when it was the last stretch. `body` is the same each time.
    pub fn next(&mut self, body: &[u8], bytes: usize, out: &mut Vec<u8>) -> bool {
        let until = body.len().min(self.at.saturating_add(bytes));
        match self.encoding {
            TransferEncoding::Base64 => {
                let stretch = body.get(self.at..until).unwrap_or_default();
                base64_stretch(&mut self.held, stretch, until == body.len(), out);
                self.at = until;
            }
            TransferEncoding::QuotedPrintable => self.at = unquote(body, self.at..until, false, out),
            TransferEncoding::Identity | TransferEncoding::Unknown => {
                out.extend_from_slice(body.get(self.at..until).unwrap_or_default());
                self.at = until;
            }
        }
        self.at < body.len()
    }
}

/// RFC 2045 section 6.8: characters outside the alphabet are ignored.
pub(super) fn base64(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3);
    base64_stretch(&mut Vec::new(), text, true, &mut out);
    out
}

/// One stretch of a text; `held` goes from each to the next. Padding ends a run; software that joins encoded texts leaves several.
fn base64_stretch(held: &mut Vec<u8>, text: &[u8], is_last: bool, out: &mut Vec<u8>) {
    let is_alphabet = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/');
    let mut runs = text.split(|&b| b == b'=').peekable();
    while let Some(run) = runs.next() {
        let mut letters = std::mem::take(held);
        letters.extend(run.iter().copied().filter(is_alphabet));
        let over = letters.len() % 4;
        if runs.peek().is_none() && !is_last {
            *held = letters.split_off(letters.len() - over);
        } else {
            match over {
                // A lone letter holds no byte.
                1 => drop(letters.pop()),
                2 => letters.extend_from_slice(b"=="),
                3 => letters.push(b'='),
                _ => {}
            }
        }
        out.extend_from_slice(&base64_decode(&letters).unwrap_or_default());
    }
}

/// RFC 2045 section 6.7, and with `in_word` the Q encoding of RFC 2047 section 4.2. A broken escape stands for itself.
pub(super) fn quoted_printable(text: &[u8], in_word: bool) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    unquote(text, 0..text.len(), in_word, &mut out);
    out
}

/// The same of what begins in `range`; where the next stretch begins.
fn unquote(text: &[u8], range: Range<usize>, in_word: bool, out: &mut Vec<u8>) -> usize {
    let mut rest = text.get(range.start..).unwrap_or_default();
    let behind = text.len() - range.end;
    while rest.len() > behind
        && let Some((&byte, after)) = rest.split_first()
    {
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
    text.len() - rest.len()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_come_to_the_whole() {
        let mut seed = 11u64;
        let mut below = |bound: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % bound
        };
        for encoding in [TransferEncoding::Base64, TransferEncoding::QuotedPrintable, TransferEncoding::Identity] {
            for _ in 0..2000 {
                let body: Vec<u8> = (0..below(40)).map(|_| b"aZ09+/==\r\n =4 \t_"[below(16)]).collect();
                let whole = decode_body(&body, encoding);
                let (mut decoder, mut found) = (Decoder::new(encoding), Vec::new());
                let bytes = 1 + below(7);
                while decoder.next(&body, bytes, &mut found) {}
                assert_eq!(found, *whole, "{encoding:?} {:?} by {bytes}", String::from_utf8_lossy(&body));
            }
        }
    }
}
