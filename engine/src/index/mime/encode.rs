//! Writes a summary as bytes. Layout in docs/format.md, "Summary"; `decode` reads it.
use super::node::{Content, Node, PartKind};
use super::params::Params;
use super::wire::put_text;
use crate::base::bytes::Put;

/// First byte of every summary. A change of the layout takes the next number.
pub(super) const VERSION: u8 = 1;

pub(super) const KIND_LEAF: u8 = 0;
pub(super) const KIND_MULTIPART: u8 = 1;
pub(super) const KIND_MESSAGE: u8 = 2;
pub(super) const KIND_MASK: u8 = 3;
/// A leaf of type text: its line count follows.
pub(super) const FLAG_TEXT: u8 = 4;
pub(super) const FLAG_DISPOSITION: u8 = 8;
/// Id, description, MD5, location and languages follow.
pub(super) const FLAG_EXTRAS: u8 = 16;
pub(super) const FLAGS_KNOWN: u8 = 31;

pub(super) fn encode(message_len: u32, envelope: &[u8], nodes: &[Node], out: &mut Vec<u8>) {
    out.push(VERSION);
    out.put_bytes(envelope);
    out.put_varint(u64::from(message_len));
    out.put_varint(nodes.len() as u64);
    // Where the next header is expected: gaps hold preambles and boundary lines, and are small.
    let mut expected = 0;
    for node in nodes {
        put_node(out, node, expected);
        expected = if node.kind == PartKind::Leaf || node.children == 0 { node.body.end } else { node.body.start };
    }
}

fn put_node(out: &mut Vec<u8>, node: &Node, expected: usize) {
    let content = &node.content;
    let is_text = node.kind == PartKind::Leaf && content.is_text();
    let extras = has_extras(content);
    let mut flags = match node.kind {
        PartKind::Leaf => KIND_LEAF,
        PartKind::Multipart => KIND_MULTIPART,
        PartKind::Message => KIND_MESSAGE,
    };
    flags |= if is_text { FLAG_TEXT } else { 0 };
    flags |= if content.disposition.is_some() { FLAG_DISPOSITION } else { 0 };
    flags |= if extras { FLAG_EXTRAS } else { 0 };
    out.push(flags);
    debug_assert!(node.header.start >= expected, "parts are in document order");
    out.put_varint(node.header.start.saturating_sub(expected) as u64);
    out.put_varint(node.header.len() as u64);
    out.put_varint(node.body.len() as u64);
    if is_text || node.kind == PartKind::Message {
        out.put_varint(u64::from(node.lines));
    }
    if node.kind == PartKind::Multipart {
        out.put_varint(u64::from(node.children));
    }
    let media = content.media.as_ref();
    put_text(out, media.map(|media| media.main.as_slice()));
    put_text(out, media.and_then(|media| media.sub.as_deref()));
    put_params(out, media.map(|media| &media.params));
    put_text(out, content.encoding.as_deref());
    if let Some(disposition) = &content.disposition {
        put_text(out, Some(&disposition.main));
        put_params(out, Some(&disposition.params));
    }
    if extras {
        put_extras(out, content);
    }
    if node.kind == PartKind::Message {
        out.put_bytes(&node.envelope);
    }
}

fn has_extras(content: &Content) -> bool {
    let texts = [&content.id, &content.description, &content.md5, &content.location];
    texts.iter().any(|text| text.is_some()) || !content.languages.is_empty()
}

fn put_extras(out: &mut Vec<u8>, content: &Content) {
    for text in [&content.id, &content.description, &content.md5, &content.location] {
        put_text(out, text.as_deref());
    }
    out.put_varint(content.languages.len() as u64);
    for language in &content.languages {
        put_text(out, Some(language));
    }
}

fn put_params(out: &mut Vec<u8>, params: Option<&Params>) {
    let params = params.map(Vec::as_slice).unwrap_or_default();
    out.put_varint(params.len() as u64);
    for (name, value) in params {
        put_text(out, Some(name));
        put_text(out, Some(value));
    }
}
