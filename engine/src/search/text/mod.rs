//! The scan that SEARCH SUBJECT, FROM, BODY and TEXT stand on (RFC 3501 section 6.4.4): decodes headers and text parts
//! to Unicode and compares without case. Exact, no index, no I/O. What cannot be decoded is compared as far as it can.
mod charset;
mod decode;
mod preview;
mod scan;
mod word;

pub use charset::to_unicode;
pub use decode::decode_body;
pub use preview::preview;
pub use scan::contains_text;
pub use word::decoded_header;

/// Folds case for comparison: two texts that differ only in case fold to the same. Folds each character alone, so a part
/// of a text folds to a part of the folded text.
pub fn fold(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while !rest.is_empty() {
        let ascii_len = rest.bytes().position(|b| !b.is_ascii()).unwrap_or(rest.len());
        let (ascii, after) = rest.split_at(ascii_len);
        let start = out.len();
        out.push_str(ascii);
        out[start..].make_ascii_lowercase();
        let mut chars = after.chars();
        if let Some(other) = chars.next() {
            fold_char(other, &mut out);
        }
        rest = chars.as_str();
    }
    out
}

/// Goes through upper case, which unites letters that have one capital: both Greek sigmas, the German sharp s and "ss".
fn fold_char(char: char, out: &mut String) {
    // Chinese, Japanese and Korean have no case.
    if ('\u{2e80}'..='\u{a63f}').contains(&char) || ('\u{ac00}'..='\u{d7ff}').contains(&char) {
        return out.push(char);
    }
    out.extend(char.to_uppercase().flat_map(char::to_lowercase));
}

#[cfg(test)]
mod tests;
