//! How a command ends: the tagged line's condition, response code (RFC 3501 section 7.1, RFC 5530) and text, and what the engine's
//! errors become. Never shows a path or an internal detail to a client.
use super::args::Wrong;
use super::out::human_bytes;
use posthouse_engine::base::{Error, counted};
use std::borrow::Cow;
use std::io;

/// The tagged response of a command; the text begins with the response code if there is one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Done.
    Ok(Cow<'static, str>),
    /// Not done, though the command was well-formed.
    No(Cow<'static, str>),
    /// Not understood, or not allowed now.
    Bad(Cow<'static, str>),
    /// The command has written its tagged line itself.
    Written,
}

impl Answer {
    /// OK with a text.
    pub(super) fn ok(text: impl Into<Cow<'static, str>>) -> Answer {
        Answer::Ok(text.into())
    }

    /// NO with a text.
    pub(super) fn no(text: impl Into<Cow<'static, str>>) -> Answer {
        Answer::No(text.into())
    }

    /// BAD with a text.
    pub(super) fn bad(text: impl Into<Cow<'static, str>>) -> Answer {
        Answer::Bad(text.into())
    }

    /// What a failure of the engine becomes. What only the operator can mend goes to the log in full and to the client in general.
    pub(super) fn refused(error: &Error) -> Answer {
        Answer::no(match error {
            Error::OverQuota { used_bytes, quota_bytes_max } => format!(
                "[OVERQUOTA] Quota exceeded: {} of {} used",
                human_bytes(*used_bytes),
                human_bytes(*quota_bytes_max)
            ),
            Error::TooManyMessages { messages, messages_max } => {
                let messages_max = counted(*messages_max, "message");
                format!("[OVERQUOTA] Quota exceeded: {messages} of {messages_max} held")
            }
            Error::NotFound(_) => format!("[NONEXISTENT] {}", one_line(error)),
            Error::Exists(_) => format!("[ALREADYEXISTS] {}", one_line(error)),
            Error::Invalid(_) => format!("[CANNOT] {}", one_line(error)),
            Error::Limit(_) => format!("[LIMIT] {}", one_line(error)),
            Error::Busy => "[LIMIT] The server is busy; try again".into(),
            Error::Closed => "[UNAVAILABLE] The server is shutting down".into(),
            Error::NoSpace => "[UNAVAILABLE] The server's disk is full; nothing was changed".into(),
            Error::Latched { .. } | Error::Io { .. } | Error::Corrupt { .. } => {
                tracing::error!(%error, "imap command failed");
                "[UNAVAILABLE] Internal error; the server's log tells more".into()
            }
        })
    }
}

/// An error's text as a response line can carry it (RFC 3501 section 9, text): printable ASCII only.
fn one_line(error: &Error) -> String {
    let text = error.to_string();
    text.chars().map(|c| if matches!(c, ' '..='~') { c } else { '?' }).collect()
}

/// Why a command ends before its end.
#[derive(Debug)]
pub(super) enum Fail {
    /// The connection is lost.
    Io(io::Error),
    /// This is the answer.
    Answer(Answer),
}

/// What a command comes to.
pub(super) type Done = Result<Answer, Fail>;

impl From<io::Error> for Fail {
    fn from(error: io::Error) -> Fail {
        Fail::Io(error)
    }
}

impl From<Answer> for Fail {
    fn from(answer: Answer) -> Fail {
        Fail::Answer(answer)
    }
}

impl From<Wrong> for Fail {
    fn from(wrong: Wrong) -> Fail {
        Fail::Answer(wrong.into())
    }
}

impl From<Error> for Fail {
    fn from(error: Error) -> Fail {
        Fail::Answer(error.into())
    }
}

impl From<Error> for Answer {
    fn from(error: Error) -> Answer {
        Answer::refused(&error)
    }
}
