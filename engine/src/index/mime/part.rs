//! Finds the parts of a message by their numbers (RFC 3501 section 6.4.5) and says where they stand, for BODY[section].
//! Never reads the message.
use std::ops::Range;

use super::decode::{NodeReader, NodeRef, Texts};
use super::node::PartKind;
use super::wire::Text;

/// One part. All ranges are byte offsets into the whole message.
#[derive(Clone, Debug)]
pub struct Part<'a> {
    /// What the part is made of.
    pub kind: PartKind,
    /// The part's own header with its blank line: BODY[n.MIME]. For path [] and for part 1 of a message that is not a
    /// multipart, the header of that message.
    pub header: Range<u32>,
    /// The part's content as it is encoded: BODY[n]. For path [] what follows the message's header.
    pub body: Range<u32>,
    /// The message that the part holds: for `PartKind::Message` the embedded one, for path [] the whole message.
    pub embedded: Option<Embedded>,
    /// Line feeds in the body, counted for text/* and message/rfc822 only.
    pub lines: u32,
    node: NodeRef<'a>,
}

/// Where an embedded message stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Embedded {
    /// BODY[n.HEADER], with the blank line.
    pub header: Range<u32>,
    /// BODY[n.TEXT].
    pub text: Range<u32>,
}

/// What of a part is wanted (RFC 3501 section 9, section-text).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Section {
    /// BODY[n]; BODY[] for path [].
    Whole,
    /// BODY[n.MIME]
    Mime,
    /// BODY[n.HEADER], which HEADER.FIELDS selects from too; BODY[HEADER] for path [].
    Header,
    /// BODY[n.TEXT]; BODY[TEXT] for path [].
    Text,
}

/// Content-Transfer-Encoding (RFC 2045 section 6).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TransferEncoding {
    /// 7bit, 8bit, binary, or none given.
    Identity,
    /// quoted-printable
    QuotedPrintable,
    /// base64
    Base64,
    /// Anything else: the content cannot be decoded.
    Unknown,
}

impl<'a> Part<'a> {
    fn new(node: NodeRef<'a>, embedded: Option<Embedded>) -> Self {
        Part {
            kind: node.head.kind,
            header: node.head.header.clone(),
            body: node.head.body.clone(),
            embedded,
            lines: node.head.lines,
            node,
        }
    }

    /// The type as written, "text" if none is given, "message" for the default of a digest.
    pub fn media_type(&self) -> &'a [u8] {
        self.node.main.map_or_else(
            || match self.kind {
                PartKind::Message => b"message".as_slice(),
                _ => b"text",
            },
            Text::bytes,
        )
    }

    /// The subtype as written, or the default that BODYSTRUCTURE shows.
    pub fn media_subtype(&self) -> &'a [u8] {
        self.node.sub.map_or_else(
            || match self.kind {
                PartKind::Message => b"rfc822".as_slice(),
                PartKind::Multipart => b"x-unknown",
                PartKind::Leaf if self.node.head.is_text => b"plain",
                PartKind::Leaf => b"unknown",
            },
            Text::bytes,
        )
    }

    /// Whether this is text/*.
    pub fn is_text(&self) -> bool {
        self.node.head.is_text
    }

    /// A parameter of Content-Type as written; RFC 2231 values ("name*") are merged but not decoded.
    pub fn param(&self, name: &[u8]) -> Option<&'a [u8]> {
        find_param(&self.node.params, name)
    }

    /// The disposition as written (RFC 2183).
    pub fn disposition(&self) -> Option<&'a [u8]> {
        self.node.disposition.as_ref().map(|(disposition, _)| disposition.bytes())
    }

    /// A parameter of Content-Disposition, like `param`.
    pub fn disposition_param(&self, name: &[u8]) -> Option<&'a [u8]> {
        find_param(&self.node.disposition.as_ref()?.1, name)
    }

    /// How the body is encoded.
    pub fn encoding(&self) -> TransferEncoding {
        let Some(name) = self.node.encoding.map(Text::bytes) else {
            return TransferEncoding::Identity;
        };
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("base64") {
            TransferEncoding::Base64
        } else if is("quoted-printable") {
            TransferEncoding::QuotedPrintable
        } else if is("7bit") || is("8bit") || is("binary") {
            TransferEncoding::Identity
        } else {
            TransferEncoding::Unknown
        }
    }
}

fn find_param<'a>(params: &Texts<'a>, name: &[u8]) -> Option<&'a [u8]> {
    let mut pairs = params.clone().pairs();
    pairs.find(|(known, _)| known.bytes().eq_ignore_ascii_case(name)).map(|(_, value)| value.bytes())
}

/// Follows part numbers from the root.
pub(super) fn find<'a>(mut nodes: NodeReader<'a>, path: &[u32]) -> Option<Part<'a>> {
    let mut node = nodes.next().ok()?;
    if path.is_empty() {
        let embedded = Embedded { header: node.head.header.clone(), text: node.head.body.clone() };
        return Some(Part::new(node, Some(embedded)));
    }
    for (at, &number) in path.iter().enumerate() {
        if at > 0 && node.head.kind == PartKind::Message {
            node = nodes.next().ok()?;
        } else if at > 0 && node.head.kind == PartKind::Leaf {
            return None;
        }
        if node.head.kind == PartKind::Multipart {
            node = nth_child(&mut nodes, &node, number)?;
        } else if number != 1 {
            return None;
        }
    }
    Some(with_embedded(node, &nodes))
}

/// Reads the child of that number, from 1 on.
fn nth_child<'a>(nodes: &mut NodeReader<'a>, parent: &NodeRef<'a>, number: u32) -> Option<NodeRef<'a>> {
    if number == 0 || number > parent.head.children {
        return None;
    }
    let mut before = number - 1;
    while before > 0 {
        let skipped = nodes.next().ok()?;
        before = before - 1 + skipped.head.children;
    }
    nodes.next().ok()
}

fn with_embedded<'a>(node: NodeRef<'a>, after: &NodeReader<'a>) -> Part<'a> {
    let inner = match node.head.kind {
        PartKind::Message => after.clone().next().ok(),
        _ => None,
    };
    let embedded = inner.map(|inner| Embedded { header: inner.head.header, text: inner.head.body });
    Part::new(node, embedded)
}

/// Walks all parts in document order.
#[derive(Clone, Debug)]
pub struct Parts<'a> {
    pub(super) nodes: NodeReader<'a>,
}

impl<'a> Iterator for Parts<'a> {
    type Item = Part<'a>;

    fn next(&mut self) -> Option<Part<'a>> {
        if self.nodes.is_empty() {
            return None;
        }
        let node = self.nodes.next().ok()?;
        Some(with_embedded(node, &self.nodes))
    }
}
