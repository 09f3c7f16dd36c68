//! The fields in which mail programs keep flags within an mbox: read, and taken out of the message, which never had them when it was sent.
use posthouse_engine::index::mime::header_fields;
use std::ops::Range;

/// Fields that are a mailbox's and no message's.
const FIELDS: [&str; 10] = [
    "Status",
    "X-Status",
    "X-Keywords",
    "X-UID",
    "X-IMAP",
    "X-IMAPbase",
    "X-Mozilla-Status",
    "X-Mozilla-Status2",
    "X-Mozilla-Keys",
    "Content-Length",
];
/// Thunderbird: the message was deleted, only the file was not rewritten yet.
const MOZILLA_EXPUNGED: u16 = 8;
/// Thunderbird's bits that are flags.
const MOZILLA: [(u16, &str); 4] = [(1, "\\Seen"), (2, "\\Answered"), (4, "\\Flagged"), (0x1000, "$Forwarded")];

/// The flags of a message, whose fields are gone then. `None`: it is none that anybody should see.
pub(super) fn take(message: &mut Vec<u8>) -> Option<Vec<String>> {
    let mut flags: Vec<String> = Vec::new();
    let mut gone: Vec<Range<usize>> = Vec::new();
    let mut internal = false;
    for field in header_fields(message) {
        let Some(name) = FIELDS.iter().find(|name| field.is(name.as_bytes())) else { continue };
        let value = String::from_utf8_lossy(&message[field.value.clone()]).into_owned();
        match *name {
            "Status" => letters(&value, &[('R', "\\Seen")], &mut flags),
            "X-Status" => {
                let all = [('A', "\\Answered"), ('F', "\\Flagged"), ('T', "\\Draft"), ('D', "\\Deleted")];
                letters(&value, &all, &mut flags);
            }
            "X-Keywords" | "X-Mozilla-Keys" => flags.extend(value.split_whitespace().map(str::to_owned)),
            "X-IMAP" => internal = true,
            "X-Mozilla-Status" => {
                let bits = u16::from_str_radix(value.trim(), 16).unwrap_or(0);
                internal |= bits & MOZILLA_EXPUNGED != 0;
                flags.extend(MOZILLA.iter().filter(|(bit, _)| bits & bit != 0).map(|(_, flag)| (*flag).to_owned()));
            }
            _ => {}
        }
        gone.push(field.line);
    }
    cut(message, &gone);
    flags.sort_unstable();
    flags.dedup();
    (!internal).then_some(flags)
}

/// Takes ascending ranges out in one pass: a message may have as many of these fields as it has bytes for.
fn cut(message: &mut Vec<u8>, gone: &[Range<usize>]) {
    let Some(first) = gone.first() else { return };
    let mut to = first.start;
    for (at, range) in gone.iter().enumerate() {
        let next = gone.get(at + 1).map_or(message.len(), |next| next.start);
        message.copy_within(range.end..next, to);
        to += next - range.end;
    }
    message.truncate(to);
}

fn letters(value: &str, known: &[(char, &str)], flags: &mut Vec<String>) {
    flags.extend(known.iter().filter(|(letter, _)| value.contains(*letter)).map(|(_, flag)| (*flag).to_owned()));
}

#[cfg(test)]
mod tests {
    use super::take;

    #[test]
    fn flags_are_taken_out_of_the_header_and_nowhere_else() {
        let mut message =
            b"Status: RO\r\nSubject: a\r\nX-Status: AF\r\nX-Keywords: one\r\n two\r\nTo: b\r\n\r\nStatus: D\r\n"
                .to_vec();
        let flags = take(&mut message).expect("a message");
        assert_eq!(flags, ["\\Answered", "\\Flagged", "\\Seen", "one", "two"]);
        assert_eq!(message, b"Subject: a\r\nTo: b\r\n\r\nStatus: D\r\n");
    }

    #[test]
    fn a_message_of_nothing_but_such_fields_takes_no_longer_than_another() {
        let mut message = b"Status: O\r\n".repeat(2_000_000);
        message.extend_from_slice(b"To: b\r\n\r\nbody");
        let began = std::time::Instant::now();
        assert_eq!(take(&mut message), Some(vec![]));
        assert_eq!(message, b"To: b\r\n\r\nbody");
        // Moving all that follows for each of them would take an hour.
        assert!(began.elapsed().as_secs() < 60, "{:?}", began.elapsed());
    }

    #[test]
    fn thunderbirds_deleted_and_c_clients_notes_are_no_messages() {
        let taken = |text: &[u8]| take(&mut text.to_vec());
        assert_eq!(taken(b"X-Mozilla-Status: 0009\r\n\r\nx"), None);
        assert_eq!(
            taken(b"X-Mozilla-Status: 1003\r\n\r\nx"),
            Some(vec!["$Forwarded".into(), "\\Answered".into(), "\\Seen".into()])
        );
        assert_eq!(taken(b"X-IMAP: 1 2\r\n\r\nx"), None);
        assert_eq!(taken(b"no header"), Some(vec![]));
    }
}
