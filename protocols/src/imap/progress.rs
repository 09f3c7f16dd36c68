//! What a long command does between its pieces: it tells the client that waits for it how far it has come (RFC 9585), and ends when there is no
//! client any more. Measures time, changes nothing.
use super::state::Session;
use super::table::Request;
use crate::limits;
use crate::runtime::{PeerState, now};
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

    /// To be asked between the pieces of a command that reads much and tells little meanwhile: its work is in vain when nobody hears the answer.
    /// A client that only sends nothing more may still read. One that has closed looks the same until it is sent something, which its kernel
    /// answers with a reset.
    ///
    /// # Errors
    /// The client is gone, or the connection lost.
    pub(super) async fn check_client(&mut self) -> io::Result<()> {
        match self.stream.peer_state() {
            PeerState::Gone => Err(io::ErrorKind::ConnectionReset.into()),
            PeerState::Ended if !self.hailed => {
                self.hailed = true;
                self.untagged("OK Still working");
                self.stream.flush().await
            }
            PeerState::Here | PeerState::Ended => Ok(()),
        }
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
