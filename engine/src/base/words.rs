//! How things are said to people. Knows no language but English.

/// `1 message`, `2 messages`.
pub fn counted(count: u64, thing: &str) -> String {
    format!("{count} {thing}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_not_several() {
        assert_eq!([0, 1, 2].map(|count| counted(count, "message")), ["0 messages", "1 message", "2 messages"]);
    }
}
