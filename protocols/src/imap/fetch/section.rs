//! The bytes of BODY[section] (RFC 3501 section 6.4.5): ranges of the message, selected header fields, a part of either. Never changes a
//! byte of what it selects.
use super::plan::{Content, Fields};
use crate::imap::out;
use posthouse_engine::index::mime::{SummaryRef, header_fields};
use std::ops::Range;

/// Appends label and bytes; NIL when there is no such part.
pub(in crate::imap) fn write(out: &mut Vec<u8>, content: &Content, summary: Option<&SummaryRef<'_>>, message: &[u8]) {
    out.extend_from_slice(&content.label);
    out.push(b' ');
    if content.is_whole() {
        return out::literal(out, cut(message, content.partial));
    }
    let range = summary.and_then(|summary| summary.section(&content.path, content.section));
    let Some(bytes) = range.and_then(|Range { start, end }| message.get(start as usize..end as usize)) else {
        return out.extend_from_slice(b"NIL");
    };
    match &content.fields {
        None => out::literal(out, cut(bytes, content.partial)),
        Some(fields) => out::literal(out, cut(&select(bytes, fields), content.partial)),
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
