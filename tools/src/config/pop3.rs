//! `[pop3]`: what becomes of fetched messages, with its defaults. docs/configuration.md explains the keys.
use super::check::{Wrong, within};
use super::values::words;
use posthouse_protocols::pop3::{Fetched, Policy};
use serde::Deserialize;

words!(
    /// `pop3.fetched`: what becomes of a message that a client has fetched and not deleted.
    FetchedChoice {
        /// It stays as it is.
        Keep = "keep",
        /// It stays, and is seen.
        Seen = "seen",
        /// It goes to Trash.
        Trash = "trash",
        /// It is removed.
        Delete = "delete",
    }
);

words!(
    /// `pop3.utf8`: who gets a message whose header is in UTF-8.
    Utf8Choice {
        /// Every client.
        Always = "always",
        /// Those that have said UTF8.
        Asked = "asked",
    }
);

/// `[pop3]`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pop3 {
    /// What becomes of a message that a client has fetched and not deleted.
    pub fetched: FetchedChoice,
    /// Days in INBOX before it goes to Trash or is removed.
    pub fetched_after_days: u32,
    /// Who gets a message whose header is in UTF-8.
    pub utf8: Utf8Choice,
}

impl Default for Pop3 {
    fn default() -> Pop3 {
        Pop3 { fetched: FetchedChoice::Keep, fetched_after_days: 0, utf8: Utf8Choice::Always }
    }
}

impl Pop3 {
    /// The same for who carries it out.
    pub(crate) fn policy(&self) -> Policy {
        let after_days = self.fetched_after_days;
        let fetched = match self.fetched {
            FetchedChoice::Keep => Fetched::Keep,
            FetchedChoice::Seen => Fetched::Seen,
            FetchedChoice::Trash => Fetched::Trash { after_days },
            FetchedChoice::Delete => Fetched::Delete { after_days },
        };
        Policy { fetched, refuses_utf8: self.utf8 == Utf8Choice::Asked }
    }
}

/// Ranges.
pub(super) fn check(pop3: &Pop3) -> Result<(), Wrong> {
    within("pop3.fetched_after_days", pop3.fetched_after_days.into(), 0..=3650)
}
