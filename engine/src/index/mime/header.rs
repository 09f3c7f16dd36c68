//! Finds the fields of a header block (RFC 5322 section 2.2): names, raw values and where they stand, for envelopes,
//! BODY[HEADER.FIELDS (...)] and SEARCH. Never copies and never decodes; a line without a colon is skipped.
use std::ops::Range;

/// One header field; ranges are offsets into the block it was found in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HeaderField<'a> {
    /// The name as written, without white space before the colon.
    pub name: &'a [u8],
    /// The raw value: folds are kept, white space after the colon and the last line end are not.
    pub value: Range<usize>,
    /// The whole field with its line end, as BODY[HEADER.FIELDS] sends it.
    pub line: Range<usize>,
}

impl HeaderField<'_> {
    /// Compares names as RFC 5322 section 1.2.2 does: without case.
    pub fn is(&self, name: &[u8]) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// Walks the fields of a header block in order and stops at its blank line.
pub fn header_fields(header: &[u8]) -> HeaderFields<'_> {
    HeaderFields { header, pos: 0 }
}

/// The raw value of the first field of that name, if there is one.
pub fn find_header<'a>(header: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let field = header_fields(header).find(|field| field.is(name))?;
    header.get(field.value)
}

/// The first Message-ID with its angle brackets, without comments or white space around it.
pub fn message_id(header: &[u8]) -> Option<&[u8]> {
    let value = find_header(header, b"Message-ID")?.trim_ascii();
    let Some(start) = memchr::memchr(b'<', value) else {
        return (!value.is_empty()).then_some(value);
    };
    let len = memchr::memchr(b'>', &value[start..])? + 1;
    Some(&value[start..start + len])
}

/// The value on one line: line ends go, the white space that continued the line stays (RFC 5322 section 2.2.3).
pub fn unfold(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for (at, &byte) in value.iter().enumerate() {
        if byte != b'\r' && byte != b'\n' {
            out.push(byte);
        } else if value.get(at + 1).is_some_and(|next| !is_wsp(*next)) {
            out.push(b' ');
        }
    }
    out
}

/// Iterator of `header_fields`.
#[derive(Clone, Debug)]
pub struct HeaderFields<'a> {
    header: &'a [u8],
    pos: usize,
}

impl<'a> Iterator for HeaderFields<'a> {
    type Item = HeaderField<'a>;

    fn next(&mut self) -> Option<HeaderField<'a>> {
        loop {
            let start = self.pos;
            let mut line_end = line_end(self.header, start);
            let first = self.header.get(start..line_end)?;
            if first.is_empty() || is_blank_line(first) {
                return None;
            }
            let first_end = start + trim_line_end(first).len();
            while self.header.get(line_end).is_some_and(|b| matches!(b, b' ' | b'\t')) {
                line_end = self::line_end(self.header, line_end);
            }
            self.pos = line_end;
            if let Some(field) = field_at(self.header, start, first_end, line_end) {
                return Some(field);
            }
        }
    }
}

/// Splits the field that stands at `start..end` and whose first line's text ends at `first_end`.
pub(super) fn field_at(block: &[u8], start: usize, first_end: usize, end: usize) -> Option<HeaderField<'_>> {
    let colon = memchr::memchr(b':', block.get(start..first_end)?)?;
    let mut name = &block[start..start + colon];
    while let [shorter @ .., b' ' | b'\t'] = name {
        name = shorter;
    }
    let text = &block[start + colon + 1..first_end];
    let blank = text.iter().take_while(|b| matches!(b, b' ' | b'\t')).count();
    // A first line of nothing but white space loses only one character of it.
    let skip = if blank == text.len() { blank.min(1) } else { blank };
    let value_start = start + colon + 1 + skip;
    let value_end = start + trim_line_end(&block[start..end]).len();
    Some(HeaderField { name, value: value_start..value_end.max(value_start), line: start..end })
}

/// Where the line that begins at `start` ends, its line feed included.
pub(super) fn line_end(block: &[u8], start: usize) -> usize {
    let rest = block.get(start..).unwrap_or_default();
    memchr::memchr(b'\n', rest).map_or(block.len(), |at| start + at + 1)
}

/// A line of nothing but its line end ends a header.
pub(super) fn is_blank_line(line: &[u8]) -> bool {
    line == b"\r\n" || line == b"\n"
}

pub(super) fn trim_line_end(line: &[u8]) -> &[u8] {
    match line {
        [text @ .., b'\r', b'\n'] | [text @ .., b'\n'] => text,
        _ => line,
    }
}

fn is_wsp(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\r' | b'\n')
}
