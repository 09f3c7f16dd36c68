//! Mailbox names between wire and engine: modified UTF-7 or UTF-8 to the engine's UTF-8 with `/` between levels, `INBOX` in capitals.
//! Looks nothing up.
use super::answer::Answer;
use super::state::Session;
use super::{out, utf7};

/// The engine's name for what stands on the wire: modified UTF-7, or UTF-8 for a client that has asked for it (RFC 6855 section 3, RFC 9051
/// section 5.1).
pub(super) fn from_wire(wire: &[u8], utf8: bool) -> Result<String, Answer> {
    if utf8 {
        return match std::str::from_utf8(wire) {
            Ok(name) => Ok(canonical(name.to_owned())),
            Err(_) => Err(Answer::no("[CANNOT] The mailbox name is not valid UTF-8")),
        };
    }
    let Some(name) = utf7::decode(wire) else {
        return Err(Answer::no("[CANNOT] The mailbox name is not valid modified UTF-7 (RFC 3501 section 5.1.3)"));
    };
    Ok(canonical(name))
}

impl Session {
    /// The engine's name of a mailbox that a command names.
    pub(super) fn name(&self, wire: &[u8]) -> Result<String, Answer> {
        from_wire(wire, self.names_utf8())
    }

    /// Whether names are UTF-8 on the wire.
    pub(super) fn names_utf8(&self) -> bool {
        self.enabled.utf8 || self.enabled.rev2
    }
}

/// `INBOX` as first level in capitals (RFC 3501 section 5.1).
fn canonical(name: String) -> String {
    let first = name.split('/').next().unwrap_or_default();
    if first.eq_ignore_ascii_case("INBOX") { format!("INBOX{}", &name[first.len()..]) } else { name }
}

/// Writes a name as an astring in modified UTF-7, or quoted in UTF-8.
pub(super) fn write(out: &mut Vec<u8>, name: &str, utf8: bool) {
    match utf8 {
        true if !name.is_ascii() => out::quoted(out, name.as_bytes()),
        true => out::astring(out, name.as_bytes()),
        false => out::astring(out, &utf7::encode(name)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inbox_is_known_in_any_case() {
        assert_eq!(from_wire(b"inBox", false).as_deref(), Ok("INBOX"));
        assert_eq!(from_wire(b"inbox/a", false).as_deref(), Ok("INBOX/a"));
        assert_eq!(from_wire(b"inboxes", false).as_deref(), Ok("inboxes"));
        assert!(from_wire(b"&x", false).is_err());
        assert_eq!(from_wire(b"&x", true).as_deref(), Ok("&x"));
        assert!(from_wire(b"\xff", true).is_err());
    }
}
