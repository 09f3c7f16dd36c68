//! Mailbox names between wire and engine: modified UTF-7 or UTF-8 to the engine's UTF-8 with `/` between levels, `INBOX` in capitals.
//! Looks nothing up.
use super::answer::Answer;
use super::{out, utf7};
use imap_codec::imap_types::mailbox::Mailbox;

/// The engine's name of a mailbox that a command names.
pub(super) fn decode(mailbox: &Mailbox<'_>) -> Result<String, Answer> {
    match mailbox {
        Mailbox::Inbox => Ok("INBOX".into()),
        Mailbox::Other(other) => from_wire(other.as_ref()),
    }
}

/// The engine's name for what stands on the wire.
pub(super) fn from_wire(wire: &[u8]) -> Result<String, Answer> {
    let Some(name) = utf7::decode(wire) else {
        return Err(Answer::no("[CANNOT] The mailbox name is not valid modified UTF-7 (RFC 3501 section 5.1.3)"));
    };
    Ok(canonical(name))
}

/// `INBOX` as first level in capitals (RFC 3501 section 5.1).
fn canonical(name: String) -> String {
    let first = name.split('/').next().unwrap_or_default();
    if first.eq_ignore_ascii_case("INBOX") { format!("INBOX{}", &name[first.len()..]) } else { name }
}

/// Writes a name as an astring in modified UTF-7.
pub(super) fn write(out: &mut Vec<u8>, name: &str) {
    out::astring(out, &utf7::encode(name));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inbox_is_known_in_any_case() {
        assert_eq!(from_wire(b"inBox").as_deref(), Ok("INBOX"));
        assert_eq!(from_wire(b"inbox/a").as_deref(), Ok("INBOX/a"));
        assert_eq!(from_wire(b"inboxes").as_deref(), Ok("inboxes"));
        assert!(from_wire(b"&x").is_err());
    }
}
