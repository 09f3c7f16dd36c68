//! Decodes header values with encoded words (RFC 2047) to Unicode. Never fails: what is not an encoded word stays.
use super::charset::to_unicode;
use super::decode::{base64, quoted_printable};
use crate::index::mime::unfold;

/// The value of a header field as a person reads it.
pub fn decoded_header(raw: &[u8]) -> String {
    let line = unfold(raw);
    let mut out = String::with_capacity(line.len());
    // Neighbouring words of one charset are joined before they are decoded: mailers split characters between them.
    let mut pending = Pending::default();
    let mut rest = line.as_slice();
    while let Some(start) = find(rest, b"=?") {
        let Some((word, len)) = encoded_word(&rest[start..]) else {
            pending.flush(&mut out);
            out.push_str(&to_unicode(&rest[..start + 2], None));
            rest = &rest[start + 2..];
            continue;
        };
        let between = &rest[..start];
        // RFC 2047 section 6.2: white space between encoded words is not shown.
        let adjacent = !pending.is_empty() && between.iter().all(u8::is_ascii_whitespace);
        if !adjacent {
            pending.flush(&mut out);
            out.push_str(&to_unicode(between, None));
        } else if !pending.charset.eq_ignore_ascii_case(word.charset) {
            pending.flush(&mut out);
        }
        pending.charset = word.charset.to_vec();
        pending.bytes.extend_from_slice(&word.decode());
        rest = &rest[start + len..];
    }
    pending.flush(&mut out);
    out.push_str(&to_unicode(rest, None));
    out
}

#[derive(Default)]
struct Pending {
    charset: Vec<u8>,
    bytes: Vec<u8>,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.charset.is_empty()
    }

    fn flush(&mut self, out: &mut String) {
        if !self.is_empty() {
            out.push_str(&to_unicode(&self.bytes, Some(&self.charset)));
        }
        *self = Pending::default();
    }
}

struct EncodedWord<'a> {
    charset: &'a [u8],
    is_base64: bool,
    text: &'a [u8],
}

impl EncodedWord<'_> {
    fn decode(&self) -> Vec<u8> {
        if self.is_base64 { base64(self.text) } else { quoted_printable(self.text, true) }
    }
}

/// "=?" charset ["*" language] "?" ("B" / "Q") "?" text "?=" (RFC 2047 section 2, RFC 2231 section 5), and its length.
/// Spaces inside the text are let pass, as they occur.
fn encoded_word(text: &[u8]) -> Option<(EncodedWord<'_>, usize)> {
    let inner = text.strip_prefix(b"=?")?;
    let mark = find(inner, b"?")?;
    let charset = inner[..mark].split(|&b| b == b'*').next().filter(|name| !name.is_empty())?;
    if charset.iter().any(|b| !b.is_ascii_graphic()) {
        return None;
    }
    let is_base64 = match inner.get(mark + 1..mark + 3)? {
        [b'b' | b'B', b'?'] => true,
        [b'q' | b'Q', b'?'] => false,
        _ => return None,
    };
    let body = &inner[mark + 3..];
    let len = find(body, b"?=")?;
    let word = EncodedWord { charset, is_base64, text: &body[..len] };
    Some((word, 2 + mark + 3 + len + 2))
}

fn find(text: &[u8], what: &[u8]) -> Option<usize> {
    memchr::memmem::find(text, what)
}
