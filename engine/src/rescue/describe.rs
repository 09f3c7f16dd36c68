//! A message in a few words for people: what its envelope says of Message-ID and Subject. Never fails; says less instead.

/// Message-ID and Subject of an ENVELOPE list (RFC 3501 section 7.4.2: the last of ten fields and the second).
pub(super) fn describe(envelope: &[u8]) -> Option<String> {
    let mut fields = Fields { bytes: envelope.strip_prefix(b"(")? };
    let mut all = Vec::new();
    while let Some(field) = fields.next() {
        all.push(field);
    }
    let text = |at: usize| all.get(at).cloned().flatten();
    match (text(9), text(1)) {
        (None, None) => None,
        (id, subject) => {
            Some(format!("{} {:?}", id.unwrap_or_default(), subject.unwrap_or_default()).trim().to_owned())
        }
    }
}

/// The fields of a list: texts, and `None` for NIL and for lists.
struct Fields<'a> {
    bytes: &'a [u8],
}

impl Fields<'_> {
    fn next(&mut self) -> Option<Option<String>> {
        self.bytes = self.bytes.strip_prefix(b" ").unwrap_or(self.bytes);
        match *self.bytes.first()? {
            b')' => None,
            b'"' => Some(Some(self.quoted())),
            b'{' => Some(Some(self.literal()?)),
            b'(' => {
                self.skip_list();
                Some(None)
            }
            _ => {
                let len = self.bytes.iter().take_while(|byte| !b" )".contains(byte)).count();
                self.bytes = &self.bytes[len..];
                Some(None)
            }
        }
    }

    fn quoted(&mut self) -> String {
        let mut text = Vec::new();
        let mut at = 1;
        while let Some(byte) = self.bytes.get(at).copied().filter(|byte| *byte != b'"') {
            if byte == b'\\' {
                at += 1;
            }
            text.extend(self.bytes.get(at));
            at += 1;
        }
        self.bytes = self.bytes.get(at + 1..).unwrap_or_default();
        String::from_utf8_lossy(&text).into_owned()
    }

    fn literal(&mut self) -> Option<String> {
        let end = self.bytes.iter().position(|byte| *byte == b'\n')?;
        let digits: String =
            self.bytes[..end].iter().filter(|byte| byte.is_ascii_digit()).map(|byte| char::from(*byte)).collect();
        let text = self.bytes.get(end + 1..)?.get(..digits.parse().ok()?)?;
        self.bytes = &self.bytes[end + 1 + text.len()..];
        Some(String::from_utf8_lossy(text).into_owned())
    }

    /// Lists of addresses, whose texts may hold parentheses.
    fn skip_list(&mut self) {
        let mut depth = 0;
        while let Some(byte) = self.bytes.first().copied() {
            match byte {
                b'"' => {
                    self.quoted();
                    continue;
                }
                b'{' => {
                    if self.literal().is_none() {
                        self.bytes = &[];
                    }
                    continue;
                }
                b'(' => depth += 1,
                b')' => depth -= 1,
                _ => {}
            }
            self.bytes = &self.bytes[1..];
            if depth == 0 {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::describe;

    #[test]
    fn envelopes_in_words() {
        let address = r#"(("Ann (A)" NIL "ann" "x.test"))"#;
        let whole = format!("(\"date\" \"Re: \\\"it\\\"\" {address} NIL NIL {address} NIL NIL NIL \"<1@x.test>\")");
        assert_eq!(describe(whole.as_bytes()).as_deref(), Some("<1@x.test> \"Re: \\\"it\\\"\""));
        let literal = "(NIL {3}\r\na)\" NIL NIL NIL NIL NIL NIL NIL NIL)";
        assert_eq!(describe(literal.as_bytes()).as_deref(), Some("\"a)\\\"\""));
        for bad in ["", "(", "(\"", "({9}\r\nx", "(NIL ((", "(NIL NIL)", "({", "(({x"] {
            assert_eq!(describe(bad.as_bytes()), None, "{bad}");
        }
    }
}
