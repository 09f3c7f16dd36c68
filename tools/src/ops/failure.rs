//! Why a request was not carried out, in a form that travels and that scripts can tell apart. Each kind has one exit code.
use posthouse_engine::base::Error;
use serde::{Deserialize, Serialize};
use std::fmt;

/// What sort of failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The store or the machine failed.
    Failed,
    /// The named thing does not exist.
    NotFound,
    /// The named thing exists already.
    Exists,
    /// A value or the whole request is not allowed.
    Refused,
    /// Another process has the data directory and does not answer.
    InUse,
    /// Busy or stopping: the same request may succeed later.
    TryAgain,
}

/// A failure with its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// For scripts.
    pub kind: Kind,
    /// For people: names the thing and the way out.
    pub text: String,
}

impl Failure {
    /// A failure of that kind.
    pub fn new(kind: Kind, text: impl Into<String>) -> Failure {
        Failure { kind, text: text.into() }
    }

    /// `what` does not exist.
    pub fn not_found(what: impl fmt::Display) -> Failure {
        Failure::new(Kind::NotFound, format!("{what} does not exist"))
    }

    /// Something that the machine did not do.
    pub fn io(what: impl fmt::Display, error: &std::io::Error) -> Failure {
        Failure::new(Kind::Failed, format!("{what}: {error}"))
    }

    /// The process's exit code (docs in `posthouse help`).
    pub fn exit_code(&self) -> u8 {
        match self.kind {
            Kind::Failed => 1,
            Kind::NotFound => 3,
            Kind::Exists => 4,
            Kind::Refused => 5,
            Kind::InUse => 6,
            Kind::TryAgain => 7,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Failure {
        let kind = match &error {
            Error::NotFound(_) => Kind::NotFound,
            Error::Exists(_) => Kind::Exists,
            Error::Invalid(_) | Error::Limit(_) | Error::OverQuota { .. } | Error::TooManyMessages { .. } => {
                Kind::Refused
            }
            Error::Busy | Error::Closed => Kind::TryAgain,
            _ => Kind::Failed,
        };
        Failure::new(kind, error.to_string())
    }
}
