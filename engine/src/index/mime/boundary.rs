//! Finds boundary lines (RFC 2046 section 5.1.1). Never looks at headers; never remembers anything between calls.
use memchr::memmem;

use super::params::Typed;
use crate::base::limits::MIME_BOUNDARY_BYTES_MAX;

/// A multipart's boundary, in force until the multipart ends.
pub(super) struct Boundary {
    /// Its multipart's place among the open parts.
    pub(super) level: usize,
    pub(super) text: Vec<u8>,
}

/// A boundary line in a body.
pub(super) struct Hit {
    /// Which boundary.
    pub(super) index: usize,
    /// Where the body before it ends: the line end before a boundary belongs to the boundary.
    pub(super) body_end: usize,
    /// Where the line begins.
    pub(super) line_start: usize,
    /// It closes its multipart.
    pub(super) closing: bool,
}

/// The boundary that a multipart's type names, as far as it is compared.
pub(super) fn boundary_of(media: &Typed) -> Option<Vec<u8>> {
    let (_, text) = media.params.iter().find(|(name, _)| name.eq_ignore_ascii_case(b"boundary"))?;
    Some(text[..text.len().min(MIME_BOUNDARY_BYTES_MAX)].to_vec())
}

/// The boundary that the line at `line_start` begins with: the longest, among equals the innermost.
pub(super) fn match_line(message: &[u8], line_start: usize, boundaries: &[Boundary]) -> Option<usize> {
    let text = message.get(line_start..)?.strip_prefix(b"--")?;
    let mut best: Option<usize> = None;
    for (index, boundary) in boundaries.iter().enumerate().rev() {
        let longer = best.is_none_or(|best| boundaries[best].text.len() < boundary.text.len());
        if longer && text.starts_with(&boundary.text) {
            best = Some(index);
        }
    }
    best
}

/// The first boundary line at or after `pos`, which is the beginning of a line.
pub(super) fn find(message: &[u8], pos: usize, boundaries: &[Boundary]) -> Option<Hit> {
    if boundaries.is_empty() {
        return None;
    }
    let hit = |index: usize, line_start: usize, body_end: usize| Hit {
        index,
        body_end,
        line_start,
        closing: message[line_start + 2 + boundaries[index].text.len()..].starts_with(b"--"),
    };
    if let Some(index) = match_line(message, pos, boundaries) {
        return Some(hit(index, pos, pos));
    }
    let body = message.get(pos..)?;
    memmem::find_iter(body, b"\n--").find_map(|at| {
        let index = match_line(message, pos + at + 1, boundaries)?;
        let has_cr = at > 0 && body[at - 1] == b'\r';
        Some(hit(index, pos + at + 1, pos + at - usize::from(has_cr)))
    })
}
