//! The bytes of BODY[section] (RFC 3501 section 6.4.5) and BINARY[part] (RFC 3516): ranges of the message, selected header fields, a part
//! of either. Never changes a byte of what it selects, beyond undoing a transfer encoding for BINARY.
use super::plan::{Content, Decoding, Fields};
use crate::imap::out;
use posthouse_engine::index::mime::{PartKind, SummaryRef, TransferEncoding, header_fields};
use posthouse_engine::search::text::decode_body;
use std::borrow::Cow;

/// A part's Content-Transfer-Encoding is none that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::imap) struct UnknownEncoding;

/// Appends the label and what stands before the bytes, which are given back; NIL when there is no such part. A part whose transfer encoding
/// is not known is none: ask `check` first.
pub(in crate::imap) fn write<'a>(
    out: &mut Vec<u8>,
    content: &Content,
    summary: Option<&SummaryRef<'_>>,
    message: &'a [u8],
) -> Option<Cow<'a, [u8]>> {
    out.extend_from_slice(&content.label);
    out.push(b' ');
    let bytes = match content.decoding {
        Decoding::None => bytes(content, summary, message),
        Decoding::Size => {
            out::number(out, decoded(content, summary, message).map_or(0, |bytes| bytes.len() as u64));
            return None;
        }
        Decoding::Binary => decoded(content, summary, message).map(|decoded| cut_cow(decoded, content.partial)),
    };
    let Some(bytes) = bytes else {
        out.extend_from_slice(b"NIL");
        return None;
    };
    // RFC 3516 section 4.2: NULs need a literal8.
    if content.decoding == Decoding::Binary && bytes.contains(&0) {
        out.push(b'~');
    }
    out::literal_head(out, bytes.len());
    Some(bytes)
}

/// Whether the content's transfer encoding, if it is to be undone, is one that can be.
pub(in crate::imap) fn check(content: &Content, summary: Option<&SummaryRef<'_>>) -> Result<(), UnknownEncoding> {
    if content.decoding == Decoding::None || content.is_whole() {
        return Ok(());
    }
    match summary.and_then(|summary| summary.part(&content.path)) {
        Some(part) if part.kind == PartKind::Leaf && part.encoding() == TransferEncoding::Unknown => {
            Err(UnknownEncoding)
        }
        _ => Ok(()),
    }
}

/// The bytes that a content without decoding selects; `None` when there is no such part.
pub(in crate::imap) fn bytes<'a>(
    content: &Content,
    summary: Option<&SummaryRef<'_>>,
    message: &'a [u8],
) -> Option<Cow<'a, [u8]>> {
    let range = match content.is_whole() {
        true => 0..message.len() as u32,
        false => summary?.section(&content.path, content.section)?,
    };
    let bytes = message.get(range.start as usize..range.end as usize)?;
    Some(match &content.fields {
        None => Cow::Borrowed(cut(bytes, content.partial)),
        Some(fields) => Cow::Owned(cut(&select(bytes, fields), content.partial).to_vec()),
    })
}

/// The part without its transfer encoding. Whole messages and what holds parts have none that could be undone.
fn decoded<'a>(content: &Content, summary: Option<&SummaryRef<'_>>, message: &'a [u8]) -> Option<Cow<'a, [u8]>> {
    if content.is_whole() {
        return Some(Cow::Borrowed(message));
    }
    let part = summary?.part(&content.path)?;
    let bytes = message.get(part.body.start as usize..part.body.end as usize).unwrap_or_default();
    match part.kind {
        PartKind::Leaf => Some(decode_body(bytes, part.encoding())),
        _ => Some(Cow::Borrowed(bytes)),
    }
}

/// From the first byte wanted on, at most as many as wanted; nothing beyond the end.
fn cut(bytes: &[u8], partial: Option<(u32, u32)>) -> &[u8] {
    let Some((first, len)) = partial else {
        return bytes;
    };
    let rest = bytes.get(first as usize..).unwrap_or_default();
    &rest[..rest.len().min(len as usize)]
}

fn cut_cow(bytes: Cow<'_, [u8]>, partial: Option<(u32, u32)>) -> Cow<'_, [u8]> {
    match bytes {
        Cow::Borrowed(bytes) => Cow::Borrowed(cut(bytes, partial)),
        Cow::Owned(bytes) if partial.is_none() => Cow::Owned(bytes),
        Cow::Owned(bytes) => Cow::Owned(cut(&bytes, partial).to_vec()),
    }
}

/// The fields wanted, in the order of the header, and a blank line.
fn select(header: &[u8], fields: &Fields) -> Vec<u8> {
    let mut selected = Vec::new();
    for field in header_fields(header) {
        if fields.names.iter().any(|name| field.is(name)) != fields.not {
            let line = header.get(field.line.clone()).unwrap_or_default();
            selected.extend_from_slice(line);
            if !line.ends_with(b"\n") {
                selected.extend_from_slice(b"\r\n");
            }
        }
    }
    selected.extend_from_slice(b"\r\n");
    selected
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_bytes() {
        assert_eq!(cut(b"abcdef", Some((2, 3))), b"cde");
        assert_eq!(cut(b"abcdef", Some((4, 30))), b"ef");
        assert_eq!(cut(b"abcdef", Some((6, 1))), b"");
        assert_eq!(cut(b"abcdef", Some((u32::MAX, u32::MAX))), b"");
        assert_eq!(cut(b"abcdef", None), b"abcdef");
    }

    #[test]
    fn header_fields_with_folds() {
        let header = b"From: a\r\nSubject: x\r\n y\r\nTo: b\r\n\r\n";
        let fields = |not| Fields { names: vec![b"SUBJECT".to_vec(), b"absent".to_vec()], not };
        assert_eq!(select(header, &fields(false)), b"Subject: x\r\n y\r\n\r\n");
        assert_eq!(select(header, &fields(true)), b"From: a\r\nTo: b\r\n\r\n");
        assert_eq!(select(b"", &fields(false)), b"\r\n");
    }
}
