//! One form for texts that are the same to a reader, whatever their case and the forms of their letters. Compares nothing.
use icu_normalizer::DecomposingNormalizerBorrowed;

/// Folds case and forms for comparison, as i;unicode-casemap does (RFC 5051): two texts that differ only in case, or in how an accent or a
/// wide letter is written, fold to the same. Folds each character alone, so a part of a text folds to a part of the folded text.
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

/// Goes through upper case, which unites letters that have one capital: both Greek sigmas, the German sharp s and "ss". Then what is made of
/// several characters is taken apart: an accented letter, a ligature, a wide letter.
fn fold_char(char: char, out: &mut String) {
    // The ideographs and syllables of these blocks have neither case nor parts; they are most of what is folded in Chinese mail.
    if matches!(char, '\u{3400}'..='\u{4dbf}' | '\u{4e00}'..='\u{a63f}' | '\u{ac00}'..='\u{d7a3}') {
        return out.push(char);
    }
    let decompose = DecomposingNormalizerBorrowed::new_nfkd();
    for upper in char.to_uppercase() {
        let mut bytes = [0; 4];
        let apart = decompose.normalize(upper.encode_utf8(&mut bytes));
        out.extend(apart.chars().flat_map(char::to_lowercase));
    }
}
