//! Writes byte strings as IMAP nstrings (RFC 3501 section 4.3): quoted where the grammar allows, else a literal.
//! Never changes a byte of a quoted or literal string, except where a function says so.

/// Quoted strings with more characters to escape than this become literals, which are then shorter.
const ESCAPES_MAX: usize = 4;

/// What stands in a quoted string as it is.
static PLAIN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = plain(byte as u8);
        byte += 1;
    }
    table
};

const fn plain(byte: u8) -> bool {
    // Without branches, so that many are looked at in one step.
    (byte != 0) & (byte < 0x80) & (byte != b'"') & (byte != b'\\') & (byte != b'\r') & (byte != b'\n')
}

/// A string; NIL for none.
pub(super) fn nstring(out: &mut Vec<u8>, text: Option<&[u8]>) {
    match text {
        Some(text) => string(out, text),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// Whether all bytes stand in a quoted string as they are: sixteen at a time, the last of them twice where they do not come out even.
fn is_plain(text: &[u8]) -> bool {
    let odd = |bytes: &[u8; 16]| bytes.iter().fold(false, |odd, &byte| odd | !plain(byte));
    match text.last_chunk() {
        Some(last) => !text.as_chunks::<16>().0.iter().any(odd) && !odd(last),
        None => text.iter().all(|byte| PLAIN[usize::from(*byte)]),
    }
}

/// A string: quoted, or a literal when it holds 8-bit bytes, CR, LF or many quotes. NUL must not be in it.
pub(super) fn string(out: &mut Vec<u8>, text: &[u8]) {
    if !is_plain(text) {
        return escaped(out, text);
    }
    out.reserve(text.len() + 2);
    out.push(b'"');
    out.extend_from_slice(text);
    out.push(b'"');
}

/// The same for a text that cannot stand as it is between quotes.
fn escaped(out: &mut Vec<u8>, text: &[u8]) {
    let mut escapes = 0;
    let mut quotable = true;
    for &byte in text {
        escapes += usize::from(byte == b'"' || byte == b'\\');
        quotable &= byte < 0x80 && byte != b'\r' && byte != b'\n';
    }
    if !quotable || escapes > ESCAPES_MAX {
        return literal(out, text);
    }
    out.push(b'"');
    for &byte in text {
        if byte == b'"' || byte == b'\\' {
            out.push(b'\\');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// A text for human eyes (subject, display name): runs of white space become one space, none at either end.
pub(super) fn string_for_humans(out: &mut Vec<u8>, text: &[u8]) {
    let mut clean = Vec::with_capacity(text.len());
    for &byte in text {
        if !matches!(byte, b' ' | b'\t' | b'\r' | b'\n') {
            clean.push(byte);
        } else if clean.last().is_some_and(|&last| last != b' ') {
            clean.push(b' ');
        }
    }
    if clean.last() == Some(&b' ') {
        clean.pop();
    }
    string(out, &clean);
}

fn literal(out: &mut Vec<u8>, text: &[u8]) {
    out.push(b'{');
    decimal(out, text.len() as u64);
    out.extend_from_slice(b"}\r\n");
    out.extend_from_slice(text);
}

/// A number in decimal, without the formatting machinery: FETCH renders a few per message.
pub fn decimal(out: &mut Vec<u8>, mut number: u64) {
    if let Ok(short @ 0..100_000_000) = u32::try_from(number) {
        return short_decimal(out, short);
    }
    let mut digits = [0u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

/// The same for at most eight digits: of one size, so that they are copied by a move and without a call.
fn short_decimal(out: &mut Vec<u8>, mut number: u32) {
    let len = number.checked_ilog10().unwrap_or(0) as usize + 1;
    let mut digits = [0u8; 8];
    for digit in digits[..len].iter_mut().rev() {
        *digit = b'0' + (number % 10) as u8;
        number /= 10;
    }
    let end = out.len() + len;
    out.extend_from_slice(&digits);
    out.truncate(end);
}
