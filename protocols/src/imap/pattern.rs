//! Matches mailbox names against LIST patterns (RFC 3501 section 6.3.8): `*` crosses levels, `%` does not. Takes time proportional to
//! name times pattern whatever the pattern is.

/// A pattern of LIST or LSUB.
pub(super) struct Pattern(Vec<char>);

impl Pattern {
    /// The pattern after the reference has been put before it; runs of wildcards become one.
    pub(super) fn new(reference: &str, pattern: &str) -> Pattern {
        let mut chars: Vec<char> = Vec::with_capacity(reference.len() + pattern.len());
        for c in reference.chars().chain(pattern.chars()) {
            match (chars.last_mut(), c) {
                (Some('*'), '*' | '%') | (Some('%'), '%') => {}
                (Some(last @ '%'), '*') => *last = '*',
                _ => chars.push(c),
            }
        }
        Pattern(chars)
    }

    /// How many steps it takes to match that name; one takes about a nanosecond.
    pub(super) fn steps(&self, name: &str) -> usize {
        (self.0.len() + 1) * name.len()
    }

    /// Whether the name matches. `INBOX` as first level is compared without case (RFC 3501 section 5.1).
    pub(super) fn matches(&self, name: &str) -> bool {
        let inbox = if name == "INBOX" || name.starts_with("INBOX/") { 5 } else { 0 };
        // `live[i]`: the name so far can be matched by the first `i` characters of the pattern.
        let mut live = vec![false; self.0.len() + 1];
        live[0] = true;
        self.skip_wildcards(&mut live);
        let mut next = vec![false; live.len()];
        for (at, c) in name.chars().enumerate() {
            next.fill(false);
            for (i, &pattern) in self.0.iter().enumerate() {
                if !live[i] {
                    continue;
                }
                match pattern {
                    '*' => next[i] = true,
                    '%' if c != '/' => next[i] = true,
                    '%' => {}
                    _ if pattern == c || (at < inbox && pattern.eq_ignore_ascii_case(&c)) => next[i + 1] = true,
                    _ => {}
                }
            }
            self.skip_wildcards(&mut next);
            std::mem::swap(&mut live, &mut next);
        }
        live[self.0.len()]
    }

    /// A wildcard may match nothing.
    fn skip_wildcards(&self, live: &mut [bool]) {
        for (i, pattern) in self.0.iter().enumerate() {
            if live[i] && matches!(pattern, '*' | '%') {
                live[i + 1] = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_and_levels() {
        let cases = [
            ("", "*", "a/b", true),
            ("", "%", "a/b", false),
            ("", "%", "a", true),
            ("", "%/%", "a/b", true),
            ("a/", "%", "a/b", true),
            ("a/", "%", "a/b/c", false),
            ("", "a*c", "a/b/c", true),
            ("", "a%c", "a/b/c", false),
            ("", "inbox", "INBOX", true),
            ("", "iNb*", "INBOX", true),
            ("", "inbox/%", "INBOX/x", true),
            ("", "A", "a", false),
            ("", "%**%", "a/b", true),
            ("", "", "a", false),
            ("", "日%", "日本", true),
        ];
        for (reference, pattern, name, expected) in cases {
            assert_eq!(Pattern::new(reference, pattern).matches(name), expected, "{reference:?} {pattern:?} {name:?}");
        }
    }

    #[test]
    fn a_nasty_pattern_takes_no_time() {
        let pattern = "*a".repeat(200);
        assert!(!Pattern::new("", &pattern).matches(&"a/".repeat(500)));
    }
}
