//! What FETCH ENVELOPE, BODY, BODYSTRUCTURE and BODY[section] need of a message, derived once from its bytes: parsed by
//! `summarize`, stored by `Summary::encode`, answered by `SummaryRef` without touching the message. Pure: no I/O, no
//! clock. Never fails on any message and never panics on any stored bytes. Layout in docs/format.md, "Summary".
mod address;
mod boundary;
mod date;
mod decode;
mod encode;
mod envelope;
mod header;
mod lexer;
mod node;
mod params;
mod parse;
mod part;
mod quote;
mod render;
mod wire;

use std::ops::Range;

pub use address::shown_addresses;
pub use date::{parse_date, sent_date};
use decode::NodeReader;
pub use header::{HeaderField, HeaderFields, find_header, header_fields, message_id, unfold};
pub use node::PartKind;
pub use part::{Embedded, Part, Parts, Section, TransferEncoding};
pub use quote::decimal;

pub use crate::base::bytes::DecodeError;

/// The envelope and structure of one message.
pub struct Summary {
    message_len: u32,
    parsed: parse::Parsed,
}

/// Reads a message once. Broken headers and MIME come out as Dovecot shows them; depth, number of parts and size are
/// bounded (`base::limits`). Of messages over 4 GiB only that much is looked at.
pub fn summarize(message: &[u8]) -> Summary {
    let message_len = u32::try_from(message.len()).unwrap_or(u32::MAX);
    let message = &message[..message_len as usize];
    Summary { message_len, parsed: parse::parse(message) }
}

impl Summary {
    /// Appends the bytes that `SummaryRef::decode` reads.
    pub fn encode(&self, out: &mut Vec<u8>) {
        encode::encode(self.message_len, &self.parsed.envelope, &self.parsed.nodes, out);
    }

    /// Where the bodies of base64 parts stand in the message, ascending.
    pub fn base64_bodies(&self) -> impl Iterator<Item = Range<usize>> + '_ {
        let base64 = |encoding: &Vec<u8>| encoding.eq_ignore_ascii_case(b"base64");
        let leaf =
            move |node: &&node::Node| node.kind == PartKind::Leaf && node.content.encoding.as_ref().is_some_and(base64);
        self.parsed.nodes.iter().filter(leaf).map(|node| node.body.clone())
    }

    /// The message's Message-ID, Date and so on are read with `header_fields`; this is where that header ends.
    pub fn header_len(&self) -> u32 {
        self.parsed.nodes.first().map_or(0, |root| root.header.end as u32)
    }
}

/// The ENVELOPE list of an encoded summary with its parentheses, as it goes on the wire. Nothing else of the summary is looked at.
pub fn envelope(summary: &[u8]) -> Result<&[u8], DecodeError> {
    decode::decode_head(summary).map(|head| head.envelope)
}

/// Appends the BODYSTRUCTURE list of an encoded summary, or the BODY list: the same without extension data. Appends nothing to a
/// summary that is not whole.
pub fn body_structure(summary: &[u8], extended: bool, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let before = out.len();
    let rendered = decode::decode_head(summary).and_then(|head| render::render(head.nodes, extended, out));
    if rendered.is_err() {
        out.truncate(before);
    }
    rendered
}

/// A validated view of an encoded summary.
#[derive(Clone, Debug)]
pub struct SummaryRef<'a> {
    head: decode::Head<'a>,
}

impl<'a> SummaryRef<'a> {
    /// Takes exactly the bytes that `Summary::encode` appended. What it accepts can be asked anything without panic.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, DecodeError> {
        let head = decode::decode_head(bytes)?;
        decode::prove(&head)?;
        Ok(SummaryRef { head })
    }

    /// The ENVELOPE list with its parentheses, as it goes on the wire.
    pub fn envelope(&self) -> &'a [u8] {
        self.head.envelope
    }

    /// The part of that number (RFC 3501 section 6.4.5). Path [] is the whole message, [1] of a message that is not a
    /// multipart its only part; numbers inside message/rfc822 count the parts of the embedded message.
    pub fn part(&self, path: &[u32]) -> Option<Part<'a>> {
        part::find(self.nodes(), path)
    }

    /// Where the answer to BODY[path.section] stands in the message. None when there is no such part, or when the
    /// section does not apply to it: HEADER and TEXT need a message, MIME a part number.
    pub fn section(&self, path: &[u32], section: Section) -> Option<Range<u32>> {
        let part = self.part(path)?;
        match section {
            Section::Whole if path.is_empty() => Some(0..self.head.message_len),
            Section::Whole => Some(part.body),
            Section::Mime => (!path.is_empty()).then_some(part.header),
            Section::Header => Some(part.embedded?.header),
            Section::Text => Some(part.embedded?.text),
        }
    }

    /// All parts in document order, the root first.
    pub fn parts(&self) -> Parts<'a> {
        Parts { nodes: self.nodes() }
    }

    /// Bytes of the message's header with its blank line: where BODY[TEXT] begins.
    pub fn header_len(&self) -> u32 {
        self.part(&[]).map_or(0, |root| root.header.end)
    }

    /// Bytes of the whole message (RFC822.SIZE).
    pub fn message_len(&self) -> u32 {
        self.head.message_len
    }

    fn nodes(&self) -> NodeReader<'a> {
        self.head.nodes.clone()
    }
}

#[cfg(test)]
mod tests;
