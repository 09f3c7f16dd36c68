//! Writes the small things of IMAP responses: numbers, strings, sets, dates. Knows no command and never waits.
use posthouse_engine::index::UidSet;
pub(super) use posthouse_engine::index::mime::decimal as number;

/// A string as a quoted string where RFC 3501 section 4.3 allows it, else as a literal.
pub(super) fn string(out: &mut Vec<u8>, text: &[u8]) {
    let quotable = |byte: &u8| byte.is_ascii() && !matches!(byte, 0 | b'\r' | b'\n');
    if text.iter().all(quotable) { quoted(out, text) } else { literal(out, text) }
}

/// A quoted string; only for text without NUL, CR and LF.
pub(super) fn quoted(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'"');
    for &byte in text {
        if matches!(byte, b'"' | b'\\') {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// A literal (RFC 3501 section 4.3). The bytes go out as they are, NULs included: what came in is what comes out.
pub(super) fn literal(out: &mut Vec<u8>, bytes: &[u8]) {
    literal_head(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// What stands before a literal's bytes.
pub(super) fn literal_head(out: &mut Vec<u8>, len: usize) {
    out.push(b'{');
    number(out, len as u64);
    out.extend_from_slice(b"}\r\n");
}

/// An astring: an atom when every byte may stand in one, else a string.
pub(super) fn astring(out: &mut Vec<u8>, text: &[u8]) {
    if text.is_empty() || !text.iter().copied().all(is_atom_char) {
        return string(out, text);
    }
    out.extend_from_slice(text);
}

/// Whether a byte is an ATOM-CHAR or `]` (RFC 3501 section 9, ASTRING-CHAR).
pub(super) fn is_atom_char(byte: u8) -> bool {
    byte.is_ascii_graphic() && !matches!(byte, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\')
}

/// A uid-set (RFC 4315 section 3).
pub(super) fn uid_set(out: &mut Vec<u8>, set: &UidSet) {
    for (at, &(first, last)) in set.ranges().iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        number(out, u64::from(first));
        if last > first {
            out.push(b':');
            number(out, u64::from(last));
        }
    }
}

/// `* <number> <word>\r\n`
pub(super) fn counted(out: &mut Vec<u8>, count: u64, word: &str) {
    out.extend_from_slice(b"* ");
    number(out, count);
    out.push(b' ');
    out.extend_from_slice(word.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// A size for human eyes: `1.0 GiB`, `12 bytes`.
pub(super) fn human_bytes(bytes: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if bytes < 1024 {
        return format!("{bytes} bytes");
    }
    let mut value = bytes as f64 / 1024.0;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    format!("{value:.1} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use posthouse_engine::base::Uid;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).expect("ASCII is written")
    }

    #[test]
    fn numbers_are_decimal() {
        for n in [0, 9, 10, 4_294_967_295, u64::MAX] {
            assert_eq!(written(|out| number(out, n)), n.to_string());
        }
    }

    #[test]
    fn strings_take_the_shortest_form_that_is_allowed() {
        assert_eq!(written(|out| string(out, b"a\"b\\")), "\"a\\\"b\\\\\"");
        assert_eq!(written(|out| string(out, b"a\r\nb")), "{4}\r\na\r\nb");
        assert_eq!(written(|out| astring(out, b"INBOX/a")), "INBOX/a");
        assert_eq!(written(|out| astring(out, b"a b")), "\"a b\"");
        assert_eq!(written(|out| astring(out, b"")), "\"\"");
    }

    #[test]
    fn uid_sets_are_ranges() {
        let set = UidSet::from_ranges([(1, 3), (5, 5)]);
        assert_eq!(written(|out| uid_set(out, &set)), "1:3,5");
        assert_eq!(written(|out| uid_set(out, &UidSet::range(Uid(7), Uid(7)))), "7");
    }

    #[test]
    fn sizes_read_well() {
        assert_eq!(human_bytes(1 << 30), "1.0 GiB");
        assert_eq!(human_bytes(12), "12 bytes");
        assert_eq!(human_bytes(1536), "1.5 KiB");
    }
}
