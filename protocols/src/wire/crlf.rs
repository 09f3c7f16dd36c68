//! Line ends of mail: CRLF, and nothing else. Knows no message.

/// Appends `bytes` with a CRLF in the place of each line end, be it a CRLF, a bare CR or a bare LF (RFC 5322 section 2.3). The last line stays
/// without one if it has none.
pub(crate) fn with_crlf(bytes: &[u8], out: &mut Vec<u8>) {
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'\r', b'\n', &bytes[at..]) {
        let end = at + found;
        out.extend_from_slice(&bytes[at..end]);
        out.extend_from_slice(b"\r\n");
        at = end + if bytes[end..].starts_with(b"\r\n") { 2 } else { 1 };
    }
    out.extend_from_slice(&bytes[at..]);
}

#[cfg(test)]
mod tests {
    use super::with_crlf;

    #[test]
    fn each_line_end_becomes_a_whole_one_and_no_byte_is_lost() {
        let mut out = b"top\r\n".to_vec();
        with_crlf(b"a\nb\rc\r\nd\r\r\n\n\rx", &mut out);
        assert_eq!(out, b"top\r\na\r\nb\r\nc\r\nd\r\n\r\n\r\n\r\nx");
    }
}
