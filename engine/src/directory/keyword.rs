//! What a keyword rule looks for: as an administrator wrote it, and folded for comparison once, not for each message. Looks into no subject.
use crate::base::{Error, Result, fold, limits};

/// A text that subjects are searched for.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Keyword {
    text: Box<str>,
    /// `None`: folded it is the same.
    folded: Option<Box<str>>,
}

impl Keyword {
    /// What an administrator gives, in small letters from then on.
    ///
    /// # Errors
    /// It is empty, too long, or has control characters.
    pub fn given(text: &str) -> Result<Keyword> {
        let max = limits::RULE_TEXT_BYTES_MAX;
        let text = text.to_lowercase();
        if text.is_empty() || text.len() > max || text.chars().any(char::is_control) {
            return Err(Error::Invalid(format!(
                "keyword {text:?}: allowed are 1 to {max} bytes without control characters"
            )));
        }
        Ok(Keyword::kept(text.into()))
    }

    /// As the store has kept it.
    pub(super) fn kept(text: Box<str>) -> Keyword {
        let folded = Some(fold(&text).into_boxed_str()).filter(|folded| *folded != text);
        Keyword { text, folded }
    }

    /// As it is shown.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What is looked for in a text that `fold` has made.
    pub fn folded(&self) -> &str {
        self.folded.as_deref().unwrap_or(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_shown_as_it_was_given_and_compared_folded() {
        let word = Keyword::given("Ｆree ＣＡＦÉ").expect("allowed");
        assert_eq!((word.text(), word.folded()), ("ｆree ｃａｆé", "free cafe\u{301}"));
        let plain = Keyword::given("发票").expect("allowed");
        assert_eq!((plain.text(), plain.folded(), plain.folded.is_none()), ("发票", "发票", true));
    }

    #[test]
    fn what_is_no_text_is_refused() {
        let long = "x".repeat(limits::RULE_TEXT_BYTES_MAX + 1);
        assert!(["", "a\tb", "\u{0}", &long].into_iter().all(|text| Keyword::given(text).is_err()));
    }
}
