//! The bytes of BODY[section] (RFC 3501 section 6.4.5) and BINARY[part] (RFC 3516): ranges of the message, selected header fields, a part
//! of either. Never changes a byte of what it selects, beyond undoing a transfer encoding for BINARY. What has to be looked for is found in steps,
//! and a second time when it is written, so that none of it is kept.
use super::plan::{Content, Decoding, Fields};
use crate::limits;
use crate::runtime::yield_now;
use posthouse_engine::index::mime::{PartKind, SummaryRef, TransferEncoding};
use posthouse_engine::search::text::Decoder;
use std::ops::Range;

/// A part's Content-Transfer-Encoding is none that can be undone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::imap) struct UnknownEncoding;

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

/// What a content selects of a message.
#[derive(Debug)]
pub(in crate::imap) enum Selected<'a> {
    /// Bytes as they stand there.
    AsIs(Range<usize>),
    /// What is found by a walk.
    Sought(Sought<'a>),
}

/// What has to be looked for, and where.
#[derive(Debug)]
pub(in crate::imap) struct Sought<'a> {
    range: Range<usize>,
    /// `None`: the range without its transfer encoding.
    fields: Option<&'a Fields>,
    encoding: TransferEncoding,
    /// Which of the bytes found are wanted.
    window: Range<u64>,
}

impl<'a> Selected<'a> {
    /// What the content selects of a message of `len` bytes; `None` when there is no such part. A part whose transfer encoding is not known is taken
    /// as it is: ask `check` first. Whole messages and what holds parts have no transfer encoding that could be undone.
    pub(in crate::imap) fn find(
        content: &'a Content,
        summary: Option<&SummaryRef<'_>>,
        len: usize,
    ) -> Option<Selected<'a>> {
        let mut encoding = TransferEncoding::Identity;
        let range = if content.is_whole() {
            0..len as u32
        } else if content.decoding == Decoding::None {
            summary?.section(&content.path, content.section)?
        } else {
            let part = summary?.part(&content.path)?;
            if part.kind == PartKind::Leaf {
                encoding = part.encoding();
            }
            part.body
        };
        let (mut range, fields) = (range.start as usize..range.end as usize, content.fields.as_ref());
        if range.end > len || range.start > range.end {
            return None;
        }
        if fields.is_none() && matches!(encoding, TransferEncoding::Identity | TransferEncoding::Unknown) {
            if let Some((first, bytes)) = content.partial {
                range.start = range.end.min(range.start.saturating_add(first as usize));
                range.end = range.end.min(range.start.saturating_add(bytes as usize));
            }
            return Some(Selected::AsIs(range));
        }
        let first = content.partial.map_or(0, |(first, _)| u64::from(first));
        let window = first..content.partial.map_or(u64::MAX, |(_, bytes)| first + u64::from(bytes));
        Some(Selected::Sought(Sought { range, fields, encoding, window }))
    }

    /// Gives all the bytes to `take`, piece by piece until it fails. Others have their turn behind each.
    pub(in crate::imap) async fn each<E>(
        &self,
        message: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let sought = match self {
            Selected::AsIs(range) => {
                let (mut rest, mut more) = (message.get(range.clone()).unwrap_or_default(), true);
                while more {
                    let (piece, behind) = rest.split_at(rest.len().min(limits::WORK_PER_TURN_BYTES));
                    take(piece)?;
                    (rest, more) = (behind, !behind.is_empty());
                    yield_now().await;
                }
                return Ok(());
            }
            Selected::Sought(sought) => sought,
        };
        let (mut walk, mut found, mut more) = (sought.walk(), Vec::new(), true);
        while more {
            found.clear();
            more = walk.next(message, &mut found);
            take(&found)?;
            yield_now().await;
        }
        Ok(())
    }
}

impl Sought<'_> {
    /// How many bytes of the message one step of a walk goes through.
    pub(in crate::imap) fn step_bytes(&self) -> usize {
        self.range.len().min(limits::IMAP_SECTION_STEP_BYTES)
    }

    /// From its beginning on.
    pub(in crate::imap) fn walk(&self) -> Walk<'_> {
        let way = match self.fields {
            Some(fields) => Way::Fields(Lines { fields, at: 0, line_at: 0, taken: false }),
            None => Way::Decoded(Decoder::new(self.encoding)),
        };
        Walk { sought: self, way, found: 0 }
    }
}

/// Goes through what is sought.
#[derive(Debug)]
pub(in crate::imap) struct Walk<'a> {
    sought: &'a Sought<'a>,
    way: Way<'a>,
    /// Bytes found so far, wanted or not.
    found: u64,
}

#[derive(Debug)]
enum Way<'a> {
    Fields(Lines<'a>),
    Decoded(Decoder),
}

impl Walk<'_> {
    /// Goes on through `limits::IMAP_SECTION_STEP_BYTES` of the message, the same each time, and appends what of it is wanted; false at the end.
    pub(in crate::imap) fn next(&mut self, message: &[u8], out: &mut Vec<u8>) -> bool {
        let Sought { range, window, .. } = self.sought;
        let from = message.get(range.clone()).unwrap_or_default();
        let before = out.len();
        let more = match &mut self.way {
            Way::Fields(lines) => lines.next(from, out),
            Way::Decoded(decoder) => decoder.next(from, limits::IMAP_SECTION_STEP_BYTES, out),
        };
        let new = (out.len() - before) as u64;
        let keep = |at: u64| at.saturating_sub(self.found).min(new) as usize;
        let (first, last) = (keep(window.start), keep(window.end));
        out.truncate(before + last);
        out.drain(before..before + first);
        self.found += new;
        more && self.found < window.end
    }
}

/// Picks fields out of a header, line by line: folds go with their field (RFC 5322 section 2.2.3), and a line without a colon is none.
#[derive(Debug)]
struct Lines<'a> {
    fields: &'a Fields,
    at: usize,
    /// Where the line at hand begins.
    line_at: usize,
    /// The field at hand is wanted.
    taken: bool,
}

impl Lines<'_> {
    fn next(&mut self, header: &[u8], out: &mut Vec<u8>) -> bool {
        let until = header.len().min(self.at + limits::IMAP_SECTION_STEP_BYTES);
        while self.at < until {
            let rest = &header[self.at..until];
            if self.at == self.line_at {
                let line = &header[self.at..];
                if line.starts_with(b"\r\n") || line.starts_with(b"\n") {
                    return Lines::end(out);
                }
                if self.at == 0 || !matches!(line[0], b' ' | b'\t') {
                    self.taken = self.is_wanted(line);
                }
            }
            let len = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at + 1);
            if self.taken {
                out.extend_from_slice(&rest[..len]);
            }
            self.at += len;
            if rest[len - 1] == b'\n' {
                self.line_at = self.at;
            }
        }
        if self.at < header.len() {
            return true;
        }
        if self.taken && self.line_at < self.at {
            out.extend_from_slice(b"\r\n");
        }
        Lines::end(out)
    }

    /// The blank line behind the fields.
    fn end(out: &mut Vec<u8>) -> bool {
        out.extend_from_slice(b"\r\n");
        false
    }

    /// Whether a field that begins here is wanted.
    fn is_wanted(&self, field: &[u8]) -> bool {
        match memchr::memchr2(b':', b'\n', field) {
            Some(colon) if field[colon] == b':' => {
                let name = &field[..colon];
                let len = name.iter().rposition(|byte| !matches!(byte, b' ' | b'\t')).map_or(0, |last| last + 1);
                self.fields.contains(&name[..len]) != self.fields.not
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::Random;
    use posthouse_engine::index::mime::header_fields;

    fn content(partial: Option<(u32, u32)>, fields: Option<Fields>) -> Content {
        Content { partial, fields, ..Content::default() }
    }

    fn sought(header: &[u8], names: &[&str], not: bool, window: Range<u64>) -> Vec<u8> {
        let fields = Fields::new(names.iter().map(|name| name.as_bytes().to_vec()).collect(), not);
        let (range, encoding) = (0..header.len(), TransferEncoding::Identity);
        let sought = Sought { range, fields: Some(&fields), encoding, window };
        let (mut walk, mut found) = (sought.walk(), Vec::new());
        while walk.next(header, &mut found) {}
        found
    }

    #[test]
    fn parts_of_bytes() {
        for (first, bytes, expected) in [(2, 3, 2..5), (4, 30, 4..6), (6, 1, 6..6), (u32::MAX, u32::MAX, 6..6)] {
            let content = content(Some((first, bytes)), None);
            assert!(matches!(Selected::find(&content, None, 6), Some(Selected::AsIs(range)) if range == expected));
        }
        assert!(
            matches!(Selected::find(&content(None, None), None, 6), Some(Selected::AsIs(range)) if range == (0..6))
        );
    }

    #[test]
    fn header_fields_with_folds() {
        let header = b"From: a\r\nSubject: x\r\n y\r\nTo: b\r\n\r\n";
        let select = |not| sought(header, &["SUBJECT", "absent"], not, 0..u64::MAX);
        assert_eq!(select(false), b"Subject: x\r\n y\r\n\r\n");
        assert_eq!(select(true), b"From: a\r\nTo: b\r\n\r\n");
        assert_eq!(sought(header, &["subject"], false, 9..13), b"x\r\n ");
        assert_eq!(sought(b"", &["a"], true, 0..u64::MAX), b"\r\n");
    }

    /// The same by the parser that knows fields as wholes.
    fn by_fields(header: &[u8], names: &[&str], not: bool) -> Vec<u8> {
        let mut found = Vec::new();
        for field in header_fields(header) {
            if names.iter().any(|name| field.is(name.as_bytes())) != not {
                found.extend_from_slice(&header[field.line.clone()]);
                if !found.ends_with(b"\n") {
                    found.extend_from_slice(b"\r\n");
                }
            }
        }
        found.extend_from_slice(b"\r\n");
        found
    }

    #[test]
    fn lines_come_to_the_same_as_fields() {
        let mut random = Random(5);
        for _ in 0..3000 {
            let bits = ["a", "B", ":", ": ", " ", "\t", "\r\n", "\r\n", "\n", "\n ", "b: c\r\n", "\r", "A :x\n"];
            let mut header: String = (0..random.below(24)).map(|_| bits[random.below(bits.len())]).collect();
            if random.below(20) == 0 {
                // Beyond a step, in the midst of a line.
                header = header + "b: " + &"c".repeat(limits::IMAP_SECTION_STEP_BYTES) + "\n d\na: b\n\n";
            }
            for (names, not) in [(&["a", "ab"][..], false), (&["b"], true), (&["aB", "b", "x"], false)] {
                let expected = by_fields(header.as_bytes(), names, not);
                assert_eq!(sought(header.as_bytes(), names, not, 0..u64::MAX), expected, "{header:?} {names:?} {not}");
            }
        }
    }
}
