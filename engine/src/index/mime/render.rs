//! Writes BODY and BODYSTRUCTURE (RFC 3501 section 7.4.2) from an encoded summary. Never reads the message.
use super::decode::{NodeReader, NodeRef, Texts};
use super::node::PartKind;
use super::quote::decimal;
use super::wire::Text;
use crate::base::bytes::DecodeError;

/// A multipart must list a part (RFC 3501 section 9, body-type-mpart); one that has none lists this.
const NO_PARTS: &[u8] = br#"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0"#;

/// Writes the root with all that it holds, and proves meanwhile that the nodes are whole. What was written of others must not be kept.
pub(super) fn render(mut nodes: NodeReader<'_>, extended: bool, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    render_node(&mut nodes, 0, extended, out)?;
    nodes.ended()
}

/// Writes the next node with all that it holds.
fn render_node(nodes: &mut NodeReader<'_>, depth: usize, extended: bool, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let node = nodes.next_at(depth)?;
    out.push(b'(');
    if node.kind == PartKind::Multipart {
        for _ in 0..node.children {
            render_node(nodes, depth + 1, extended, out)?;
        }
        multipart(&node, extended, out);
    } else {
        before_embedded(&node, out);
        if node.kind == PartKind::Message {
            out.push(b' ');
            out.extend_from_slice(node.envelope);
            out.push(b' ');
            render_node(nodes, depth + 1, extended, out)?;
        }
        after_embedded(&node, extended, out);
    }
    out.push(b')');
    Ok(())
}

/// body-type-mpart, behind its parts.
fn multipart(node: &NodeRef<'_>, extended: bool, out: &mut Vec<u8>) {
    if node.children == 0 {
        out.extend_from_slice(NO_PARTS);
        out.extend_from_slice(if extended { b" NIL NIL NIL NIL)" } else { b")" });
    }
    out.push(b' ');
    node.sub.unwrap_or(Text::Own(b"x-unknown")).write(out);
    if extended {
        out.push(b' ');
        params(out, node.params.clone(), false);
        extension(node, out);
    }
}

/// body-type-1part, as far as its size.
fn before_embedded(node: &NodeRef<'_>, out: &mut Vec<u8>) {
    if node.kind == PartKind::Message {
        out.extend_from_slice(br#""message" "rfc822""#);
    } else {
        node.main.unwrap_or(Text::Own(b"text")).write(out);
        out.push(b' ');
        node.sub.unwrap_or(Text::Own(if node.is_text { b"plain" } else { b"unknown" })).write(out);
    }
    out.push(b' ');
    params(out, node.params.clone(), node.is_text);
    out.push(b' ');
    nstring(out, node.extras.id);
    out.push(b' ');
    nstring(out, node.extras.description);
    out.push(b' ');
    node.encoding.unwrap_or(Text::Word(b"\"7bit\"")).write(out);
    out.push(b' ');
    decimal(out, (node.body.end - node.body.start).into());
}

/// body-type-1part, from its lines on.
fn after_embedded(node: &NodeRef<'_>, extended: bool, out: &mut Vec<u8>) {
    if node.is_text || node.kind == PartKind::Message {
        out.push(b' ');
        decimal(out, node.lines.into());
    }
    if extended {
        out.push(b' ');
        nstring(out, node.extras.md5);
        extension(node, out);
    }
}

/// Disposition, languages and location, which all bodies have.
fn extension(node: &NodeRef<'_>, out: &mut Vec<u8>) {
    match &node.disposition {
        Some((disposition, disposition_params)) => {
            out.extend_from_slice(b" (");
            disposition.write(out);
            out.push(b' ');
            params(out, disposition_params.clone(), false);
            out.push(b')');
        }
        None => out.extend_from_slice(b" NIL"),
    }
    out.push(b' ');
    if node.extras.languages.is_empty() {
        nstring(out, None);
    } else {
        list(out, node.extras.languages.clone());
    }
    out.push(b' ');
    nstring(out, node.extras.location);
}

/// body-fld-param. Text without a charset is US-ASCII (RFC 2046 section 4.1.2).
fn params(out: &mut Vec<u8>, params: Texts<'_>, is_text: bool) {
    let mut add_charset = is_text;
    let mut before = b'(';
    for (name, value) in params.pairs() {
        out.push(before);
        before = b' ';
        name.write(out);
        out.push(b' ');
        value.write(out);
        add_charset &= !name.bytes().eq_ignore_ascii_case(b"charset");
    }
    if add_charset {
        out.push(before);
        before = b' ';
        out.extend_from_slice(br#""charset" "us-ascii""#);
    }
    out.extend_from_slice(if before == b'(' { b"NIL" } else { b")" });
}

/// A string; NIL for none.
fn nstring(out: &mut Vec<u8>, text: Option<Text<'_>>) {
    match text {
        Some(text) => text.write(out),
        None => out.extend_from_slice(b"NIL"),
    }
}

fn list(out: &mut Vec<u8>, texts: Texts<'_>) {
    out.push(b'(');
    for (at, text) in texts.enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        text.write(out);
    }
    out.push(b')');
}
