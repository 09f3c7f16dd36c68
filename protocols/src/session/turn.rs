//! How long one session may go on with commands that its client has pipelined: what is answered is sent in bounded pieces, and other sessions
//! have their turn in between. Knows no command.
use crate::limits;
use crate::runtime::{Stream, yield_now};
use std::io;

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
