//! Turns bytes of a named charset into Unicode. Never fails: unknown charsets and broken bytes come out as a guess, so
//! that a search still finds what is readable.
use std::borrow::Cow;

use mail_parser::decoders::charsets::map::charset_decoder;

/// Decodes bytes that are said to be in a charset; none or a wrong name means that it has to be guessed.
pub fn to_unicode<'a>(bytes: &'a [u8], charset: Option<&[u8]>) -> Cow<'a, str> {
    if bytes.is_ascii() && !charset.is_some_and(is_seven_bit_code) {
        return String::from_utf8_lossy(bytes);
    }
    let named = charset.filter(|name| !is_vague(name));
    if named.is_none_or(|name| name.eq_ignore_ascii_case(b"utf-8"))
        && let Ok(text) = std::str::from_utf8(bytes)
    {
        return Cow::Borrowed(text);
    }
    match named.and_then(charset_decoder) {
        Some(decoder) => Cow::Owned(decoder(bytes)),
        None => Cow::Owned(guess(bytes)),
    }
}

/// Names that say nothing of the bytes over 127.
fn is_vague(name: &&[u8]) -> bool {
    [b"".as_slice(), b"us-ascii", b"ascii", b"unknown-8bit", b"x-unknown"]
        .iter()
        .any(|vague| name.eq_ignore_ascii_case(vague))
}

/// Charsets whose text is ASCII bytes that mean something else.
fn is_seven_bit_code(name: &[u8]) -> bool {
    let name = name.to_ascii_lowercase();
    name.starts_with(b"iso-2022-")
        || name.starts_with(b"utf-7")
        || name.starts_with(b"utf-16")
        || name.starts_with(b"hz")
}

/// Guesses line by line: mailing lists append lines in other charsets than the text above them.
fn guess(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for line in bytes.split_inclusive(|&b| b == b'\n') {
        guess_line(line, &mut out);
    }
    out
}

/// UTF-8 if it is that; else GB18030 if all bytes over 127 stand in pairs, as Chinese does and Western text hardly ever;
/// else Windows-1252.
fn guess_line(line: &[u8], out: &mut String) {
    if let Ok(text) = std::str::from_utf8(line) {
        return out.push_str(text);
    }
    let mut runs = line.split(u8::is_ascii);
    let name: &[u8] = if runs.all(|run| run.len() % 2 == 0) { b"gb18030" } else { b"windows-1252" };
    match charset_decoder(name) {
        Some(decoder) => out.push_str(&decoder(line)),
        None => out.push_str(&String::from_utf8_lossy(line)),
    }
}
