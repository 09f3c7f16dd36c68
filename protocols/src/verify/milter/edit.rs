//! A message as milters see it, field by field, and what they change of it. Asks none.
use super::wire::Edit;
use crate::limits;
use crate::wire::with_crlf;

/// A field of a header with its line ends; the name and what follows the colon.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) name: &'a [u8],
    pub(super) value: &'a [u8],
}

/// The pieces of a header: whole fields, in their order, and lines that belong to none.
fn pieces(header: &[u8]) -> Vec<&[u8]> {
    let (mut out, mut from) = (Vec::new(), 0);
    for end in memchr::memchr_iter(b'\n', header).map(|at| at + 1) {
        if !matches!(header.get(end), Some(b' ' | b'\t')) {
            out.push(&header[from..end]);
            from = end;
        }
    }
    if from < header.len() {
        out.push(&header[from..]);
    }
    out
}

fn field(piece: &[u8]) -> Option<Field<'_>> {
    let colon = memchr::memchr(b':', piece)?;
    let name = piece[..colon].trim_ascii_end();
    let fits = !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic());
    fits.then(|| Field { name, value: &piece[colon + 1..] })
}

/// The fields of a header.
pub(super) fn fields(header: &[u8]) -> impl Iterator<Item = Field<'_>> {
    pieces(header).into_iter().filter_map(field)
}

/// Whether showing a header, and changing it as often as is allowed, takes no more than a moment.
pub(super) fn can_be_shown(header: &[u8]) -> bool {
    header.len() <= limits::MILTER_HEADER_BYTES_MAX && pieces(header).len() <= limits::MILTER_FIELDS_MAX
}

/// A value as the protocol has it: lines end with LF, the last one with nothing.
pub(super) fn sent(value: &[u8], keeps_space: bool) -> Vec<u8> {
    let value = if keeps_space { value } else { value.strip_prefix(b" ").unwrap_or(value) };
    let value = value.strip_suffix(b"\n").unwrap_or(value);
    value.iter().copied().filter(|byte| *byte != b'\r' && *byte != 0).collect()
}

/// A whole field made of a value as the protocol has it. Each further line begins with white space, so that a value holds one field.
fn made(name: &str, value: &[u8], keeps_space: bool) -> Vec<u8> {
    let mut out = name.as_bytes().to_vec();
    out.push(b':');
    if !keeps_space {
        out.push(b' ');
    }
    let lines: Vec<&[u8]> = value.split(|byte| *byte == b'\n').map(|line| line.trim_ascii_end()).collect();
    for (at, line) in lines.iter().enumerate().filter(|(at, line)| *at == 0 || !line.is_empty()) {
        if at > 0 {
            out.extend_from_slice(b"\r\n");
            if !matches!(line.first(), Some(b' ' | b'\t')) {
                out.push(b'\t');
            }
        }
        out.extend(line.iter().filter(|byte| **byte != b'\r'));
    }
    out.extend_from_slice(b"\r\n");
    out
}

/// Bytes that edits bring.
pub(super) fn bytes(edits: &[Edit]) -> usize {
    let one = |edit: &Edit| match edit {
        Edit::Add { name, value } | Edit::Insert { name, value, .. } | Edit::Change { name, value, .. } => {
            name.len() + value.len()
        }
        Edit::Body(piece) => piece.len(),
        Edit::Quarantine(_) => 0,
    };
    edits.iter().map(one).sum()
}

/// How a message is changed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Manner {
    /// The milter sees to the space behind a field's colon.
    pub(super) keeps_space: bool,
    /// A CR or LF alone in the body is a byte like others (RFC 3030 section 3).
    pub(super) is_binary: bool,
}

/// The message with all changes, in their order.
pub(super) fn apply(message: &[u8], header_bytes: usize, edits: &[Edit], manner: Manner) -> Vec<u8> {
    let Manner { keeps_space, is_binary } = manner;
    let (header, body) = message.split_at(header_bytes);
    let mut all: Vec<Vec<u8>> = pieces(header).into_iter().map(<[u8]>::to_vec).collect();
    if let Some(last) = all.last_mut().filter(|last| !last.ends_with(b"\n")) {
        // A header may end with the message, without a line's end.
        last.extend_from_slice(b"\r\n");
    }
    let mut other_body: Option<Vec<u8>> = None;
    for edit in edits {
        match edit {
            Edit::Add { name, value } => all.push(made(name, value, keeps_space)),
            Edit::Insert { at, name, value } => {
                let at = all.len().min(*at as usize);
                all.insert(at, made(name, value, keeps_space));
            }
            Edit::Change { number, name, value } => change(&mut all, (*number, name, value), keeps_space),
            Edit::Body(piece) => other_body.get_or_insert_default().extend_from_slice(piece),
            Edit::Quarantine(_) => {}
        }
    }
    let mut out = all.concat();
    match other_body {
        None if body.is_empty() => {}
        None => out.extend_from_slice(body),
        Some(body) => {
            out.extend_from_slice(b"\r\n");
            if is_binary {
                out.extend_from_slice(&body);
            } else {
                // Whatever a milter ends lines with.
                with_crlf(&body, &mut out);
            }
        }
    }
    out
}

fn change(all: &mut Vec<Vec<u8>>, (number, name, value): (u32, &str, &[u8]), keeps_space: bool) {
    let is_it = |piece: &Vec<u8>| field(piece).is_some_and(|field| field.name.eq_ignore_ascii_case(name.as_bytes()));
    let mut of_name = all.iter().enumerate().filter(|(_, piece)| is_it(piece)).map(|(at, _)| at);
    let found = of_name.nth(number.saturating_sub(1) as usize);
    match found {
        Some(at) if value.is_empty() => drop(all.remove(at)),
        Some(at) => all[at] = made(name, value, keeps_space),
        None if value.is_empty() => {}
        None => all.push(made(name, value, keeps_space)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAIL: &[u8] = b"A: 1\r\nX: one\r\n\ttwo\r\nodd line\r\nx : three\r\n\r\nbody\r\n";
    const HEADER: usize = MAIL.len() - b"\r\nbody\r\n".len();

    fn edited(edits: &[Edit]) -> String {
        String::from_utf8(apply(MAIL, HEADER, edits, Manner::default())).expect("text")
    }

    fn changed(number: u32, name: &str, value: &str) -> Edit {
        Edit::Change { number, name: name.into(), value: value.into() }
    }

    #[test]
    fn fields_are_whole_and_odd_lines_are_none() {
        let all: Vec<(String, String)> = fields(&MAIL[..HEADER])
            .map(|field| (field.name, sent(field.value, false)))
            .map(|(name, value)| (String::from_utf8_lossy(name).into(), String::from_utf8_lossy(&value).into()))
            .collect();
        let expected =
            [("A", "1"), ("X", "one\n\ttwo"), ("x", "three")].map(|(name, value)| (name.into(), value.into()));
        assert_eq!(all, expected);
        assert_eq!(sent(b"  a\r\n", true), b"  a");
        assert_eq!(fields(b"").count(), 0);
    }

    #[test]
    fn edits_are_made_where_they_are_meant() {
        assert_eq!(edited(&[]).as_bytes(), MAIL);
        let add = |name: &str, value: &str| Edit::Add { name: name.into(), value: value.into() };
        let insert = |at, name: &str| Edit::Insert { at, name: name.into(), value: b"v".to_vec() };
        assert!(edited(&[add("N", "a\nb\n c")]).contains("x : three\r\nN: a\r\n\tb\r\n c\r\n\r\nbody\r\n"));
        assert!(
            edited(&[add("N", "a\n\nSubject: no")]).contains("N: a\r\n\tSubject: no\r\n\r\nbody"),
            "one field only"
        );
        assert!(edited(&[insert(0, "I")]).starts_with("I: v\r\nA: 1\r\n"));
        assert!(edited(&[insert(1, "I")]).starts_with("A: 1\r\nI: v\r\nX: one"));
        assert!(edited(&[insert(99, "I")]).contains("three\r\nI: v\r\n\r\n"));
        assert!(edited(&[changed(2, "X", "new")]).contains("odd line\r\nX: new\r\n\r\nbody"));
        assert!(!edited(&[changed(1, "x", "")]).contains("one"));
        assert!(edited(&[changed(3, "X", "fourth")]).contains("x : three\r\nX: fourth\r\n"));
        let other = [Edit::Body(b"new ".to_vec()), Edit::Body(b"body\r\n".to_vec()), Edit::Quarantine("x".into())];
        assert!(edited(&other).ends_with("x : three\r\n\r\nnew body\r\n"));
        let bare = [Edit::Body(b"one\ntwo\r\nthree\rfour".to_vec())];
        assert!(edited(&bare).ends_with("\r\n\r\none\r\ntwo\r\nthree\r\nfour"));
        // A header that ends with the message, and not with its line.
        assert_eq!(apply(b"A: 1", 4, &[add("N", "v")], Manner::default()), b"A: 1\r\nN: v\r\n");
    }

    #[test]
    fn a_body_of_bytes_stays_what_the_milter_has_made_of_it() {
        let body = [Edit::Body(b"a\nb\rc\r\n".to_vec())];
        let made = |is_binary| apply(b"A: 1\r\n\r\nx", 6, &body, Manner { is_binary, ..Manner::default() });
        assert_eq!(made(true), b"A: 1\r\n\r\na\nb\rc\r\n");
        assert_eq!(made(false), b"A: 1\r\n\r\na\r\nb\r\nc\r\n");
    }
}
