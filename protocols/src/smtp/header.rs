//! What SMTP must know of a message's header: how often it has been received, and what a submission lacks. Changes nothing.
use memchr::memchr;

/// The facts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Header {
    /// Received fields: hosts that it has passed (RFC 5321 section 6.3).
    pub(super) hops: usize,
    pub(super) has_from: bool,
    pub(super) has_date: bool,
    pub(super) has_message_id: bool,
    /// Bytes of the header, the blank line not counted.
    pub(super) size_bytes: usize,
}

/// Reads the header at the top of `message`: up to the first empty line, or to its end.
pub(super) fn read(message: &[u8]) -> Header {
    let mut header = Header::default();
    let mut at = 0;
    while at < message.len() {
        let rest = &message[at..];
        let line = memchr(b'\n', rest).map_or(rest, |lf| &rest[..=lf]);
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
        match line[0] {
            b'R' | b'r' => header.hops += usize::from(is_field(line, b"received")),
            b'F' | b'f' => header.has_from |= is_field(line, b"from"),
            b'D' | b'd' => header.has_date |= is_field(line, b"date"),
            b'M' | b'm' => header.has_message_id |= is_field(line, b"message-id"),
            _ => {}
        }
        at += line.len();
    }
    header.size_bytes = at;
    header
}

/// Whether a message says `TLS-Required: No` (RFC 8689 section 3): that is the field's only value.
pub(super) fn says_tls_is_not_required(message: &[u8]) -> bool {
    let header = &message[..read(message).size_bytes];
    header.split(|byte| *byte == b'\n').any(|line| {
        let value = line.splitn(2, |byte| *byte == b':').nth(1).unwrap_or_default();
        is_field(line, b"tls-required") && value.trim_ascii().eq_ignore_ascii_case(b"no")
    })
}

/// Whether a line begins the field `name`; white space before the colon is obsolete and allowed (RFC 5322 section 4.5).
fn is_field(line: &[u8], name: &[u8]) -> bool {
    let Some((start, rest)) = line.split_at_checked(name.len()) else {
        return false;
    };
    start.eq_ignore_ascii_case(name) && rest.trim_ascii_start().first() == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_not_required_where_the_header_says_so() {
        for says in [&b"Subject: a\r\nTLS-Required: No\r\n\r\nx"[..], b"tls-required :NO\n\n", b"TLS-Required: No"] {
            assert!(says_tls_is_not_required(says));
        }
        for silent in
            [&b"TLS-Required: Yes\r\n\r\n"[..], b"a: b\r\n\r\nTLS-Required: No\r\n", b"X-TLS-Required: No\r\n", b""]
        {
            assert!(!says_tls_is_not_required(silent));
        }
    }

    #[test]
    fn counts_what_is_in_the_header_only() {
        let message = b"Received: a\r\n by b\r\nRECEIVED : c\r\nReceived-SPF: d\r\nDate: x\r\n\r\nMessage-ID: <e>\r\n";
        let header = read(message);
        assert_eq!((header.hops, header.has_date, header.has_message_id), (2, true, false));
        assert_eq!(&message[header.size_bytes..header.size_bytes + 4], b"\r\nMe");
        assert_eq!(read(b"message-id"), Header { size_bytes: 10, ..Header::default() });
        assert_eq!(read(b""), Header::default());
    }
}
