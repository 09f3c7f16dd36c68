//! Writes BODY and BODYSTRUCTURE (RFC 3501 section 7.4.2) from an encoded summary. Never reads the message.
use super::decode::{NodeReader, NodeRef, Texts};
use super::node::PartKind;
use super::quote::{decimal, nstring, string};

/// A multipart must list a part (RFC 3501 section 9, body-type-mpart); one that has none lists this.
const NO_PARTS: &[u8] = br#"("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0"#;

/// Writes the next node with all that it holds. `decode` has proved that the nodes are whole and bounded the recursion;
/// otherwise the text just ends early.
pub(super) fn render(nodes: &mut NodeReader<'_>, extended: bool, out: &mut Vec<u8>) {
    let Ok(node) = nodes.next() else {
        return;
    };
    out.push(b'(');
    if node.kind == PartKind::Multipart {
        render_multipart(&node, nodes, extended, out);
    } else {
        render_single(&node, nodes, extended, out);
    }
    out.push(b')');
}

/// body-type-mpart
fn render_multipart(node: &NodeRef<'_>, nodes: &mut NodeReader<'_>, extended: bool, out: &mut Vec<u8>) {
    if node.children == 0 {
        out.extend_from_slice(NO_PARTS);
        out.extend_from_slice(if extended { b" NIL NIL NIL NIL)" } else { b")" });
    }
    for _ in 0..node.children {
        render(nodes, extended, out);
    }
    out.push(b' ');
    string(out, node.sub.unwrap_or(b"x-unknown"));
    if extended {
        out.push(b' ');
        params(out, node.params.clone(), false);
        extension(node, out);
    }
}

/// body-type-1part
fn render_single(node: &NodeRef<'_>, nodes: &mut NodeReader<'_>, extended: bool, out: &mut Vec<u8>) {
    if node.kind == PartKind::Message {
        out.extend_from_slice(br#""message" "rfc822""#);
    } else {
        string(out, node.main.unwrap_or(b"text"));
        out.push(b' ');
        string(out, node.sub.unwrap_or(if node.is_text { b"plain" } else { b"unknown" }));
    }
    out.push(b' ');
    params(out, node.params.clone(), node.is_text);
    out.push(b' ');
    nstring(out, node.extras.id);
    out.push(b' ');
    nstring(out, node.extras.description);
    out.push(b' ');
    string(out, node.encoding.unwrap_or(b"7bit"));
    out.push(b' ');
    decimal(out, (node.body.end - node.body.start).into());
    if node.kind == PartKind::Message {
        out.push(b' ');
        out.extend_from_slice(node.envelope);
        out.push(b' ');
        render(nodes, extended, out);
    }
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
            string(out, disposition);
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
    let has_charset = params.clone().pairs().any(|(name, _)| name.eq_ignore_ascii_case(b"charset"));
    let add_charset = is_text && !has_charset;
    if params.is_empty() && !add_charset {
        return nstring(out, None);
    }
    let default = [b"charset".as_slice(), b"us-ascii"];
    let default = default.into_iter().take(if add_charset { 2 } else { 0 });
    list(out, params.chain(default));
}

fn list<'a>(out: &mut Vec<u8>, texts: impl Iterator<Item = &'a [u8]>) {
    out.push(b'(');
    for (at, text) in texts.enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        string(out, text);
    }
    out.push(b')');
}
