//! Looks for a text in a whole message. Never builds more than one decoded part at a time.
use std::ops::Range;

use super::charset::to_unicode;
use super::decode::decode_body;
use super::fold;
use super::word::decoded_header;
use crate::index::mime::{HeaderField, Part, PartKind, SummaryRef, TransferEncoding, header_fields, summarize};

/// Whether a message holds a folded text (`fold`) in a header field or a text part (RFC 3501 section 6.4.4, TEXT). With
/// `body_only` (BODY) the headers of the message and of its parts are left out; those of embedded messages belong to the
/// body. Attachments that are not text are not looked into. An empty text is in every message.
pub fn contains_text(message: &[u8], needle_folded: &str, body_only: bool) -> bool {
    if needle_folded.is_empty() {
        return true;
    }
    let mut bytes = Vec::new();
    summarize(message).encode(&mut bytes);
    let Ok(summary) = SummaryRef::decode(&bytes) else {
        return false;
    };
    let finder = memchr::memmem::Finder::new(needle_folded);
    let holds = |text: &str| finder.find(fold(text).as_bytes()).is_some();
    let mut in_message = !body_only;
    for part in summary.parts() {
        let header = slice(message, &part.header);
        let searched = in_message || !body_only;
        if searched && header_fields(header).any(|field| holds(&field_text(header, &field))) {
            return true;
        }
        if part.kind == PartKind::Leaf && part.is_text() && in_body(message, &part, &holds) {
            return true;
        }
        in_message = part.kind == PartKind::Message;
    }
    false
}

/// "Name: value", so that TEXT finds names too.
fn field_text(header: &[u8], field: &HeaderField<'_>) -> String {
    let value = header.get(field.value.clone()).unwrap_or_default();
    format!("{}: {}", String::from_utf8_lossy(field.name), decoded_header(value))
}

fn in_body(message: &[u8], part: &Part<'_>, holds: &impl Fn(&str) -> bool) -> bool {
    let raw = slice(message, &part.body);
    if part.encoding() == TransferEncoding::Unknown {
        return false;
    }
    let decoded = decode_body(raw, part.encoding());
    holds(&to_unicode(&decoded, part.param(b"charset")))
}

fn slice<'a>(message: &'a [u8], range: &Range<u32>) -> &'a [u8] {
    message.get(range.start as usize..range.end as usize).unwrap_or_default()
}
