//! Whether bytes are one well-formed IMAP list: parentheses, quoted strings and literals (RFC 3501 section 9). Panics when not.

/// What follows the list at the front of `text`.
pub fn after_list(text: &[u8]) -> &[u8] {
    let mut rest = text;
    let mut open = 0usize;
    loop {
        let (&byte, after) = rest.split_first().expect("a list that ends");
        rest = match byte {
            b'(' => {
                open += 1;
                after
            }
            b')' => {
                open -= 1;
                after
            }
            b'"' => after_quoted(after),
            b'{' => after_literal(after),
            byte => {
                assert!(byte == b' ' || byte.is_ascii_alphanumeric(), "{byte} in a list");
                after
            }
        };
        if open == 0 {
            return rest;
        }
    }
}

fn after_quoted(mut rest: &[u8]) -> &[u8] {
    while rest[0] != b'"' {
        rest = if rest[0] == b'\\' { &rest[1..] } else { rest };
        assert!(rest[0].is_ascii() && !matches!(rest[0], 0 | b'\r' | b'\n'), "{} in a quoted string", rest[0]);
        rest = &rest[1..];
    }
    &rest[1..]
}

fn after_literal(rest: &[u8]) -> &[u8] {
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let len: usize = std::str::from_utf8(&rest[..digits]).expect("digits").parse().expect("a length");
    let text = rest[digits..].strip_prefix(b"}\r\n").expect("a literal");
    assert!(!text[..len].contains(&0), "a NUL in a literal");
    &text[len..]
}
