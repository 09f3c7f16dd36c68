//! The scan that SEARCH SUBJECT, FROM, BODY and TEXT stand on (RFC 3501 section 6.4.4): decodes headers and text parts
//! to Unicode and compares without case. Exact, no index, no I/O. What cannot be decoded is compared as far as it can.
mod charset;
mod decode;
mod scan;
mod word;

pub use charset::to_unicode;
pub use scan::contains_text;
pub use word::decoded_header;

/// Folds case for comparison: two texts that differ only in case fold to the same. Folds each character alone, so a part
/// of a text folds to a part of the folded text.
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    // Through upper case, which unites letters that have one capital: both Greek sigmas, the German sharp s and "ss".
    text.chars().flat_map(char::to_uppercase).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests;
