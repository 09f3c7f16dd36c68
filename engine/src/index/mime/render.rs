//! Writes BODY and BODYSTRUCTURE (RFC 3501 section 7.4.2) from an encoded summary, as it is read. Never reads the message.
use super::decode::{Extras, NodeHead, NodeReader, NodeRef, given};
use super::node::PartKind;
use super::quote::decimal;
use super::wire::{SEVEN_BIT, Text, text};
use crate::base::bytes::{DecodeError, Reader};

/// A multipart must list a part (RFC 3501 section 9, body-type-mpart); one that has none lists this.
const NO_PARTS: &[u8] = br#"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0"#;

/// Writes the root with all that it holds, and proves meanwhile that the nodes are whole. What was written of others must not be kept.
pub(super) fn render(mut nodes: NodeReader<'_>, extended: bool, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    render_node(&mut nodes, 0, extended, out)?;
    nodes.ended()
}

/// Writes the next node with all that it holds.
fn render_node(nodes: &mut NodeReader<'_>, depth: usize, extended: bool, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let head = nodes.head_at(depth)?;
    let mut own = nodes.texts();
    if head.kind == PartKind::Leaf && !head.has_extras {
        // The rule: what is read is written at once.
        let node = Node { head: &head, extras: &Extras::default(), extended };
        node.before_embedded(&mut own, out)?;
        node.after_embedded(&mut own, out)?;
        nodes.go_on(own);
    } else {
        let NodeRef { head, extras, envelope, .. } = nodes.rest(head)?;
        let node = Node { head: &head, extras: &extras, extended };
        if head.kind == PartKind::Multipart {
            out.push(b'(');
            for _ in 0..head.children {
                render_node(nodes, depth + 1, extended, out)?;
            }
            node.multipart(&mut own, out)?;
        } else {
            node.before_embedded(&mut own, out)?;
            if head.kind == PartKind::Message {
                out.push(b' ');
                out.extend_from_slice(envelope);
                out.push(b' ');
                render_node(nodes, depth + 1, extended, out)?;
            }
            node.after_embedded(&mut own, out)?;
        }
    }
    out.push(b')');
    Ok(())
}

/// A node of which the texts are still to be read.
struct Node<'a> {
    head: &'a NodeHead,
    extras: &'a Extras<'a>,
    extended: bool,
}

impl Node<'_> {
    /// body-type-mpart, behind its parts.
    fn multipart(&self, own: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        if self.head.children == 0 {
            out.extend_from_slice(NO_PARTS);
            out.extend_from_slice(if self.extended { b" NIL NIL NIL NIL)" } else { b")" });
        }
        let (_main, sub) = (text(own)?, text(own)?);
        sub.unwrap_or(Text::Own(b"x-unknown")).write(b' ', out);
        if self.extended {
            params(own, false, out)?;
            let _encoding = text(own)?;
            self.extension(own, out)?;
        }
        Ok(())
    }

    /// body-type-1part, as far as its size.
    fn before_embedded(&self, own: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        let (main, sub) = (text(own)?, text(own)?);
        if self.head.kind == PartKind::Message {
            out.extend_from_slice(br#"("message" "rfc822""#);
        } else {
            main.unwrap_or(Text::Own(b"text")).write(b'(', out);
            sub.unwrap_or(Text::Own(if self.head.is_text { b"plain" } else { b"unknown" })).write(b' ', out);
        }
        params(own, self.head.is_text, out)?;
        if self.head.has_extras {
            nstring(self.extras.id, out);
            nstring(self.extras.description, out);
        } else {
            out.extend_from_slice(b" NIL NIL");
        }
        text(own)?.unwrap_or(Text::Word(&SEVEN_BIT)).write(b' ', out);
        out.push(b' ');
        decimal(out, (self.head.body.end - self.head.body.start).into());
        Ok(())
    }

    /// body-type-1part, from its lines on.
    fn after_embedded(&self, own: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        if self.head.is_text || self.head.kind == PartKind::Message {
            out.push(b' ');
            decimal(out, self.head.lines.into());
        }
        let before = out.len();
        nstring(self.extras.md5, out);
        self.extension(own, out)?;
        if !self.extended {
            // Written to prove it.
            out.truncate(before);
        }
        Ok(())
    }

    /// Disposition, languages and location, which all bodies have.
    fn extension(&self, own: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), DecodeError> {
        if self.head.has_disposition {
            out.push(b' ');
            given(own)?.write(b'(', out);
            params(own, false, out)?;
            out.push(b')');
        } else {
            out.extend_from_slice(b" NIL");
        }
        if !self.head.has_extras {
            out.extend_from_slice(b" NIL NIL");
            return Ok(());
        }
        out.push(b' ');
        let mut before = b'(';
        for language in self.extras.languages.clone() {
            language.write(before, out);
            before = b' ';
        }
        out.extend_from_slice(if before == b'(' { b"NIL" } else { b")" });
        nstring(self.extras.location, out);
        Ok(())
    }
}

/// body-fld-param behind a space. Text without a charset is US-ASCII (RFC 2046 section 4.1.2).
fn params(own: &mut Reader<'_>, is_text: bool, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let mut add_charset = is_text;
    out.push(b' ');
    let mut before = b'(';
    for _ in 0..own.count()? {
        let (name, value) = (given(own)?, given(own)?);
        name.write(before, out);
        value.write(b' ', out);
        add_charset &= !name.bytes().eq_ignore_ascii_case(b"charset");
        before = b' ';
    }
    if add_charset {
        out.push(before);
        out.extend_from_slice(br#""charset" "us-ascii""#);
    }
    out.extend_from_slice(if before == b'(' && !add_charset { b"NIL" } else { b")" });
    Ok(())
}

/// A string behind a space; NIL for none.
fn nstring(text: Option<Text<'_>>, out: &mut Vec<u8>) {
    match text {
        Some(text) => text.write(b' ', out),
        None => out.extend_from_slice(b" NIL"),
    }
}
