//! Rust text with its comments and literals blanked out, line by line in place, so that simple
//! searches see code only. It is no parser and never fails: odd text is passed through.

/// Replaces comments, strings and character literals by spaces; line breaks stay where they are.
pub fn code_only(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = match bytes[at] {
            b'/' if bytes.get(at + 1) == Some(&b'/') => line_end(bytes, at),
            b'/' if bytes.get(at + 1) == Some(&b'*') => block_comment_end(bytes, at),
            b'"' => string_end(bytes, at),
            b'r' if !continues_word(bytes, at) && raw_hashes(bytes, at).is_some() => raw_string_end(bytes, at),
            b'\'' => char_end(bytes, at),
            _ => at,
        };
        if end == at {
            at += 1;
            continue;
        }
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// A letter, digit or underscore before `at`: then an `r` there is no raw string's start.
fn continues_word(bytes: &[u8], at: usize) -> bool {
    at > 0 && (bytes[at - 1] == b'_' || (bytes[at - 1].is_ascii_alphanumeric() && bytes[at - 1] != b'b'))
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..].iter().position(|&b| b == b'\n').map_or(bytes.len(), |n| at + n)
}

fn block_comment_end(bytes: &[u8], at: usize) -> usize {
    let (mut depth, mut i) = (0, at);
    while i + 1 < bytes.len() {
        match &bytes[i..i + 2] {
            b"/*" => {
                depth += 1;
                i += 2;
            }
            b"*/" => {
                depth -= 1;
                i += 2;
                if depth == 0 {
                    return i;
                }
            }
            _ => i += 1,
        }
    }
    bytes.len()
}

fn string_end(bytes: &[u8], at: usize) -> usize {
    let mut i = at + 1;
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => i += 2,
            b'"' => return i + 1,
            _ => i += 1,
        }
    }
    bytes.len()
}

/// The number of `#` between `r` and `"`, if this is a raw string.
fn raw_hashes(bytes: &[u8], at: usize) -> Option<usize> {
    let hashes = bytes[at + 1..].iter().take_while(|&&b| b == b'#').count();
    (bytes.get(at + 1 + hashes) == Some(&b'"')).then_some(hashes)
}

fn raw_string_end(bytes: &[u8], at: usize) -> usize {
    let hashes = raw_hashes(bytes, at).unwrap_or(0);
    let mut close = vec![b'"'];
    close.resize(hashes + 1, b'#');
    let start = at + 2 + hashes;
    bytes[start..].windows(close.len()).position(|w| w == close).map_or(bytes.len(), |n| start + n + close.len())
}

/// The end of a character literal, or `at` for a lifetime.
fn char_end(bytes: &[u8], at: usize) -> usize {
    if bytes.get(at + 1) == Some(&b'\\') {
        // Skip the escaped character itself: it may be a quote.
        return bytes[(at + 3).min(bytes.len())..].iter().position(|&b| b == b'\'').map_or(at, |n| at + 3 + n + 1);
    }
    // One character of up to four bytes, then the closing quote.
    (2..=5)
        .find(|&n| bytes.get(at + n) == Some(&b'\'') && is_one_char(&bytes[at + 1..at + n]))
        .map_or(at, |n| at + n + 1)
}

fn is_one_char(bytes: &[u8]) -> bool {
    std::str::from_utf8(bytes).is_ok_and(|s| s.chars().count() == 1)
}

/// The words (identifiers and keywords) of already blanked code, each with its byte offset.
pub fn words(code: &str) -> Vec<(usize, &str)> {
    let mut out = Vec::new();
    let mut start = None;
    for (at, c) in code.char_indices().chain(std::iter::once((code.len(), ' '))) {
        let inside = c == '_' || c.is_alphanumeric();
        match (inside, start) {
            (true, None) => start = Some(at),
            (false, Some(begin)) => {
                out.push((begin, &code[begin..at]));
                start = None;
            }
            _ => {}
        }
    }
    out
}

/// The 1-based line of a byte offset.
pub fn line_of(text: &str, offset: usize) -> usize {
    text.as_bytes()[..offset].iter().filter(|&&b| b == b'\n').count() + 1
}
