//! Reads a summary back without copying. Validates what it reads; what it hands out is slices of the bytes given. Never panics on any input, never allocates. Layout in docs/format.md, "Summary".
use std::ops::Range;

use super::encode::{
    FLAG_DISPOSITION, FLAG_EXTRAS, FLAG_TEXT, FLAGS_KNOWN, KIND_LEAF, KIND_MASK, KIND_MESSAGE, KIND_MULTIPART, VERSION,
};
use super::node::PartKind;
use super::wire::{Text, text};
use crate::base::bytes::{DecodeError, Reader};
use crate::base::limits::MIME_DEPTH_MAX;

/// What precedes the nodes.
#[derive(Clone, Debug)]
pub(super) struct Head<'a> {
    pub(super) envelope: &'a [u8],
    pub(super) message_len: u32,
    pub(super) nodes: NodeReader<'a>,
}

/// Reads the head; of the nodes nothing but how many there are.
pub(super) fn decode_head(bytes: &[u8]) -> Result<Head<'_>, DecodeError> {
    let mut reader = Reader::new(bytes);
    if reader.u8()? != VERSION {
        return reader.error("a summary of version 1 expected");
    }
    let envelope = reader.bytes()?;
    let message_len = reader.varint_u32()?;
    let count = reader.count()?;
    Ok(Head { envelope, message_len, nodes: NodeReader { reader, expected: 0, message_len, left: count } })
}

/// Proves that the nodes are whole: each can be read, all ranges lie in the message, the tree closes with the last node, and no byte is left over.
pub(super) fn prove(head: &Head<'_>) -> Result<(), DecodeError> {
    let mut walk = head.nodes.clone();
    below(&mut walk, 0)?;
    walk.ended()
}

/// Reads the next node with all that it holds.
fn below(nodes: &mut NodeReader<'_>, depth: usize) -> Result<(), DecodeError> {
    let head = nodes.head_at(depth)?;
    let children = head.children;
    nodes.rest(head)?;
    (0..children).try_for_each(|_| below(nodes, depth + 1))
}

/// Reads nodes one after the other.
#[derive(Clone, Debug)]
pub(super) struct NodeReader<'a> {
    reader: Reader<'a>,
    /// Where the next header begins if there is no gap.
    expected: u32,
    message_len: u32,
    /// Nodes still to come.
    left: usize,
}

/// What stands before a node's texts.
#[derive(Clone, Debug)]
pub(super) struct NodeHead {
    pub(super) kind: PartKind,
    pub(super) is_text: bool,
    pub(super) has_disposition: bool,
    pub(super) has_extras: bool,
    pub(super) header: Range<u32>,
    pub(super) body: Range<u32>,
    pub(super) lines: u32,
    pub(super) children: u32,
}

/// One node, its texts where they lie.
#[derive(Clone, Debug)]
pub(super) struct NodeRef<'a> {
    pub(super) head: NodeHead,
    pub(super) main: Option<Text<'a>>,
    pub(super) sub: Option<Text<'a>>,
    pub(super) params: Texts<'a>,
    pub(super) encoding: Option<Text<'a>>,
    pub(super) disposition: Option<(Text<'a>, Texts<'a>)>,
    pub(super) extras: Extras<'a>,
    pub(super) envelope: &'a [u8],
}

/// The rarely used fields.
#[derive(Clone, Default, Debug)]
pub(super) struct Extras<'a> {
    pub(super) id: Option<Text<'a>>,
    pub(super) description: Option<Text<'a>>,
    pub(super) md5: Option<Text<'a>>,
    pub(super) location: Option<Text<'a>>,
    pub(super) languages: Texts<'a>,
}

/// A run of texts.
#[derive(Clone, Default, Debug)]
pub(super) struct Texts<'a> {
    reader: Option<Reader<'a>>,
    left: usize,
}

impl<'a> Iterator for Texts<'a> {
    type Item = Text<'a>;

    fn next(&mut self) -> Option<Text<'a>> {
        self.left = self.left.checked_sub(1)?;
        text(self.reader.as_mut()?).ok().flatten()
    }
}

impl<'a> Texts<'a> {
    /// Texts in pairs of name and value.
    pub(super) fn pairs(mut self) -> impl Iterator<Item = (Text<'a>, Text<'a>)> {
        std::iter::from_fn(move || Some((self.next()?, self.next()?)))
    }

    /// Remembers where `count` texts begin, checks them and goes past them.
    fn skip(reader: &mut Reader<'a>, count: usize) -> Result<Self, DecodeError> {
        let texts = Texts { reader: Some(reader.clone()), left: count };
        for _ in 0..count {
            given(reader)?;
        }
        Ok(texts)
    }
}

/// Reads a text that must be there.
pub(super) fn given<'a>(reader: &mut Reader<'a>) -> Result<Text<'a>, DecodeError> {
    match text(reader)? {
        Some(text) => Ok(text),
        None => reader.error("a text expected"),
    }
}

impl<'a> NodeReader<'a> {
    pub(super) fn is_empty(&self) -> bool {
        self.left == 0
    }

    /// It is an error if anything is left.
    pub(super) fn ended(&self) -> Result<(), DecodeError> {
        match self.left == 0 && self.reader.is_empty() {
            true => Ok(()),
            false => self.reader.error("the end of the nodes expected"),
        }
    }

    /// Reads the next node; it is an error if there is none, or if it does not lie in the message.
    pub(super) fn next(&mut self) -> Result<NodeRef<'a>, DecodeError> {
        let head = self.head()?;
        self.rest(head)
    }

    /// Reads the head of the next node, which lies so deep; it is an error if that is too deep, or if there is none. Its texts must be read next, by
    /// `rest` or with the reader that `texts` gives.
    pub(super) fn head_at(&mut self, depth: usize) -> Result<NodeHead, DecodeError> {
        match depth < MIME_DEPTH_MAX {
            true => self.head(),
            false => self.reader.error("fewer levels expected"),
        }
    }

    /// Where the texts begin of the node whose head was read last.
    pub(super) fn texts(&self) -> Reader<'a> {
        self.reader.clone()
    }

    /// The next node begins where that reader is.
    pub(super) fn go_on(&mut self, behind: Reader<'a>) {
        self.reader = behind;
    }

    fn head(&mut self) -> Result<NodeHead, DecodeError> {
        let reader = &mut self.reader;
        match self.left.checked_sub(1) {
            Some(left) => self.left = left,
            None => return reader.error("no node after the last"),
        }
        let flags = reader.u8()?;
        let kind = match flags & KIND_MASK {
            KIND_LEAF => PartKind::Leaf,
            KIND_MULTIPART => PartKind::Multipart,
            KIND_MESSAGE => PartKind::Message,
            _ => return reader.error("a kind of part expected"),
        };
        let is_text = flags & FLAG_TEXT != 0;
        if flags & !FLAGS_KNOWN != 0 || (is_text && kind != PartKind::Leaf) {
            return reader.error("known flags expected");
        }
        let header = range(reader, self.expected)?;
        let body = range_at(reader, header.end)?;
        if body.end > self.message_len {
            return reader.error("a part inside the message expected");
        }
        let has_lines = is_text || kind == PartKind::Message;
        let lines = if has_lines { reader.varint_u32()? } else { 0 };
        let children = match kind {
            PartKind::Leaf => 0,
            PartKind::Multipart => reader.varint_u32()?,
            PartKind::Message => 1,
        };
        self.expected = if children == 0 { body.end } else { body.start };
        let (has_disposition, has_extras) = (flags & FLAG_DISPOSITION != 0, flags & FLAG_EXTRAS != 0);
        Ok(NodeHead { kind, is_text, has_disposition, has_extras, header, body, lines, children })
    }

    /// Reads what follows a node's head.
    pub(super) fn rest(&mut self, head: NodeHead) -> Result<NodeRef<'a>, DecodeError> {
        let reader = &mut self.reader;
        let (main, sub) = (text(reader)?, text(reader)?);
        let params = params(reader)?;
        let encoding = text(reader)?;
        let disposition = if head.has_disposition { Some((given(reader)?, self::params(reader)?)) } else { None };
        let extras = if head.has_extras { extras(reader)? } else { Extras::default() };
        let envelope = if head.kind == PartKind::Message { reader.bytes()? } else { &[] };
        Ok(NodeRef { head, main, sub, params, encoding, disposition, extras, envelope })
    }
}

/// A gap and a length.
fn range(reader: &mut Reader<'_>, expected: u32) -> Result<Range<u32>, DecodeError> {
    let gap = reader.varint_u32()?;
    match expected.checked_add(gap) {
        Some(start) => range_at(reader, start),
        None => reader.error("a range of 32 bits expected"),
    }
}

fn range_at(reader: &mut Reader<'_>, start: u32) -> Result<Range<u32>, DecodeError> {
    let len = reader.varint_u32()?;
    match start.checked_add(len) {
        Some(end) => Ok(start..end),
        None => reader.error("a range of 32 bits expected"),
    }
}

fn params<'a>(reader: &mut Reader<'a>) -> Result<Texts<'a>, DecodeError> {
    let count = reader.count()?;
    Texts::skip(reader, count * 2)
}

fn extras<'a>(reader: &mut Reader<'a>) -> Result<Extras<'a>, DecodeError> {
    let (id, description) = (text(reader)?, text(reader)?);
    let (md5, location) = (text(reader)?, text(reader)?);
    let count = reader.count()?;
    Ok(Extras { id, description, md5, location, languages: Texts::skip(reader, count)? })
}
