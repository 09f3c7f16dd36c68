//! TOP (RFC 1939 section 7): a message's header, the empty line, and so many lines of its body.
use crate::pop3::answer::Answer;
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;
use crate::session::Work;
use memchr::memchr;

pub(in crate::pop3) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let Some([number, lines]) = request.numbers() else {
            return Ok(Answer::bad("A message number and a number of lines are expected"));
        };
        match session.message(number).await? {
            Ok(message) => {
                let size_bytes = top_bytes(&message, lines).await;
                session.send("+OK Top of message follows", message, size_bytes).await
            }
            Err(refusal) => Ok(refusal),
        }
    })
}

/// Bytes of the header, the empty line that ends it, and `lines` lines.
async fn top_bytes(message: &[u8], lines: u64) -> usize {
    let (mut line_start, mut left, mut work) = (0, None, Work::default());
    while let Some(lf) = memchr(b'\n', &message[line_start..]).map(|at| line_start + at) {
        left = match left {
            None if matches!(&message[line_start..lf], b"" | b"\r") => Some(lines),
            None => None,
            Some(left) => Some(left - 1),
        };
        work.did(lf + 1 - line_start).await;
        line_start = lf + 1;
        if left == Some(0) {
            return line_start;
        }
    }
    message.len()
}

#[cfg(test)]
mod tests {
    use super::top_bytes;
    use crate::runtime::sim;

    fn top(message: &'static [u8], lines: u64) -> &'static [u8] {
        &message[..sim::run(move |_| top_bytes(message, lines))]
    }

    #[test]
    fn header_and_lines() {
        let message = b"A: b\r\n c\r\n\r\n1\r\n\r\n3";
        assert_eq!(top(message, 0), b"A: b\r\n c\r\n\r\n");
        assert_eq!(top(message, 1), b"A: b\r\n c\r\n\r\n1\r\n");
        assert_eq!(top(message, 2), b"A: b\r\n c\r\n\r\n1\r\n\r\n");
        assert_eq!(top(message, 3), message);
        assert_eq!(top(message, u64::MAX), message);
    }

    #[test]
    fn messages_of_other_forms() {
        assert_eq!(top(b"", 1), b"");
        assert_eq!(top(b"A: b", 0), b"A: b");
        assert_eq!(top(b"A: b\r\n", 0), b"A: b\r\n");
        assert_eq!(top(b"\r\nbody\r\nmore", 0), b"\r\n");
        assert_eq!(top(b"\r\nbody\r\nmore", 1), b"\r\nbody\r\n");
        assert_eq!(top(b"A: b\n\n1\n2\n", 1), b"A: b\n\n1\n");
    }
}
