//! The parts of a message while it is being parsed, in document order. Holds texts as they were written; how they are
//! stored is `encode`'s matter, how they look on the wire `render`'s.
use std::ops::Range;

use super::envelope::{clean, limited, without_nul};
use super::header::HeaderField;
use super::params::{Params, Typed, parse_content_type, parse_disposition, parse_encoding, parse_languages};

/// What a part is made of.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PartKind {
    /// A body without parts of its own.
    Leaf,
    /// multipart/*, holding any number of parts (RFC 2046 section 5.1).
    Multipart,
    /// message/rfc822, holding exactly one message (RFC 2046 section 5.2.1).
    Message,
}

/// One part; children follow their parent.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) struct Node {
    pub(super) kind: PartKind,
    pub(super) header: Range<usize>,
    pub(super) body: Range<usize>,
    /// Line feeds in the body.
    pub(super) lines: u32,
    /// Direct children.
    pub(super) children: u32,
    pub(super) content: Content,
    /// The envelope of the message held, for `PartKind::Message`.
    pub(super) envelope: Vec<u8>,
}

/// What the Content- fields of a part say.
#[derive(Default, Clone, PartialEq, Eq, Debug)]
pub(super) struct Content {
    pub(super) media: Option<Typed>,
    pub(super) encoding: Option<Vec<u8>>,
    pub(super) disposition: Option<Typed>,
    pub(super) id: Option<Vec<u8>>,
    pub(super) description: Option<Vec<u8>>,
    pub(super) md5: Option<Vec<u8>>,
    pub(super) location: Option<Vec<u8>>,
    pub(super) languages: Vec<Vec<u8>>,
}

impl Content {
    /// RFC 2045 section 5.2: what says nothing of its type is text.
    pub(super) fn is_text(&self) -> bool {
        self.media.as_ref().is_none_or(|media| media.main.eq_ignore_ascii_case(b"text"))
    }

    /// Takes up a field if its name begins with "Content-". The first field of a name counts.
    pub(super) fn note(&mut self, field: &HeaderField<'_>, block: &[u8]) {
        const PREFIX: &[u8] = b"Content-";
        let Some((prefix, name)) = field.name.split_at_checked(PREFIX.len()) else {
            return;
        };
        if !prefix.eq_ignore_ascii_case(PREFIX) {
            return;
        }
        let raw = block.get(field.value.clone()).unwrap_or_default();
        let value = limited(raw);
        let text = || Some(clean(raw).into_owned());
        let is = |known: &[u8]| name.eq_ignore_ascii_case(known);
        if is(b"Type") && self.media.is_none() {
            self.media = parse_content_type(value).map(without_nuls);
        } else if is(b"Transfer-Encoding") && self.encoding.is_none() {
            self.encoding = parse_encoding(value);
        } else if is(b"Disposition") && self.disposition.as_ref().is_none_or(|d| d.params.is_empty()) {
            self.disposition = parse_disposition(value).map(without_nuls).or(self.disposition.take());
        } else if is(b"ID") && self.id.is_none() {
            self.id = text();
        } else if is(b"Description") && self.description.is_none() {
            self.description = text();
        } else if is(b"MD5") && self.md5.is_none() {
            self.md5 = text();
        } else if is(b"Location") && self.location.is_none() {
            self.location = text();
        } else if is(b"Language") && self.languages.is_empty() {
            self.languages = parse_languages(value);
        }
    }

    /// Bytes of text that this would add to a summary.
    pub(super) fn size(&self) -> usize {
        let typed = |typed: &Option<Typed>| {
            typed.as_ref().map_or(0, |typed| {
                typed.main.len() + typed.sub.as_ref().map_or(0, Vec::len) + params_size(&typed.params)
            })
        };
        let texts = [&self.encoding, &self.id, &self.description, &self.md5, &self.location];
        typed(&self.media)
            + typed(&self.disposition)
            + texts.iter().filter_map(|text| text.as_ref()).map(Vec::len).sum::<usize>()
            + self.languages.iter().map(Vec::len).sum::<usize>()
    }

    /// Drops all but the type, for a summary that has grown too large.
    pub(super) fn shed(&mut self) {
        let media = self.media.take().map(|typed| Typed {
            params: Params::new(),
            main: shortened(typed.main),
            sub: typed.sub.map(shortened),
        });
        *self = Content { media, encoding: self.encoding.take().map(shortened), ..Content::default() };
    }
}

fn shortened(mut text: Vec<u8>) -> Vec<u8> {
    text.truncate(64);
    text
}

fn params_size(params: &Params) -> usize {
    params.iter().map(|(name, value)| name.len() + value.len()).sum()
}

/// Quoted parameters were cleaned while they were read; what was taken raw may still hold NUL.
fn without_nuls(mut typed: Typed) -> Typed {
    for (_, value) in &mut typed.params {
        if value.contains(&0) {
            *value = without_nul(value).into_owned();
        }
    }
    typed
}
