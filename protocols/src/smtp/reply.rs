//! Replies: code, enhanced status code (RFC 3463) and a text for a person, and what the engine's errors become. Never shows a path or an
//! internal detail to a client.
use posthouse_engine::base::{Error, counted};
use std::borrow::Cow;

/// 512 bytes without `550 ` and CRLF.
const REPLY_TEXT_BYTES_MAX: usize = 506;

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

    /// As a client can read it: in UTF-8 if it has said SMTPUTF8 (RFC 6531 section 3.7.4.1), else up to what is not ASCII; with its code and its line end
    /// no longer than RFC 5321 section 4.5.3.1.5 allows.
    pub(super) fn readable(self, utf8: bool) -> Reply {
        let readable = |c: char| utf8 || c.is_ascii();
        let end = self.text.char_indices().find(|(at, c)| !readable(*c) || at + c.len_utf8() > REPLY_TEXT_BYTES_MAX);
        match end {
            None => self,
            Some((end, _)) => {
                let text = self.text[..end].trim_end_matches([' ', ':']).to_owned();
                Reply::new(self.code, text)
            }
        }
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
    fn what_a_client_cannot_read_is_left_out() {
        let readable = |text: &str, utf8| Reply::new(550, text.to_owned()).readable(utf8).text.into_owned();
        let text = "5.7.1 refused: \u{505c}\u{7528}";
        assert_eq!((readable(text, true), readable(text, false)), (text.into(), "5.7.1 refused".into()));
        assert_eq!(readable(&"\u{505c}".repeat(400), true).len(), 504);
        assert_eq!(readable(&"x".repeat(600), false).len(), REPLY_TEXT_BYTES_MAX);
    }

    #[test]
    fn replies_carry_no_line_ends() {
        let reply = Reply::refused(&Error::Invalid("a\r\n250 x\u{e9}".into()));
        assert_eq!(reply.text, "5.3.0 a??250 x?");
    }
}
