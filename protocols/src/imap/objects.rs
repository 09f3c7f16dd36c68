//! Names of mailboxes and messages that last (RFC 8474): MAILBOXID and EMAILID. Looks nothing up.
use super::out;
use posthouse_engine::base::{AccountId, Guid};
use posthouse_engine::index::Mailbox;

/// `M<account>-<UIDVALIDITY>`: within an account no UIDVALIDITY is ever used twice, and a rename keeps it.
pub(super) fn mailbox_id(out: &mut Vec<u8>, account: AccountId, mailbox: &Mailbox) {
    out.push(b'M');
    out::number(out, account.0);
    out.push(b'-');
    out::number(out, mailbox.uid_validity.into());
}

/// `E` and the guid in hexadecimal: copies of a message have the same, different contents never have.
pub(super) fn email_id(out: &mut Vec<u8>, guid: Guid) {
    out.push(b'E');
    for byte in guid.0 {
        for digit in [byte >> 4, byte & 15] {
            out.push(b"0123456789abcdef"[usize::from(digit)]);
        }
    }
}

/// The guid that an EMAILID stands for; `None` if it is none of ours.
pub(super) fn email(id: &[u8]) -> Option<Guid> {
    let digits = id.strip_prefix(b"E").filter(|digits| digits.len() == 32)?;
    let mut guid = Guid([0; 16]);
    for (byte, pair) in guid.0.iter_mut().zip(digits.chunks_exact(2)) {
        let value = |digit: u8| match digit {
            b'0'..=b'9' => Some(digit - b'0'),
            b'a'..=b'f' => Some(digit - b'a' + 10),
            _ => None,
        };
        *byte = value(pair[0])? << 4 | value(pair[1])?;
    }
    Some(guid)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_email_id_is_read_back() {
        let guid = Guid(*b"\x00\x01\xfe\xffabcdefghijkl");
        let mut id = Vec::new();
        email_id(&mut id, guid);
        assert_eq!(id, b"E0001feff6162636465666768696a6b6c");
        assert_eq!(email(&id), Some(guid));
        assert_eq!(email(b"E0001"), None);
        assert_eq!(email(b"E0001FEFF6162636465666768696A6B6C"), None);
    }
}
