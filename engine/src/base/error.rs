//! What can go wrong in the engine, in words that name the thing and the way out. Never decides what a protocol answers.
use super::counted;
use std::fmt;
use std::io;
use std::sync::Arc;

/// The engine's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Cheap to clone: one failed group commit answers many callers.
#[derive(Clone, Debug)]
pub enum Error {
    /// Stored bytes contradict themselves. `offset` is in bytes from the start of `file`.
    Corrupt {
        /// The file's path, or the structure's name when it is in memory.
        file: String,
        /// Bytes from the start of the file.
        offset: u64,
        /// What was expected and what was found.
        what: String,
    },
    /// A call to the operating system failed.
    Io {
        /// What was tried, with the path.
        what: String,
        /// The cause.
        source: Arc<io::Error>,
    },
    /// The medium is full; nothing was changed, and the call may be repeated when there is space.
    NoSpace,
    /// The shard has closed itself after a failed write or sync; a restart replays its log.
    Latched {
        /// The first failure.
        reason: String,
    },
    /// The account has no room for the message.
    OverQuota {
        /// Bytes in the account now.
        used_bytes: u64,
        /// Bytes it may hold.
        quota_bytes_max: u64,
    },
    /// The account holds as many messages as it may.
    TooManyMessages {
        /// Messages in the account now.
        messages: u64,
        /// Messages it may hold.
        messages_max: u64,
    },
    /// The named thing does not exist.
    NotFound(String),
    /// The named thing exists already.
    Exists(String),
    /// The request makes no sense; the text says what is allowed.
    Invalid(String),
    /// A bound of `base/limits.rs` is reached; the text names it.
    Limit(String),
    /// The queue to the shard is full; try again soon.
    Busy,
    /// The engine is stopping.
    Closed,
}

impl Error {
    /// An I/O failure, or `NoSpace` when the medium is full (ENOSPC, EDQUOT).
    pub fn io(what: impl Into<String>, source: io::Error) -> Error {
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Error::NoSpace,
            _ => Error::Io { what: what.into(), source: Arc::new(source) },
        }
    }

    /// Stored bytes that contradict themselves.
    pub fn corrupt(file: impl Into<String>, offset: u64, what: impl Into<String>) -> Error {
        Error::Corrupt { file: file.into(), offset, what: what.into() }
    }

    /// Whether the same request may succeed later without anybody changing it (SMTP 4yz).
    pub fn is_transient(&self) -> bool {
        matches!(
            self,
            Error::NoSpace
                | Error::Latched { .. }
                | Error::Busy
                | Error::Closed
                | Error::Io { .. }
                | Error::Corrupt { .. }
        )
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Error::Corrupt { file, offset, what } => write!(f, "{file}: corrupt at byte {offset}: {what}"),
            Error::Io { what, source } => write!(f, "{what}: {source}"),
            Error::NoSpace => f.write_str("no space left on the data directory's file system"),
            Error::Latched { reason } => {
                write!(f, "the store has closed itself after a failure ({reason}); restart to replay the log")
            }
            Error::OverQuota { used_bytes, quota_bytes_max } => {
                write!(f, "quota exceeded: {used_bytes} of {quota_bytes_max} bytes used")
            }
            Error::TooManyMessages { messages, messages_max } => {
                write!(f, "quota exceeded: {messages} of {} held", counted(*messages_max, "message"))
            }
            Error::NotFound(what) => write!(f, "{what} does not exist"),
            Error::Exists(what) => write!(f, "{what} exists already"),
            Error::Invalid(what) | Error::Limit(what) => f.write_str(what),
            Error::Busy => f.write_str("the store is busy; try again"),
            Error::Closed => f.write_str("the store is stopping"),
        }
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Error::Io { source, .. } => Some(source.as_ref()),
            _ => None,
        }
    }
}
