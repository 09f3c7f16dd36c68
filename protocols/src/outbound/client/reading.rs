//! Reads replies of hosts that we do not trust: bounded in time, lines and bytes. Judges no code.
use crate::dsn::Reply;
use crate::limits;
use crate::runtime::{Stream, timeout};
use crate::wire::{Line, LineReader};
use std::io;
use std::time::Duration;

/// Why there is no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The host has closed the connection, or the network has.
    Lost,
    /// Nothing came in time.
    TimedOut,
    /// What came is no SMTP.
    Garbage,
    /// It took too long, and others wait.
    Slow,
}

impl Broken {
    pub(super) fn of(error: &io::Error) -> Broken {
        if error.kind() == io::ErrorKind::TimedOut { Broken::TimedOut } else { Broken::Lost }
    }

    /// In words, for what was being done (RFC 3463: 4.4.2 bad connection, 4.5.0 protocol).
    pub(super) fn reply(self, doing: &str) -> Reply {
        match self {
            Broken::Lost => Reply::own("4.4.2", format!("the connection was lost {doing}")),
            Broken::TimedOut => Reply::own("4.4.2", format!("nothing was heard in time {doing}")),
            Broken::Slow => Reply::own("4.4.2", format!("the host was too slow {doing}, and other messages wait")),
            Broken::Garbage => Reply::own("4.5.0", format!("what was heard {doing} is no SMTP")),
        }
    }
}

/// The lines of one reply, without their code.
#[derive(Debug)]
pub(super) struct Lines {
    pub(super) code: u16,
    pub(super) lines: Vec<String>,
}

impl Lines {
    /// As one line; an enhanced status code is repeated on each and kept once.
    pub(super) fn joined(self) -> Reply {
        let mut lines = self.lines.into_iter();
        let first = lines.next().unwrap_or_default();
        let status = first.split(' ').next().unwrap_or_default().to_owned();
        let mut text = first;
        for line in lines {
            text.push(' ');
            text.push_str(line.strip_prefix(&status).filter(|_| status.contains('.')).unwrap_or(&line).trim_start());
        }
        Reply::heard(self.code, &text)
    }
}

/// The next reply, whole within `wait`.
pub(super) async fn reply(stream: &mut Stream, wait: Duration) -> Result<Lines, Broken> {
    timeout(wait, read(stream)).await.unwrap_or(Err(Broken::TimedOut))
}

async fn read(stream: &mut Stream) -> Result<Lines, Broken> {
    // Nothing can be smuggled by a reply: a host that ends its lines with LF alone is understood.
    let mut reader = LineReader::lenient(limits::OUTBOUND_LINE_BYTES_MAX);
    let mut reply = Lines { code: 0, lines: Vec::new() };
    loop {
        match reader.take(stream) {
            Some(Line::Text(line)) => {
                let (code, more, text) = parse(&line).ok_or(Broken::Garbage)?;
                reply.code = code;
                reply.lines.push(text);
                if !more {
                    return Ok(reply);
                }
                if reply.lines.len() >= limits::OUTBOUND_REPLY_LINES_MAX {
                    return Err(Broken::Garbage);
                }
            }
            Some(Line::TooLong) => return Err(Broken::Garbage),
            Some(Line::Closed) => return Err(Broken::Lost),
            None if reader.passed_over() > 0 => return Err(Broken::Garbage),
            None => match stream.fill().await {
                Ok(0) => return Err(Broken::Lost),
                Ok(_) => {}
                Err(error) => return Err(Broken::of(&error)),
            },
        }
    }
}

/// `250-text`, `250 text` or `250` (RFC 5321 section 4.2): code, whether more lines follow, text.
fn parse(line: &[u8]) -> Option<(u16, bool, String)> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !(b'2'..=b'5').contains(&digits[0]) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let code = digits.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0'));
    let (more, text) = match rest.split_first() {
        None => (false, &[][..]),
        Some((b' ', text)) => (false, text),
        Some((b'-', text)) => (true, text),
        Some(_) => return None,
    };
    Some((code, more, String::from_utf8_lossy(text).into_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_the_rfc_has_them() {
        assert_eq!(parse(b"250-a b"), Some((250, true, "a b".into())));
        assert_eq!(parse(b"354"), Some((354, false, String::new())));
        for wrong in [&b"25"[..], b"999 x", b"2x0 a", b"250x", b"", b"150 a"] {
            assert_eq!(parse(wrong), None, "{wrong:?}");
        }
        let lines = Lines { code: 550, lines: vec!["5.7.1 no".into(), "5.7.1 go away".into()] };
        assert_eq!(lines.joined().to_string(), "550 5.7.1 no go away");
    }
}
