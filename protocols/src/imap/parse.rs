//! From the bytes of a complete command to what it asks for: tag and name by hand, arguments by imap-codec. Pure: runs nothing, looks
//! nothing up, and answers any bytes without panic.
use imap_codec::CommandCodec;
use imap_codec::decode::Decoder;
use imap_codec::imap_types::IntoStatic;
use imap_codec::imap_types::command::CommandBody;

/// Tag and name of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Head {
    /// What the tagged response begins with.
    pub(super) tag: String,
    /// In capitals; `UID` with the command after it: `UID FETCH`.
    pub(super) name: String,
    /// Bytes of both: the arguments follow.
    pub(super) len: usize,
}

/// Reads tag and name. The error holds the tag if it could be read.
pub(super) fn head(bytes: &[u8]) -> Result<Head, Option<String>> {
    let line = bytes.split(|byte| matches!(byte, b'\r' | b'\n')).next().unwrap_or_default();
    let mut words = line.split(|&byte| byte == b' ');
    let tag = words.next().filter(|tag| is_tag(tag)).and_then(text).ok_or(None)?;
    let name = words.next().filter(|word| !word.is_empty()).and_then(text);
    let Some(mut name) = name.map(|name| name.to_ascii_uppercase()) else {
        return Err(Some(tag));
    };
    if name == "UID" {
        let Some(second) = words.next().and_then(text) else {
            return Err(Some(tag));
        };
        name.push(' ');
        name.push_str(&second.to_ascii_uppercase());
    }
    let len = tag.len() + 1 + name.len();
    Ok(Head { tag, name, len })
}

/// `tag = 1*<any ASTRING-CHAR except "+">` (RFC 3501 section 9), of bearable length.
fn is_tag(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.len() <= 256 && bytes.iter().all(|&byte| byte != b'+' && super::out::is_atom_char(byte))
}

fn text(bytes: &[u8]) -> Option<String> {
    bytes.is_ascii().then(|| bytes.iter().map(|&byte| char::from(byte)).collect())
}

/// Reads a complete command. Where clients are known to stray from the grammar, it is read as they mean it: a space at the end of
/// the line, and 8-bit text in quoted strings.
pub(super) fn body(bytes: &[u8]) -> Option<CommandBody<'static>> {
    if let Some(body) = decode(bytes) {
        return Some(body);
    }
    let mended = mend(bytes)?;
    decode(&mended)
}

fn decode(bytes: &[u8]) -> Option<CommandBody<'static>> {
    let (rest, command) = CommandCodec::default().decode(bytes).ok()?;
    rest.is_empty().then(|| command.body.into_static())
}

/// The command with quoted 8-bit strings made literals and without spaces before its end; `None` when there is nothing to mend.
fn mend(bytes: &[u8]) -> Option<Vec<u8>> {
    let line = bytes.strip_suffix(b"\n")?;
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let trimmed = line.trim_ascii_end();
    let has_eight_bit = trimmed.iter().any(|byte| !byte.is_ascii());
    if trimmed.len() == line.len() && !has_eight_bit {
        return None;
    }
    let mut out = if has_eight_bit && !trimmed.contains(&b'\n') { unquoted(trimmed)? } else { trimmed.to_vec() };
    out.extend_from_slice(b"\r\n");
    Some(out)
}

/// One line with each quoted string that holds 8-bit bytes as a literal. `None`: a quote is not closed.
fn unquoted(line: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(line.len() + 16);
    let mut rest = line;
    while let Some(open) = rest.iter().position(|&byte| byte == b'"') {
        out.extend_from_slice(&rest[..open]);
        let (value, after) = quoted(&rest[open + 1..])?;
        if value.is_ascii() {
            out.extend_from_slice(&rest[open..rest.len() - after.len()]);
        } else {
            super::out::literal(&mut out, &value);
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    Some(out)
}

/// The value of a quoted string whose opening quote has been read, and what follows it.
fn quoted(bytes: &[u8]) -> Option<(Vec<u8>, &[u8])> {
    let mut value = Vec::new();
    let mut at = 0;
    loop {
        match bytes.get(at)? {
            b'"' => return Some((value, &bytes[at + 1..])),
            b'\\' => {
                value.push(*bytes.get(at + 1)?);
                at += 2;
            }
            byte => {
                value.push(*byte);
                at += 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads() {
        let name = |bytes: &[u8]| head(bytes).map(|head| head.name);
        assert_eq!(name(b"a noop\r\n"), Ok("NOOP".into()));
        assert_eq!(name(b"a uid fetch 1 flags\r\n"), Ok("UID FETCH".into()));
        assert_eq!(name(b"a\r\n"), Err(Some("a".into())));
        assert_eq!(name(b"a uid\r\n"), Err(Some("a".into())));
        assert_eq!(name(b"+ noop\r\n"), Err(None));
        assert_eq!(name(b"\r\n"), Err(None));
        assert_eq!(name(b"\xff\xfe\r\n"), Err(None));
    }

    #[test]
    fn strays_are_understood() {
        assert!(body(b"a NOOP \r\n").is_some());
        assert!(body("a SEARCH SUBJECT \"日\\\"本\"\r\n".as_bytes()).is_some());
        assert!(body(b"a SELECT \"\xe6\x97\xa5\"\r\n").is_some());
        assert!(body(b"a SEARCH SUBJECT \"\xe6\r\n").is_none());
        assert!(body(b"a NOOP x\r\n").is_none());
    }
}
