//! Address literals in MAIL and RCPT (RFC 5321 section 4.1.3), which smtp-proto takes for no address: a name stands in for one while it reads the
//! command. Whether it is one is for `Address` to say.
use super::sizes::is_command;
use crate::orcpt::path_end;

/// Nobody's (RFC 2606 section 2).
const STAND_IN: &str = "literal.invalid";

/// Takes the literal out of the path of a command, brackets and all.
pub(super) fn take(line: &mut Vec<u8>) -> Option<String> {
    if !line.contains(&b'[') {
        return None;
    }
    let text = std::str::from_utf8(line).ok()?;
    if !is_command(text, "MAIL") && !is_command(text, "RCPT") {
        return None;
    }
    let end = path_end(line, 0)? - 1;
    let begin = text[..end].rfind("@[")? + 1;
    let inner = text[begin + 1..end].strip_suffix(']')?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b':' | b'-');
    if inner.is_empty() || !inner.bytes().all(fits) {
        return None;
    }
    let literal = text[begin..end].to_owned();
    line.splice(begin..end, STAND_IN.bytes());
    Some(literal)
}

/// Puts it into the address that was read.
pub(super) fn put_back(literal: Option<String>, address: &mut String) {
    if let Some(literal) = literal
        && let Some(local) = address.strip_suffix(STAND_IN)
    {
        *address = format!("{local}{literal}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_that_of_the_path() {
        for (line, found, left) in [
            ("MAIL FROM:<a@[192.0.2.1]> SIZE=1", "[192.0.2.1]", "MAIL FROM:<a@literal.invalid> SIZE=1"),
            ("rcpt\tTO:<\"a>@[b]\"@[IPv6:2001:db8::1]>", "[IPv6:2001:db8::1]", "rcpt\tTO:<\"a>@[b]\"@literal.invalid>"),
            ("RCPT TO:<@x.test:a@[x-y:z]>", "[x-y:z]", "RCPT TO:<@x.test:a@literal.invalid>"),
        ] {
            let mut bytes = line.as_bytes().to_vec();
            assert_eq!(take(&mut bytes).as_deref(), Some(found));
            assert_eq!(bytes, left.as_bytes());
        }
        for line in [
            "MAIL FROM:<a@b.test> ENVID=@[1.2.3.4]",
            "MAIL FROM:<\"a@[1.2.3.4]\"@b.test>",
            "RCPT TO:<a@[]>",
            "RCPT TO:<a@[1.2.3.4]x>",
            "RCPT TO:<a@[1 2]>",
            "RCPT TO:<a@[1.2.3.4]",
            "NOOP <a@[1.2.3.4]>",
            "",
        ] {
            let mut bytes = line.as_bytes().to_vec();
            assert_eq!(take(&mut bytes), None, "{line}");
            assert_eq!(bytes, line.as_bytes());
        }
        let mut address = "a@literal.invalid".to_owned();
        put_back(None, &mut address);
        assert_eq!(address, "a@literal.invalid");
        put_back(Some("[192.0.2.1]".into()), &mut address);
        assert_eq!(address, "a@[192.0.2.1]");
    }
}
