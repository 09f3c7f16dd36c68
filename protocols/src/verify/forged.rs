//! Authentication-Results that a message brings along in our name: taken out, for readers would believe them (RFC 8601 section 5). Checks nothing.
use memchr::memchr;
use std::borrow::Cow;
use std::ops::Range;

/// The message without fields `drop` says yes to, given name and value; as it is when there are none.
pub(crate) fn without_fields(message: Vec<u8>, drop: impl Fn(&[u8], &[u8]) -> bool) -> Vec<u8> {
    let gone: Vec<Range<usize>> = fields(&message).filter(|field| is_dropped(&message[field.clone()], &drop)).collect();
    if gone.is_empty() {
        return message;
    }
    let mut out = Vec::with_capacity(message.len());
    let mut at = 0;
    for field in gone {
        out.extend_from_slice(&message[at..field.start]);
        at = field.end;
    }
    out.extend_from_slice(&message[at..]);
    out
}

fn is_dropped(field: &[u8], drop: &impl Fn(&[u8], &[u8]) -> bool) -> bool {
    memchr(b':', field).is_some_and(|colon| drop(field[..colon].trim_ascii_end(), &field[colon + 1..]))
}

/// The names of the header's fields, as they are written.
pub(super) fn names(message: &[u8]) -> impl Iterator<Item = &[u8]> {
    fields(message).filter_map(|field| {
        let field = &message[field];
        memchr(b':', field).map(|colon| field[..colon].trim_ascii_end())
    })
}

/// Where each field of the header stands, with the lines that continue it.
fn fields(message: &[u8]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let start = at;
        if start >= message.len() || message[start..].starts_with(b"\r\n") || message[start] == b'\n' {
            return None;
        }
        loop {
            at = memchr(b'\n', &message[at..]).map_or(message.len(), |end| at + end + 1);
            if !matches!(message.get(at), Some(b' ' | b'\t')) {
                return Some(start..at);
            }
        }
    })
}

/// The message without results in the name of `hostname`.
pub(crate) fn without_forged(message: Vec<u8>, hostname: &str) -> Vec<u8> {
    without_fields(message, |name, value| {
        name.eq_ignore_ascii_case(b"authentication-results") && authserv_id(value).eq_ignore_ascii_case(hostname)
    })
}

/// The name that comes first in the field, comments and folds passed over, quotes taken off (RFC 8601 section 2.2).
fn authserv_id(value: &[u8]) -> Cow<'_, str> {
    let (mut at, mut depth) = (0, 0usize);
    while let Some(byte) = value.get(at) {
        match byte {
            b'(' => depth += 1,
            b')' => depth = depth.saturating_sub(1),
            b'\\' if depth > 0 => at += 1,
            b' ' | b'\t' | b'\r' | b'\n' => {}
            _ if depth > 0 => {}
            _ => break,
        }
        at += 1;
    }
    let rest = value.get(at..).unwrap_or_default();
    if let Some(quoted) = rest.strip_prefix(b"\"") {
        return unquoted(quoted).into();
    }
    let end =
        rest.iter().position(|byte| byte.is_ascii_whitespace() || matches!(byte, b';' | b'(')).unwrap_or(rest.len());
    String::from_utf8_lossy(&rest[..end])
}

/// What stands in quotes, up to their end: a backslash stands for what follows it, and folds for nothing (RFC 5322 section 3.2.4).
fn unquoted(quoted: &[u8]) -> String {
    let (mut out, mut bytes) = (Vec::new(), quoted.iter().copied());
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => break,
            b'\\' => out.extend(bytes.next()),
            b'\r' | b'\n' => {}
            byte => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_ours_go_however_they_are_written() {
        let message = b"Received: a\r\nAuthentication-Results: mx.our.test; spf=pass\r\nAUTHENTICATION-results :\r\n (x \\) y)\r\n \
            \"MX.our.test\" 1;\r\n\tdkim=pass\r\nAuthentication-Results: mx.our.test.evil; spf=pass\r\nSubject: b\r\n\r\n\
            Authentication-Results: mx.our.test; body\r\n";
        let kept = without_forged(message.to_vec(), "mx.our.test");
        let kept = String::from_utf8(kept).expect("text");
        assert_eq!(
            kept,
            "Received: a\r\nAuthentication-Results: mx.our.test.evil; spf=pass\r\nSubject: b\r\n\r\nAuthentication-Results: mx.our.test; body\r\n"
        );
    }

    #[test]
    fn quotes_hide_nothing() {
        for ours in ["\"mx\\.our.test\"", "\"\\m\\x.our.test\" 1", "\" mx.our.test \"", "\"mx\r\n .our.test\""] {
            let message = format!("Authentication-Results: {ours}; dmarc=pass\r\n\r\n").into_bytes();
            let is_kept = without_forged(message.clone(), "mx.our.test") == message;
            assert_eq!(is_kept, ours.contains("\n"), "{ours}");
        }
        for others in ["\"mx.our.test\\\"\"", "\"mx\\\\.our.test\"", "\"a\" mx.our.test"] {
            let message = format!("Authentication-Results: {others}; dmarc=pass\r\n\r\n").into_bytes();
            assert_eq!(without_forged(message.clone(), "mx.our.test"), message, "{others}");
        }
    }

    #[test]
    fn ends_are_safe() {
        for text in [
            "",
            "\r\n",
            "Authentication-Results:",
            "Authentication-Results: (",
            "Authentication-Results: \"a",
            "x\r\n y",
        ] {
            assert_eq!(without_forged(text.as_bytes().to_vec(), "a.test"), text.as_bytes());
        }
        assert_eq!(without_forged(b"Authentication-Results: A.test".to_vec(), "a.test"), b"");
    }
}
