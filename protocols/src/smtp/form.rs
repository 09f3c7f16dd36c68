//! Whether everybody will read the same fields in a message's header: the one place that judges its form, before anything else reads it. A line
//! that is no field ends the header for some readers and is passed over by others, so what stands below it would be shown by one and judged by
//! nobody. Knows no field.
use super::reply::Reply;
use super::role::Role;
use memchr::memchr;

/// Where readers would part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flaw {
    /// The line there, counted from 1, is neither a field (RFC 5322 section 2.2) nor the rest of one.
    NoField { at: usize, line: usize },
    /// Readers in C take a NUL for the end.
    Nul { line: usize },
    /// The message ends within a line of its header.
    Unended,
}

/// Makes sure that the header ends where all who read it see its end. What a host sends is mended as Sendmail and Postfix do: an empty line goes
/// before the first line that is no field. A member's program is told. The server in front of LMTP has judged that already.
pub(super) fn settle(role: Role, message: &mut Vec<u8>) -> Result<(), Reply> {
    let flaw = flaw(message).filter(|_| role != Role::Lmtp);
    match flaw {
        None => {}
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

fn flaw(message: &[u8]) -> Option<Flaw> {
    let mut at = 0;
    for count in 1.. {
        let rest = &message[at..];
        let line = memchr(b'\n', rest).map_or(rest, |lf| &rest[..=lf]);
        if matches!(line, b"" | b"\r\n" | b"\n") {
            break;
        }
        let continues = matches!(line[0], b' ' | b'\t') && at > 0;
        if !continues && !begins_field(line) {
            return Some(Flaw::NoField { at, line: count });
        }
        if memchr(0, line).is_some() {
            return Some(Flaw::Nul { line: count });
        }
        if !line.ends_with(b"\n") {
            return Some(Flaw::Unended);
        }
        at += line.len();
    }
    None
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
            "From a@b.test Thu Nov 26 10:00:00 2026",
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
    fn a_nul_is_refused_and_a_last_line_is_ended() {
        for role in [Role::Mx, Role::Submission] {
            for nul in ["A: b\0\r\n\r\n", "A: b\r\n \0\r\n\r\n"] {
                assert_eq!(settled(role, nul), None, "{nul:?}");
            }
            assert_eq!(settled(role, "A: b\r\nC: d").as_deref(), Some("A: b\r\nC: d\r\n"));
        }
    }
}
