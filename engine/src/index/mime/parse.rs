//! Walks a message once and finds its parts (RFC 2046 section 5.1), taking broken MIME as Dovecot takes it: a boundary
//! matches by its beginning, the longest match wins, an outer boundary closes all that is open inside. Never fails;
//! depth and number of parts are bounded.
use super::boundary::{self, Boundary, boundary_of};
use super::envelope::{EMPTY, EnvelopeFields};
use super::header::{field_at, is_blank_line, line_end, trim_line_end};
use super::node::{Content, Node, PartKind};
use super::params::Typed;
use crate::base::limits::{MIME_DEPTH_MAX, MIME_PARTS_MAX, SUMMARY_TEXT_BYTES_MAX};

/// What the walk finds.
pub(super) struct Parsed {
    pub(super) envelope: Vec<u8>,
    pub(super) nodes: Vec<Node>,
}

/// Parses a message of at most `u32::MAX` bytes.
pub(super) fn parse(message: &[u8]) -> Parsed {
    let mut walk = Walk {
        message,
        parsed: Parsed { envelope: Vec::new(), nodes: Vec::with_capacity(4) },
        open: Vec::new(),
        boundaries: Vec::new(),
        text_left: SUMMARY_TEXT_BYTES_MAX,
        counted: 0,
        lines: 0,
    };
    walk.run();
    walk.parsed
}

struct Walk<'a> {
    message: &'a [u8],
    parsed: Parsed,
    open: Vec<Open>,
    boundaries: Vec<Boundary>,
    /// Bytes of text that may still be taken up.
    text_left: usize,
    /// How far line feeds are counted, and how many there were.
    counted: usize,
    lines: u32,
}

/// A part whose end has not been seen.
struct Open {
    node: usize,
    /// Line feeds before the body.
    lines_before: u32,
    /// The header ran into a boundary: the body is empty.
    cut: bool,
    body_start: usize,
    is_digest: bool,
}

/// How a header ended.
struct HeaderEnd {
    header_end: usize,
    /// Where to go on reading.
    next: usize,
    cut: bool,
    /// Bytes of the last line's end.
    last_line_end_len: usize,
}

/// What a header says that matters here.
#[derive(Default)]
struct HeaderFacts {
    envelope: EnvelopeFields,
    content: Content,
    is_mime: bool,
}

impl Walk<'_> {
    fn run(&mut self) {
        let mut pos = self.begin_part(0, false);
        loop {
            if self.current_kind() == PartKind::Message {
                pos = self.begin_part(pos, false);
                continue;
            }
            if self.parsed.nodes.len() >= MIME_PARTS_MAX {
                self.boundaries.clear();
            }
            let Some(hit) = boundary::find(self.message, pos, &self.boundaries) else {
                return self.close_down_to(0, self.message.len());
            };
            let level = self.boundaries[hit.index].level;
            self.close_down_to(level + 1, hit.body_end);
            self.boundaries.truncate(hit.index + usize::from(!hit.closing));
            pos = line_end(self.message, hit.line_start);
            if self.message.get(pos.wrapping_sub(1)) != Some(&b'\n') {
                return self.close_down_to(0, self.message.len());
            }
            if !hit.closing {
                pos = self.begin_part(pos, true);
            }
        }
    }

    fn current_kind(&self) -> PartKind {
        let current = self.open.last().and_then(|open| self.parsed.nodes.get(open.node));
        current.map_or(PartKind::Leaf, |node| node.kind)
    }

    /// Reads a part's header and opens the part; gives where its body begins.
    fn begin_part(&mut self, start: usize, in_multipart: bool) -> usize {
        let in_digest = self.open.last().is_some_and(|parent| parent.is_digest);
        let parent_kind = self.current_kind();
        if let Some(parent) = self.open.last() {
            self.parsed.nodes[parent.node].children += 1;
        }
        let mut facts = HeaderFacts { is_mime: in_multipart, ..HeaderFacts::default() };
        let mut end = self.read_header(start, &mut facts);
        let kind = self.settle_kind(&mut facts, in_digest);
        let boundary = self.own_boundary(kind, &facts.content);
        if !end.cut && end.header_end > start {
            self.take_empty_body(&mut end, boundary.as_deref());
        }
        if parent_kind == PartKind::Message {
            let envelope = self.within_budget(facts.envelope.render(self.message));
            if let Some(parent) = self.open.last() {
                self.parsed.nodes[parent.node].envelope = envelope;
            }
        } else if self.open.is_empty() {
            self.parsed.envelope = facts.envelope.render(self.message);
        }
        self.shed_over_budget(&mut facts.content);
        self.open_part(start, end, kind, facts.content, boundary)
    }

    fn open_part(
        &mut self,
        start: usize,
        end: HeaderEnd,
        kind: PartKind,
        content: Content,
        boundary: Option<Vec<u8>>,
    ) -> usize {
        let is_digest =
            kind == PartKind::Multipart && content.media.as_ref().is_some_and(|m| m.is(b"multipart", b"digest"));
        if let (Some(text), false) = (boundary, end.cut) {
            let level = self.open.len();
            self.boundaries.push(Boundary { level, text });
        }
        // Inside a part without a body there is no room: what it holds is empty and stands where the body would.
        let no_room = self.open.last().filter(|parent| parent.cut).map(|parent| parent.body_start);
        let header = no_room.map_or(start..end.header_end, |at| at..at);
        let lines_before = self.lines_upto(header.end);
        self.open.push(Open {
            node: self.parsed.nodes.len(),
            lines_before,
            cut: end.cut,
            body_start: header.end,
            is_digest,
        });
        self.parsed.nodes.push(Node {
            kind,
            body: header.end..header.end,
            header,
            lines: 0,
            children: 0,
            content,
            envelope: Vec::new(),
        });
        end.next
    }

    /// Reads header lines up to the blank line, a boundary or the end of the message.
    fn read_header(&self, start: usize, facts: &mut HeaderFacts) -> HeaderEnd {
        let mut field = None;
        let mut pos = start;
        let mut line_end_len = 0;
        let cut = loop {
            if boundary::match_line(self.message, pos, &self.boundaries).is_some() {
                break true;
            }
            let end = line_end(self.message, pos);
            let line = &self.message[pos..end];
            let continues = matches!(line.first(), Some(b' ' | b'\t')) && field.is_some();
            if !continues && let Some((from, first_end)) = field.take() {
                self.note_field(from, first_end, pos, facts);
            }
            line_end_len = line.len() - trim_line_end(line).len();
            if line.is_empty() || is_blank_line(line) {
                pos = end;
                break false;
            }
            if !continues {
                field = Some((pos, end - line_end_len));
            }
            pos = end;
        };
        if let Some((from, first_end)) = field {
            self.note_field(from, first_end, pos, facts);
        }
        // The line end before a boundary belongs to the boundary (RFC 2046 section 5.1.1).
        let taken_back = if cut { line_end_len } else { 0 };
        HeaderEnd { header_end: pos - taken_back, next: pos, cut, last_line_end_len: line_end_len }
    }

    fn note_field(&self, start: usize, first_end: usize, end: usize, facts: &mut HeaderFacts) {
        let Some(field) = field_at(self.message, start, first_end, end) else {
            return;
        };
        // field_at speaks of the whole message here, so its ranges are the message's.
        facts.is_mime |= field.is(b"MIME-Version") || field.is(b"Content-Type");
        facts.content.note(&field, self.message);
        facts.envelope.note(field.name, field.value);
    }

    /// Decides what the part is; without MIME its Content- fields mean nothing (RFC 2045 section 4).
    fn settle_kind(&self, facts: &mut HeaderFacts, in_digest: bool) -> PartKind {
        if !facts.is_mime {
            facts.content = Content::default();
        }
        let kind = match &facts.content.media {
            // RFC 2046 section 5.1.5: the default inside a digest.
            None if in_digest => PartKind::Message,
            Some(media) if media.is(b"message", b"rfc822") => PartKind::Message,
            Some(media) if media.main.eq_ignore_ascii_case(b"multipart") => PartKind::Multipart,
            _ => PartKind::Leaf,
        };
        let nameless = facts.content.media.as_ref().is_some_and(|media| media.sub.is_none());
        let too_many = self.parsed.nodes.len() + 1 >= MIME_PARTS_MAX;
        let too_deep = self.open.len() + 1 >= MIME_DEPTH_MAX;
        if kind == PartKind::Leaf || !(nameless || too_many || too_deep) {
            return kind;
        }
        let params = facts.content.media.take().map(|media| media.params).unwrap_or_default();
        facts.content.media =
            Some(Typed { main: b"application".to_vec(), sub: Some(b"octet-stream".to_vec()), params });
        PartKind::Leaf
    }

    fn own_boundary(&self, kind: PartKind, content: &Content) -> Option<Vec<u8>> {
        let media = content.media.as_ref().filter(|_| kind == PartKind::Multipart)?;
        boundary_of(media)
    }

    /// When the line after a header is somebody else's boundary, the blank line's end belongs to that boundary.
    fn take_empty_body(&self, end: &mut HeaderEnd, own: Option<&[u8]>) {
        let Some(index) = boundary::match_line(self.message, end.next, &self.boundaries) else {
            return;
        };
        let theirs = self.boundaries[index].text.len();
        let rest = self.message.get(end.next + 2..).unwrap_or_default();
        let is_own = own.is_some_and(|own| own.len() >= theirs && rest.starts_with(own));
        if !is_own {
            end.header_end -= end.last_line_end_len;
            end.cut = true;
        }
    }

    /// Ends the open parts from the innermost down to `level`.
    fn close_down_to(&mut self, level: usize, end: usize) {
        let lines = self.lines_upto(end);
        for open in self.open.drain(level.min(self.open.len())..) {
            let node = &mut self.parsed.nodes[open.node];
            if !open.cut {
                node.body.end = end.max(node.body.start);
                node.lines = lines.saturating_sub(open.lines_before);
            }
        }
    }

    /// Counts line feeds before `pos`. Asked in rising order, so that each byte is looked at once.
    fn lines_upto(&mut self, pos: usize) -> u32 {
        if let Some(new) = self.message.get(self.counted..pos) {
            self.lines += memchr::memchr_iter(b'\n', new).count() as u32;
            self.counted = pos;
        }
        self.lines
    }

    fn within_budget(&mut self, envelope: Vec<u8>) -> Vec<u8> {
        match self.text_left.checked_sub(envelope.len()) {
            Some(left) => {
                self.text_left = left;
                envelope
            }
            None => EMPTY.to_vec(),
        }
    }

    fn shed_over_budget(&mut self, content: &mut Content) {
        let size = content.size();
        match self.text_left.checked_sub(size) {
            Some(left) => self.text_left = left,
            None => content.shed(),
        }
    }
}
