//! Tells a client that waits for a long command how far it has come (RFC 9585). Measures time, changes nothing.
use super::state::Session;
use super::table::Request;
use crate::limits;
use crate::runtime::now;
use std::io;
use std::time::Instant;

/// How far a command has come.
pub(super) struct Progress {
    tag: String,
    goal: usize,
    done: usize,
    told: Instant,
}

impl Session {
    /// A command begins that goes through `goal` messages.
    pub(super) fn progress(&self, request: &Request, goal: usize) -> Progress {
        Progress { tag: request.tag.clone(), goal, done: 0, told: now() }
    }
}

impl Progress {
    /// It has got past so many messages more.
    pub(super) fn passed(&mut self, messages: usize) {
        self.done = self.goal.min(self.done + messages);
    }

    /// Says so, if the client has heard nothing for a while.
    pub(super) async fn tell(&mut self, session: &mut Session) -> io::Result<()> {
        if now().duration_since(self.told) < limits::IMAP_PROGRESS_AFTER {
            return Ok(());
        }
        self.told = now();
        let mut line = b"* OK [INPROGRESS (".to_vec();
        super::out::string(&mut line, self.tag.as_bytes());
        line.extend_from_slice(format!(" {} {})] Still working\r\n", self.done, self.goal).as_bytes());
        session.stream.output().append(&mut line);
        session.stream.flush().await
    }
}
