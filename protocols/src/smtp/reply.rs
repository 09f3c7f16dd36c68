//! Replies: code, enhanced status code (RFC 3463) and a text for a person, and what the engine's errors become. Never shows a path or an
//! internal detail to a client.
use posthouse_engine::base::{Error, counted};
use std::borrow::Cow;

/// One reply of one line. The text begins with the enhanced status code where RFC 2034 wants one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    pub(super) code: u16,
    pub(super) text: Cow<'static, str>,
}

impl Reply {
    pub(super) fn new(code: u16, text: impl Into<Cow<'static, str>>) -> Reply {
        Reply { code, text: text.into() }
    }

    /// 4yz: the client may try again.
    pub(super) fn is_transient(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// 4yz or 5yz.
    pub(super) fn is_error(&self) -> bool {
        self.code >= 400
    }

    pub(super) fn write(&self, out: &mut Vec<u8>) {
        write_line(out, self.code, b' ', &self.text);
    }

    /// What a failure of the engine becomes for one recipient or for a message.
    pub(super) fn refused(error: &Error) -> Reply {
        match error {
            Error::OverQuota { quota_bytes_max, .. } => {
                Reply::new(452, format!("4.2.2 Mailbox full: it may hold {quota_bytes_max} bytes"))
            }
            Error::TooManyMessages { messages_max, .. } => {
                let messages_max = counted(*messages_max, "message");
                Reply::new(452, format!("4.2.2 Mailbox full: it may hold {messages_max}"))
            }
            Error::NoSpace => Reply::new(452, "4.3.1 The server's disk is full; try again later"),
            Error::Busy => Reply::new(451, "4.3.2 The server is busy; try again"),
            Error::Closed => Reply::new(451, "4.3.2 The server is shutting down; try again"),
            Error::Limit(_) => Reply::new(552, format!("5.3.4 {}", one_line(error))),
            Error::NotFound(_) => Reply::new(550, "5.1.1 No such mailbox here any more"),
            Error::Exists(_) | Error::Invalid(_) => Reply::new(550, format!("5.3.0 {}", one_line(error))),
            Error::Latched { .. } | Error::Io { .. } | Error::Corrupt { .. } => {
                tracing::error!(%error, "a delivery failed");
                Reply::new(451, "4.3.0 Internal error; the server's log tells more")
            }
        }
    }
}

/// One line of a reply; `mark` is `-` when more follow (RFC 5321 section 4.2.1).
pub(super) fn write_line(out: &mut Vec<u8>, code: u16, mark: u8, text: &str) {
    out.extend_from_slice(&[b'0' + (code / 100) as u8, b'0' + (code / 10 % 10) as u8, b'0' + (code % 10) as u8, mark]);
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// An error's text as a reply line can carry it: printable ASCII, bounded (RFC 5321 section 4.5.3.1.5).
pub(super) fn one_line(error: &Error) -> String {
    printable(&error.to_string())
}

/// Text that a client has sent, as a reply line can carry it.
pub(super) fn printable(text: &str) -> String {
    text.chars().take(400).map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_are_lines() {
        let mut out = Vec::new();
        Reply::new(250, "2.0.0 Ok").write(&mut out);
        assert_eq!(out, b"250 2.0.0 Ok\r\n");
    }

    #[test]
    fn replies_carry_no_line_ends() {
        let reply = Reply::refused(&Error::Invalid("a\r\n250 x\u{e9}".into()));
        assert_eq!(reply.text, "5.3.0 a??250 x?");
    }
}
