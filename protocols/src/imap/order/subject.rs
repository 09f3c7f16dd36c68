//! The base subject (RFC 5256 section 2.1): a subject without Re:, Fwd:, list names and the like, by which SORT orders and THREAD gathers.
//! Takes time in proportion to the subject.
use posthouse_engine::search::text::fold;

/// Base subject, folded for comparison, and whether something said that this is a reply or a forward.
pub(in crate::imap) fn base(subject: &str) -> (String, bool) {
    // Step 1: one space between words. The encoded words have been decoded before.
    let spaced = subject.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = spaced.as_str();
    let mut is_reply = false;
    loop {
        // Step 2.
        while let Some(shorter) = without_trailer(text) {
            is_reply |= shorter.len() + 5 <= text.len();
            text = shorter;
        }
        // Steps 3 to 5. A leader may have blobs before it, so that without one what is left of them can go in one pass.
        while let Some(rest) = without_leader(text.trim_start()) {
            is_reply = true;
            text = rest;
        }
        text = text.trim_start();
        while let Some(rest) = blob(text).filter(|rest| !rest.is_empty()) {
            text = rest;
        }
        // Step 6.
        match text.get(..5).filter(|start| start.eq_ignore_ascii_case("[fwd:")).and(text.strip_suffix(']')) {
            Some(inner) => {
                is_reply = true;
                text = &inner[5..];
            }
            None => return (fold(text), is_reply),
        }
    }
}

/// `(fwd)` or a space at the end.
fn without_trailer(text: &str) -> Option<&str> {
    let spaces = text.trim_end();
    if spaces.len() < text.len() {
        return Some(spaces);
    }
    let at = text.len().checked_sub(5)?;
    text.get(at..).filter(|end| end.eq_ignore_ascii_case("(fwd)")).map(|_| &text[..at])
}

/// `[list] Re [blob] : ` at the beginning.
fn without_leader(text: &str) -> Option<&str> {
    let mut rest = text;
    while let Some(after) = blob(rest) {
        rest = after;
    }
    let word = ["fwd", "re", "fw"]
        .into_iter()
        .find(|word| rest.get(..word.len()).is_some_and(|start| start.eq_ignore_ascii_case(word)))?;
    rest = rest[word.len()..].trim_start();
    rest = blob(rest).unwrap_or(rest);
    rest.strip_prefix(':')
}

/// What follows `[...]` and spaces.
fn blob(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('[')?;
    let end = inner.find(['[', ']'])?;
    inner[end..].strip_prefix(']').map(str::trim_start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_without_what_mail_programs_add() {
        for (subject, expected, reply) in [
            ("Hello", "hello", false),
            ("Re: Hello", "hello", true),
            ("RE : [list] re[2]: fwd: Hello", "hello", true),
            ("[list] Hello", "hello", false),
            ("[list] Re: Hello (fwd) (FWD)", "hello", true),
            ("[Fwd: Re: Hello]", "hello", true),
            ("Fwd:  two   words ", "two words", true),
            ("[only]", "[only]", false),
            ("Re:", "", true),
            ("reply", "reply", false),
            ("Re: 回复", "回复", true),
            ("", "", false),
            ("[fwd:", "[fwd:", false),
        ] {
            assert_eq!(base(subject), (expected.to_owned(), reply), "{subject:?}");
        }
    }

    /// What was quadratic took minutes for the last of these.
    #[test]
    fn a_long_one_takes_time_in_proportion() {
        let begun = std::time::Instant::now();
        let (text, _) = base(&"Re: [x] ".repeat(20_000));
        assert_eq!(text, "[x]");
        base(&"[fwd:".repeat(20_000));
        base(&format!("{}x{}", "[fwd:".repeat(20_000), "]".repeat(20_000)));
        base(&"[".repeat(100_000));
        let (text, is_reply) = base(&("[a]".repeat(400_000) + "z"));
        assert_eq!((text.as_str(), is_reply), ("z", false));
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "{:?}", begun.elapsed());
    }
}
