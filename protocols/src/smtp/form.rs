//! Whether everybody will read the same fields in a message's header: the one place that judges its form, before anything else reads it. A line
//! that is no field ends the header for some readers and is passed over by others, so what stands below it would be shown by one and judged by
//! nobody. Knows no field.
use super::reply::Reply;
use super::role::Role;
use crate::limits;
use memchr::memchr;

/// Why a header does not stay as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    /// The line there, counted from 1, is neither a field (RFC 5322 section 2.2) nor the rest of one.
    NoField { at: usize, line: usize },
    /// Readers in C take a NUL for the end.
    Nul { line: usize },
    /// The message ends within a line of its header.
    Unended,
    /// It is too large to be looked through again and again.
    TooLarge,
}

/// What Postfix makes of the line that separates messages in a mailbox file: programs that take mail out of one leave it on top.
const FROM_MAILBOX: &[u8] = b"X-Mailbox-Line: ";

/// Makes sure that the header ends where all who read it see its end. What a host sends is mended as Sendmail and Postfix do: an empty line goes
/// before the first line that is no field. A member's program is told. The server in front of LMTP has judged that already. From nobody a header is taken
/// that is larger than any that is meant.
pub(super) fn settle(role: Role, message: &mut Vec<u8>) -> Result<(), Reply> {
    name_mailbox_lines(message);
    match flaw(role, message) {
        None => {}
        Some(Flaw::TooLarge) => {
            let (bytes, fields) = (limits::SMTP_HEADER_BYTES_MAX, limits::SMTP_HEADER_FIELDS_MAX);
            let text =
                format!("5.6.0 The message's header is too large; {bytes} bytes and {fields} fields are allowed");
            return Err(Reply::new(550, text));
        }
        Some(Flaw::Unended) => message.extend_from_slice(b"\r\n"),
        Some(Flaw::NoField { at, .. }) if role == Role::Mx => drop(message.splice(at..at, *b"\r\n")),
        Some(Flaw::NoField { line, .. }) => {
            let text = format!(
                "5.6.0 Line {line} of the message is no header field; an empty line ends the header (RFC 5322 section 2.1)"
            );
            return Err(Reply::new(550, text));
        }
        Some(Flaw::Nul { line }) => {
            return Err(Reply::new(550, format!("5.6.0 A NUL byte is in line {line} of the message's header")));
        }
    }
    Ok(())
}

/// The first flaw; by LMTP only whether it is too large, up to the first empty line.
fn flaw(role: Role, message: &[u8]) -> Option<Flaw> {
    let (mut at, mut fields) = (0, 0);
    for count in 1.. {
        let rest = &message[at..];
        let line = memchr(b'\n', rest).map_or(rest, |lf| &rest[..=lf]);
        if matches!(line, b"" | b"\r\n" | b"\n") {
            break;
        }
        let continues = matches!(line[0], b' ' | b'\t') && at > 0;
        if role != Role::Lmtp && !continues && !begins_field(line) {
            return Some(Flaw::NoField { at, line: count });
        }
        fields += usize::from(!continues);
        at += line.len();
        if at > limits::SMTP_HEADER_BYTES_MAX || fields > limits::SMTP_HEADER_FIELDS_MAX {
            return Some(Flaw::TooLarge);
        }
        if role == Role::Lmtp {
            continue;
        }
        if memchr(0, line).is_some() {
            return Some(Flaw::Nul { line: count });
        }
        if !line.ends_with(b"\n") {
            return Some(Flaw::Unended);
        }
    }
    None
}

/// Gives the lines on top that come from a mailbox file a name, so that the fields below them are the header.
fn name_mailbox_lines(message: &mut Vec<u8>) {
    let mut named = Vec::new();
    let mut at = 0;
    while let Some(end) = memchr(b'\n', &message[at..]).filter(|_| at < limits::SMTP_LINE_BYTES_MAX) {
        let line = &message[at..=at + end];
        let quotes = line.iter().take_while(|byte| **byte == b'>').count();
        if !line[quotes..].starts_with(b"From ") || begins_field(line) {
            break;
        }
        named.extend_from_slice(FROM_MAILBOX);
        named.extend_from_slice(line);
        at += line.len();
    }
    if at > 0 {
        message.splice(..at, named);
    }
}

/// A name of visible ASCII characters (RFC 5322 section 3.6.8) and a colon, with white space between them at most (section 4.5).
fn begins_field(line: &[u8]) -> bool {
    let name = line.iter().take_while(|byte| matches!(byte, b'!'..=b'~') && **byte != b':').count();
    let blank = line[name..].iter().take_while(|byte| matches!(byte, b' ' | b'\t')).count();
    name > 0 && line.get(name + blank) == Some(&b':')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(role: Role, message: &str) -> Option<String> {
        let mut bytes = message.as_bytes().to_vec();
        settle(role, &mut bytes).ok().map(|()| String::from_utf8(bytes).expect("UTF-8"))
    }

    #[test]
    fn what_all_read_alike_stays_as_it_is() {
        for fine in [
            "",
            "\r\n",
            "\r\nx\0\r\n",
            "A: b\r\n",
            "A: b\r\n\r\nx",
            "A :\r\n\tb\r\n c:\r\n \r\nX-1!: \r\n\r\nno field\r\n",
        ] {
            for role in [Role::Mx, Role::Submission, Role::Lmtp] {
                assert_eq!(settled(role, fine).as_deref(), Some(fine), "{fine:?}");
            }
        }
    }

    #[test]
    fn a_line_that_is_no_field_begins_the_body_or_is_refused() {
        let lines = [
            " From: a@b.test",
            "\tFrom: a@b.test",
            " ",
            "garbage",
            ": x",
            ":From: a@b.test",
            "Fr om: a@b.test",
            "From\0: a@b.test",
            "From\u{b}: a@b.test",
            "\u{c}From: a@b.test",
            "Fr\u{f6}m: a@b.test",
            "From",
        ];
        for line in lines {
            // Within a header white space goes on with the field before it.
            let befores = if line.starts_with([' ', '\t']) { &[""][..] } else { &["", "X: y\r\n", "X: y\r\n z\r\n"] };
            for before in befores {
                let message = format!("{before}{line}\r\nFrom: c@d.test\r\n\r\nx\r\n");
                let mended = format!("{before}\r\n{line}\r\nFrom: c@d.test\r\n\r\nx\r\n");
                assert_eq!(settled(Role::Mx, &message), Some(mended), "{message:?}");
                assert_eq!(settled(Role::Submission, &message), None, "{message:?}");
                assert_eq!(settled(Role::Lmtp, &message), Some(message));
            }
        }
    }

    #[test]
    fn a_line_of_a_mailbox_file_on_top_hides_no_header() {
        let rest = "A: b\r\nFrom : c@d.test\r\n\r\nFrom x\r\n";
        for role in [Role::Mx, Role::Submission, Role::Lmtp] {
            for line in ["From a@b.test Thu Nov 26 10:00:00 2026", ">From a@b.test", ">>From MAILER-DAEMON"] {
                let (one, named) = (format!("{line}\r\n"), format!("X-Mailbox-Line: {line}\r\n"));
                assert_eq!(settled(role, &format!("{one}{rest}")), Some(format!("{named}{rest}")), "{line}");
                assert_eq!(settled(role, &format!("{one}{one}{rest}")), Some(format!("{named}{named}{rest}")));
            }
            for field in ["From : c@d.test\r\n", "From \t: c@d.test\r\n"] {
                let message = format!("{field}A: b\r\n\r\nx\r\n");
                assert_eq!(settled(role, &message), Some(message));
            }
        }
        let within = "A: b\r\nFrom a@b.test\r\nC: d\r\n";
        assert_eq!(settled(Role::Mx, within), Some(within.replace("From a", "\r\nFrom a")));
    }

    #[test]
    fn a_header_is_as_large_as_is_sensible_and_a_body_as_large_as_it_likes() {
        let (fields, bytes) = (limits::SMTP_HEADER_FIELDS_MAX, limits::SMTP_HEADER_BYTES_MAX);
        for role in [Role::Mx, Role::Submission, Role::Lmtp] {
            for unit in ["a:\r\n", "a:\r\n b\r\n"] {
                let fits = format!("{}\r\n{}", unit.repeat(fields), unit.repeat(fields));
                assert_eq!(settled(role, &fits), Some(fits));
                assert_eq!(settled(role, &unit.repeat(fields + 1)), None);
            }
            let long = |count: usize| format!("a: {}\r\n{}\r\nx\r\n", "b".repeat(count), " c\r\n".repeat(1000));
            let fits = long(bytes - 4005);
            assert_eq!(settled(role, &fits), Some(fits));
            assert_eq!(settled(role, &long(bytes - 4004)), None);
            assert_eq!(settled(role, &format!("a: {}", "b".repeat(bytes))), None);
        }
        // What is text from its first line on has no header.
        let text = "no field\r\n".repeat(bytes / 10);
        assert_eq!(settled(Role::Mx, &text), Some(format!("\r\n{text}")));
    }

    #[test]
    fn a_nul_is_refused_and_a_last_line_is_ended() {
        for role in [Role::Mx, Role::Submission] {
            for nul in ["A: b\0\r\n\r\n", "A: b\r\n \0\r\n\r\n"] {
                assert_eq!(settled(role, nul), None, "{nul:?}");
            }
            assert_eq!(settled(role, "A: b\r\nC: d").as_deref(), Some("A: b\r\nC: d\r\n"));
        }
    }
}
