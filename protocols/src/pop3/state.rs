//! What one connection knows: the name it has given, the maildrop it has opened. Holds nothing that grows with the maildrop but a bit a
//! message, and that only once something is deleted.
use super::answer::Answer;
use super::maildrop::Maildrop;
use super::policy::Policy;
use crate::limits;
use crate::runtime::{Stream, now};
use crate::session::{Seat, Shared};
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

/// One connection.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) policy: Policy,
    pub(super) stream: Stream,
    /// What USER has said, for the PASS that follows it.
    pub(super) name: Option<Box<str>>,
    /// The client has said that it understands UTF-8 (RFC 6856 section 2.1).
    pub(super) utf8: bool,
    /// The open maildrop: with it the session is in the TRANSACTION state, without it in AUTHORIZATION.
    pub(super) maildrop: Option<Box<Maildrop>>,
    /// The account's place for this connection, from login on.
    pub(super) seat: Option<Seat>,
    /// When a client that has not logged in is sent away.
    pub(super) login_deadline: Instant,
    /// Logins that failed.
    pub(super) failed_logins: u32,
    /// Commands in a row that were not understood or not allowed.
    pub(super) bad: u32,
    /// The session ends after this command.
    pub(super) ended: bool,
}

/// A command under way; boxed, so that a session that waits holds nothing of it.
pub(super) type Running<'s> = Pin<Box<dyn Future<Output = io::Result<Answer>> + 's>>;

impl Session {
    /// The time until which the next command must have come.
    pub(super) fn input_deadline(&self) -> Instant {
        if self.maildrop.is_some() { now() + limits::POP3_IDLE_MAX } else { self.login_deadline }
    }

    /// Whether this client may send a password now.
    pub(super) fn may_log_in(&self) -> bool {
        self.shared.may_authenticate(self.stream.is_tls(), self.stream.peer().ip())
    }

    /// Whether STLS can be given now.
    pub(super) fn may_start_tls(&self) -> bool {
        self.shared.tls.is_some() && !self.stream.is_tls() && self.maildrop.is_none()
    }

    /// Writes a line and its CRLF.
    pub(super) fn say(&mut self, line: &str) {
        let out = self.stream.output();
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// The maildrop, for commands that the table lets through only after login.
    pub(super) fn opened(&mut self) -> Result<&mut Maildrop, Answer> {
        self.maildrop.as_deref_mut().ok_or_else(|| Answer::bad("Log in first"))
    }
}
