//! How long one session may go on with commands that its client has pipelined: what is answered is sent in bounded pieces, and other sessions
//! have their turn in between; and how long one command may. Knows no command.
use crate::limits;
use crate::runtime::{Stream, yield_now};
use std::io;

/// Work that a session has done since others had their turn: bytes gone through, or what takes as long.
#[derive(Debug, Default)]
pub struct Work(usize);

impl Work {
    /// Counts work after which [`Work::pause`] comes before long.
    pub fn count(&mut self, bytes: usize) {
        self.0 += bytes;
    }

    /// Others have their turn if enough has been counted.
    pub async fn pause(&mut self) {
        if self.0 >= limits::WORK_PER_TURN_BYTES {
            self.0 = 0;
            yield_now().await;
        }
    }

    /// To be called after each piece of work.
    pub async fn did(&mut self, bytes: usize) {
        self.count(bytes);
        self.pause().await;
    }
}

/// Commands that one session has run since others had their turn.
#[derive(Debug, Default)]
pub struct Turn(usize);

impl Turn {
    /// To be called after each command.
    ///
    /// # Errors
    /// Those of [`Stream::flush`].
    pub async fn after_command(&mut self, stream: &mut Stream) -> io::Result<()> {
        stream.flush_if_large().await?;
        self.0 += 1;
        if self.0.is_multiple_of(limits::COMMANDS_PER_TURN) {
            yield_now().await;
        }
        Ok(())
    }
}
