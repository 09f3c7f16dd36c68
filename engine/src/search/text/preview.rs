//! The first words of a message for a list of messages (RFC 8970): text only, white space pressed together. Never fails, and reads no more
//! of a message than its first text part.
use super::charset::to_unicode;
use super::decode::decode_body;
use crate::index::mime::{Part, PartKind, SummaryRef, TransferEncoding};

/// Bytes of an encoded part that are looked at for each character wanted: markup may stand before the text.
const BYTES_PER_CHAR: usize = 256;

/// At most `chars_max` characters of the message's text; empty when it has none.
pub fn preview(message: &[u8], summary: &SummaryRef<'_>, chars_max: usize) -> String {
    let is = |part: &Part<'_>, subtype: &[u8]| {
        let attached = part.disposition().is_some_and(|disposition| disposition.eq_ignore_ascii_case(b"attachment"));
        part.kind == PartKind::Leaf
            && part.is_text()
            && !attached
            && part.encoding() != TransferEncoding::Unknown
            && part.media_subtype().eq_ignore_ascii_case(subtype)
    };
    let found = [b"plain".as_slice(), b"html"].iter().find_map(|subtype| {
        let part = summary.parts().find(|part| is(part, subtype))?;
        let text = text_of(message, &part, chars_max * BYTES_PER_CHAR);
        let text = if *subtype == b"html" { without_markup(&text) } else { text };
        Some(pressed(&text, chars_max)).filter(|text| !text.is_empty())
    });
    found.unwrap_or_default()
}

fn text_of(message: &[u8], part: &Part<'_>, bytes_max: usize) -> String {
    let start = part.body.start as usize;
    let end = (part.body.end as usize).min(start.saturating_add(bytes_max));
    let raw = message.get(start..end).unwrap_or_default();
    let charset = part.param(b"charset");
    to_unicode(&decode_body(raw, part.encoding()), charset).into_owned()
}

/// Words with one space between; what is no text is left out.
fn pressed(text: &str, chars_max: usize) -> String {
    let mut out = String::new();
    let mut chars = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        let gap = usize::from(chars > 0);
        if chars + gap >= chars_max {
            break;
        }
        if gap > 0 {
            out.push(' ');
        }
        out.extend(word.chars().filter(|c| *c != '\u{fffd}').take(chars_max - chars - gap));
        chars = out.chars().count();
    }
    out
}

/// The text between tags, without scripts, styles and comments; the commonest entities are undone.
fn without_markup(html: &str) -> String {
    let mut out = String::with_capacity(html.len() / 4);
    let mut rest = html;
    while let Some((text, tag)) = rest.split_once('<') {
        out.push_str(text);
        out.push(' ');
        let hidden = ["script", "style", "title", "!--"]
            .iter()
            .find(|name| tag.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)));
        let end = match hidden {
            Some(&"!--") => tag.find("-->").map(|at| at + 2),
            Some(name) => end_of(tag, name),
            None => tag.find('>'),
        };
        rest = end.and_then(|at| tag.get(at + 1..)).unwrap_or_default();
    }
    out.push_str(rest);
    let entities = [("&nbsp;", " "), ("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    entities.iter().fold(out, |text, (entity, plain)| text.replace(entity, plain))
}

/// Where the closing tag of a hidden element ends.
fn end_of(html: &str, name: &str) -> Option<usize> {
    let close = format!("</{name}");
    let bytes = html.as_bytes();
    let at = bytes.windows(close.len()).position(|window| window.eq_ignore_ascii_case(close.as_bytes()))?;
    html[at..].find('>').map(|end| at + end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::mime::summarize;

    fn of(message: &str) -> String {
        let mut bytes = Vec::new();
        summarize(message.as_bytes()).encode(&mut bytes);
        preview(message.as_bytes(), &SummaryRef::decode(&bytes).expect("a summary"), 20)
    }

    #[test]
    fn words_of_the_first_text() {
        assert_eq!(of("Subject: x\r\n\r\n  a\r\n\r\nb\t c  "), "a b c");
        assert_eq!(of("Subject: x\r\n\r\n"), "");
        assert_eq!(of("Subject: x\r\n\r\n0123456789 0123456789"), "0123456789 012345678");
        assert_eq!(
            of("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n5L2g5aW9\r\n"),
            "你好"
        );
        assert_eq!(of("Content-Type: image/png\r\n\r\nxx"), "");
    }

    #[test]
    fn markup_is_no_text() {
        let html = "<html><HEAD><style>p > a { }</STYLE><!-- <b> --></head><p>a&amp;b<br>c</p>";
        assert_eq!(of(&format!("Content-Type: text/html\r\n\r\n{html}")), "a&b c");
        assert_eq!(of("Content-Type: text/html\r\n\r\n<script>x"), "");
        assert_eq!(of("Content-Type: text/html\r\n\r\n<"), "");
    }
}
