//! Room in memory for a message that is coming in, and the pace at which it has to come while memory is short: a few slow senders must not
//! hold all there is. Words no answer.
use super::{Over, Share, wait_for_bytes};
use crate::limits;
use crate::runtime::{Stream, now};
use std::io;
use std::time::Instant;

/// What one message holds, and how fast it has been coming in lately.
#[derive(Debug)]
pub struct Room {
    share: Share,
    looked: Instant,
    /// Bytes that have come since.
    came_bytes: u64,
}

/// Why a message that is coming in is not waited for any longer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The session is over.
    Over(Over),
    /// It came too slowly for the room that it held; the room has been given back.
    TooSlow,
}

impl Room {
    /// Works on reactor threads only.
    pub fn new(share: Share) -> Room {
        Room { share, looked: now(), came_bytes: 0 }
    }

    /// Makes sure that the message may have `size_bytes`; false when too much is under way.
    pub fn hold(&mut self, size_bytes: u64) -> bool {
        let was_free = self.share.is_free();
        let held = self.share.hold(size_bytes);
        if was_free && !self.share.is_free() {
            // What was free might come as slowly as it liked.
            (self.looked, self.came_bytes) = (now(), 0);
        }
        held
    }

    /// Gives the room back: the message is not kept.
    pub fn release(&mut self) {
        self.share.release();
    }

    /// Sends what is to be sent, then waits for more bytes; says why when no more are waited for.
    ///
    /// # Errors
    /// Any error of the connection.
    pub async fn wait(&mut self, stream: &mut Stream, deadline: Instant) -> io::Result<Option<Ended>> {
        loop {
            let look = self.looked + limits::INTAKE_WINDOW;
            let until = if self.share.is_free() { deadline } else { deadline.min(look) };
            let before = stream.buffered().len();
            let over = wait_for_bytes(stream, until).await?;
            self.came_bytes += (stream.buffered().len() - before) as u64;
            match over {
                Some(Over::TimedOut) if now() < deadline => {}
                Some(over) => return Ok(Some(Ended::Over(over))),
                None => {}
            }
            if self.is_too_slow() {
                self.share.release();
                return Ok(Some(Ended::TooSlow));
            }
            if over.is_none() {
                return Ok(None);
            }
        }
    }

    fn is_too_slow(&mut self) -> bool {
        let passed = now().saturating_duration_since(self.looked);
        if passed < limits::INTAKE_WINDOW {
            return false;
        }
        let needed = self.share.rate_min().saturating_mul(passed.as_secs());
        let came = std::mem::take(&mut self.came_bytes);
        self.looked = now();
        came < needed
    }
}
