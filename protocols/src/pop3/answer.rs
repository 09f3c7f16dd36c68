//! How a command ends: `+OK` or `-ERR`, the response code (RFC 2449 section 8, RFC 3206) and text, and what the engine's errors become.
//! Never shows a path or an internal detail to a client.
use posthouse_engine::base::Error;
use std::borrow::Cow;

/// The answer to a command; the text begins with the response code if there is one, and has no line end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// `+OK`: done.
    Ok(Cow<'static, str>),
    /// `-ERR`: not done, though the command was well-formed.
    No(Cow<'static, str>),
    /// `-ERR`: not understood, or not allowed now.
    Bad(Cow<'static, str>),
    /// The command has written its answer itself.
    Written,
}

impl Answer {
    /// +OK with a text.
    pub(super) fn ok(text: impl Into<Cow<'static, str>>) -> Answer {
        Answer::Ok(text.into())
    }

    /// -ERR with a text.
    pub(super) fn no(text: impl Into<Cow<'static, str>>) -> Answer {
        Answer::No(text.into())
    }

    /// -ERR with a text, for what the client should not have sent.
    pub(super) fn bad(text: impl Into<Cow<'static, str>>) -> Answer {
        Answer::Bad(text.into())
    }

    /// What a failure of the engine becomes. The log has it in full.
    pub(super) fn refused(error: &Error) -> Answer {
        Answer::no(match error {
            Error::Busy => "[SYS/TEMP] The server is busy; try again",
            Error::Closed => "[SYS/TEMP] The server is shutting down",
            Error::NoSpace => "[SYS/TEMP] The server's disk is full; nothing was changed",
            _ if is_permanent(error) => {
                tracing::error!(%error, "pop3 command failed");
                "[SYS/PERM] Stored mail is damaged; the server's log tells more"
            }
            _ => {
                tracing::error!(%error, "pop3 command failed");
                "[SYS/TEMP] Internal error; the server's log tells more"
            }
        })
    }

    /// QUIT whose removal failed (RFC 1939 section 6).
    pub(super) fn not_removed(error: &Error) -> Answer {
        tracing::error!(%error, "pop3 removal failed");
        let code = if is_permanent(error) { "SYS/PERM" } else { "SYS/TEMP" };
        Answer::no(format!("[{code}] Some deleted messages were not removed"))
    }
}

/// RFC 3206 section 4: whether somebody has to mend it. A shard that has closed itself is mended by a restart.
fn is_permanent(error: &Error) -> bool {
    matches!(error, Error::Corrupt { .. })
}

impl From<Error> for Answer {
    fn from(error: Error) -> Answer {
        Answer::refused(&error)
    }
}
