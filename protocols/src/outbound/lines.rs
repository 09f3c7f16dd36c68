//! A message that came as bytes (BODY=BINARYMIME), for a host that takes lines (RFC 3030 section 3): parts that are no 7-bit lines get
//! quoted-printable or base64, and nothing else changes. Pure; what cannot be put so without breaking a signature is not put at all.
use crate::smtp::has_bare_line_end;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::index::mime::{
    Part, PartKind, SummaryRef, TransferEncoding, find_header, header_fields, summarize,
};
use std::ops::Range;

const FIELD: &[u8] = b"Content-Transfer-Encoding";
/// Characters of an encoded line (RFC 2045 sections 6.7 and 6.8).
const LINE_CHARS_MAX: usize = 76;
/// Bytes of a line of text (RFC 5322 section 2.1.1).
const TEXT_LINE_BYTES_MAX: usize = 998;

/// The same message in lines; `None` when a part under a signature would change, or when bytes stand where only lines may.
pub(crate) fn in_lines(message: &[u8]) -> Option<Vec<u8>> {
    let mut summary = Vec::new();
    summarize(message).encode(&mut summary);
    let summary = SummaryRef::decode(&summary).ok()?;
    let mut signed = 0..0;
    let (mut out, mut at) = (Vec::with_capacity(message.len() + message.len() / 2), 0);
    for (number, part) in summary.parts().enumerate() {
        let (header, body) = (range(&part.header), range(&part.body));
        out.extend_from_slice(message.get(at..header.start)?);
        let (fields, content) = (message.get(header.clone())?, message.get(body.clone())?);
        if part.kind == PartKind::Multipart && part.media_subtype().eq_ignore_ascii_case(b"signed") {
            signed = body.clone();
        }
        let change = change(&part, fields, content);
        if change != Change::None && signed.contains(&body.start) && part.kind == PartKind::Leaf {
            return None;
        }
        match change {
            Change::None => out.extend_from_slice(fields),
            Change::Label => relabel(&mut out, fields, None, false),
            Change::Quote => relabel(&mut out, fields, Some("quoted-printable"), number == 0),
            Change::Base64 => relabel(&mut out, fields, Some("base64"), number == 0),
        }
        at = header.end;
        if part.kind == PartKind::Leaf {
            match change {
                Change::Quote => quote(&mut out, content),
                Change::Base64 => base64(&mut out, content),
                Change::None | Change::Label => out.extend_from_slice(content),
            }
            at = body.end;
        }
    }
    out.extend_from_slice(message.get(at..)?);
    (!has_bare_line_end(&out) && !out.contains(&0)).then_some(out)
}

fn range(range: &Range<u32>) -> Range<usize> {
    range.start as usize..range.end as usize
}

/// What happens to a part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    None,
    /// Its field goes: what is in it is 7bit now (RFC 2045 section 6.4 allows no other encoding of what holds parts).
    Label,
    Quote,
    Base64,
}

fn change(part: &Part<'_>, header: &[u8], content: &[u8]) -> Change {
    let label = find_header(header, FIELD).map(<[u8]>::trim_ascii).unwrap_or_default();
    let is_wide = label.eq_ignore_ascii_case(b"binary") || label.eq_ignore_ascii_case(b"8bit");
    if part.kind != PartKind::Leaf {
        return if is_wide { Change::Label } else { Change::None };
    }
    let are_lines = || {
        let long = content.split(|byte| *byte == b'\n').any(|line| line.len() > TEXT_LINE_BYTES_MAX + 1);
        content.is_ascii() && !content.contains(&0) && !has_bare_line_end(content) && !long
    };
    if part.encoding() != TransferEncoding::Identity || (!is_wide && are_lines()) {
        return Change::None;
    }
    let odd = content.iter().filter(|byte| !matches!(byte, b' '..=b'~' | b'\r' | b'\n' | b'\t')).count();
    if part.is_text() && odd <= content.len() / 4 { Change::Quote } else { Change::Base64 }
}

/// The header with another transfer encoding, or with none. `whole` is the message's own header, which needs MIME-Version for it.
fn relabel(out: &mut Vec<u8>, header: &[u8], encoding: Option<&str>, whole: bool) {
    let mut end = 0;
    for field in header_fields(header) {
        if !field.is(FIELD) {
            out.extend_from_slice(&header[field.line.clone()]);
        }
        end = field.line.end;
    }
    if whole && find_header(header, b"MIME-Version").is_none() {
        out.extend_from_slice(b"MIME-Version: 1.0\r\n");
    }
    if let Some(encoding) = encoding {
        out.extend_from_slice(format!("Content-Transfer-Encoding: {encoding}\r\n").as_bytes());
    }
    // The empty line, and what was no field.
    out.extend_from_slice(&header[end..]);
}

fn base64(out: &mut Vec<u8>, content: &[u8]) {
    for line in content.chunks(LINE_CHARS_MAX / 4 * 3) {
        out.extend_from_slice(STANDARD.encode(line).as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

/// RFC 2045 section 6.7: only CRLF is a line end; every other byte comes back as it was.
fn quote(out: &mut Vec<u8>, content: &[u8]) {
    let (mut at, mut column) = (0, 0);
    while let Some(&byte) = content.get(at) {
        let rest = &content[at..];
        if rest.starts_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
            (at, column) = (at + 2, 0);
            continue;
        }
        let ends = rest.len() == 1 || rest[1..].starts_with(b"\r\n");
        // White space at the end of a line does not come through (rule 3), and a dot or `From ` at its start not everywhere.
        let plain = match byte {
            b'=' => false,
            b' ' | b'\t' => !ends,
            b'.' | b'F' => column > 0,
            byte => byte.is_ascii_graphic(),
        };
        let width = if plain { 1 } else { 3 };
        if column + width > LINE_CHARS_MAX - usize::from(!ends) {
            out.extend_from_slice(b"=\r\n");
            column = 0;
            continue;
        }
        match plain {
            true => out.push(byte),
            false => out.extend_from_slice(format!("={byte:02X}").as_bytes()),
        }
        (at, column) = (at + 1, column + width);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use posthouse_engine::search::text::decode_body;
    use proptest::prelude::*;

    fn text(message: &[u8]) -> String {
        String::from_utf8(in_lines(message).expect("it can be put in lines")).expect("7-bit lines")
    }

    #[test]
    fn parts_that_are_bytes_are_encoded_and_others_stay() {
        let message = [
            &b"MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\nContent-Transfer-Encoding: binary\r\n\r\npre\r\n"[..],
            b"--b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: binary\r\n\r\na = b\nc\0\r\n",
            b"--b\r\n\r\nlines\r\n",
            b"--b\r\nContent-Type: application/x-y\r\nContent-Transfer-Encoding:\r\n binary\r\nX: y\r\n\r\n\xff\0\n\r\n--b--\r\nend\r\n",
        ]
        .concat();
        assert_eq!(
            text(&message),
            "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\npre\r\n\
             --b\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\na =3D b=0Ac=00\r\n\
             --b\r\n\r\nlines\r\n\
             --b\r\nContent-Type: application/x-y\r\nX: y\r\nContent-Transfer-Encoding: base64\r\n\r\n/wAK\r\n\r\n--b--\r\nend\r\n"
        );
    }

    #[test]
    fn a_message_without_mime_fields_gets_them() {
        let lines = text(b"Subject: x\r\n\r\n\xe9\xe9");
        assert_eq!(lines, "Subject: x\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n6ek=\r\n");
        assert_eq!(text(b"Subject: x\r\n\r\nplain\r\n"), "Subject: x\r\n\r\nplain\r\n");
    }

    #[test]
    fn what_is_signed_or_cannot_be_lines_is_not_changed() {
        let signed = b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Type: application/x\r\n\r\n\0\r\n--b--\r\n";
        assert_eq!(in_lines(signed), None);
        assert_eq!(in_lines(b"Subject: a\nb\r\n\r\nx\r\n"), None);
        let odd = b"Content-Type: multipart/mixed; boundary=b\r\n\r\nbytes\0before\r\n--b\r\n\r\nx\r\n--b--\r\n";
        assert_eq!(in_lines(odd), None);
    }

    proptest! {
        #[test]
        fn every_byte_comes_back(content: Vec<u8>, kind in prop::sample::select(vec!["text/plain", "image/x"])) {
            let head = format!("Content-Type: {kind}\r\nContent-Transfer-Encoding: binary\r\n");
            let message = [head.as_bytes(), b"\r\n", &content].concat();
            let lines = in_lines(&message).expect("it can be put in lines");
            prop_assert!(lines.is_ascii() && lines.split(|byte| *byte == b'\n').all(|line| line.len() <= 77));
            let mut summary = Vec::new();
            summarize(&lines).encode(&mut summary);
            let part = SummaryRef::decode(&summary).expect("a summary").part(&[]).expect("a part");
            let body = &lines[range(&part.body)];
            let decoded = decode_body(body, part.encoding());
            prop_assert_eq!(decoded.as_ref(), &content[..]);
        }
    }
}
