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

/// UTF-8 if it is that; else GB18030 if all bytes over 127 stand in pairs, as Chinese does and Western text hardly ever;
/// else Windows-1252.
fn guess(bytes: &[u8]) -> String {
    if let Ok(text) = std::str::from_utf8(bytes) {
        return text.to_owned();
    }
    let mut runs = bytes.split(u8::is_ascii);
    let name: &[u8] = if runs.all(|run| run.len() % 2 == 0) { b"gb18030" } else { b"windows-1252" };
    match charset_decoder(name) {
        Some(decoder) => decoder(bytes),
        None => String::from_utf8_lossy(bytes).into_owned(),
    }
}
