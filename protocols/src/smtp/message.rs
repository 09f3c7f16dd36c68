//! Takes a message in, by DATA or by chunks, within the limits of one message and of all. Delivers nothing.
use super::driver::{data_deadline, message_end};
use super::reply::Reply;
use super::state::{Coming, Session};
use crate::runtime::Stream;
use crate::session::{Ended, Over, Room};
use crate::wire::{DotEnd, DotReader};
use posthouse_engine::Expected;
use std::io;
use std::time::Instant;

/// A message that has come whole.
pub(super) struct Taken {
    pub(super) message: Vec<u8>,
    /// Held until the store has taken it over.
    pub(super) room: Room,
    /// Held until its delivery has been asked for.
    pub(super) expected: Expected,
}

/// How taking it in ended.
pub(super) enum Intake {
    Whole(Taken),
    /// It has come to its end and is refused.
    Refused(Reply),
    /// The session is over before it came whole.
    Over(Over),
}

impl Session {
    /// Reads mail data up to its final dot; what is refused is read to its end all the same.
    pub(super) async fn take_data(&mut self) -> io::Result<Intake> {
        let mut reader = DotReader::new(self.shared.message_size_bytes_max);
        let (end, expected) = (message_end(), self.shared.engine.expect());
        let mut coming = self.message_begins();
        loop {
            let step = reader.step(self.stream.buffered(), &mut coming.message);
            self.stream.consume(step.consumed);
            coming.make_room(0);
            if coming.refusal.is_some() {
                // Nothing of it is needed any more: memory stays bounded while the rest is read.
                coming.message = Vec::new();
            } else if reader.too_big() {
                coming.refuse(too_big(self.shared.message_size_bytes_max));
            }
            if let Some(ended) = step.end {
                let Coming { message, room, refusal } = coming;
                return Ok(match refusal.or_else(|| self.judge(&ended)) {
                    Some(reply) => Intake::Refused(reply),
                    None => Intake::Whole(Taken { message, room, expected }),
                });
            }
            if let Some(over) = coming.wait(&mut self.stream, data_deadline(end)).await? {
                return Ok(Intake::Over(over));
            }
        }
    }

    /// Nothing of a message is there yet.
    pub(super) fn message_begins(&self) -> Coming {
        let share = self.shared.budget.share_of(self.stream.peer().ip());
        Coming { message: Vec::new(), room: Room::new(share), refusal: None }
    }

    /// Why the message that ended so is refused.
    pub(super) fn judge(&self, end: &DotEnd) -> Option<Reply> {
        if end.too_big {
            return Some(too_big(self.shared.message_size_bytes_max));
        }
        if end.bare_line_end && self.role.refuses_bare_line_ends() {
            return Some(bare_line_end());
        }
        None
    }
}

impl Coming {
    /// Makes room for what has come and `more` bytes; without it the message is refused.
    pub(super) fn make_room(&mut self, more: usize) {
        if self.refusal.is_none() && !self.room.hold((self.message.len() + more) as u64) {
            self.refuse(crowded());
        }
    }

    /// Keeps nothing of it from now on. The first reason counts.
    pub(super) fn refuse(&mut self, reply: Reply) {
        self.refusal.get_or_insert(reply);
        self.message = Vec::new();
        self.room.release();
    }

    /// Waits for more of it; says why when nothing more comes. One that comes too slowly while memory is short is refused from then on.
    pub(super) async fn wait(&mut self, stream: &mut Stream, deadline: Instant) -> io::Result<Option<Over>> {
        loop {
            match self.room.wait(stream, deadline).await? {
                None => return Ok(None),
                Some(Ended::Over(over)) => return Ok(Some(over)),
                Some(Ended::TooSlow) => self.refuse(too_slow()),
            }
        }
    }
}

pub(super) fn too_big(size_bytes_max: u64) -> Reply {
    Reply::new(552, format!("5.3.4 The message is too big; {size_bytes_max} bytes are allowed"))
}

fn crowded() -> Reply {
    Reply::new(452, "4.3.1 Too many messages are under way; try again")
}

fn too_slow() -> Reply {
    Reply::new(452, "4.3.1 Too many messages are under way and this one comes in too slowly; try again")
}

pub(super) fn bare_line_end() -> Reply {
    Reply::new(550, "5.6.11 A CR or LF alone is in the message; lines end with CRLF (RFC 5321 section 2.3.8)")
}

/// The header of a message, up to its first empty line.
pub(super) fn header(message: &[u8]) -> &[u8] {
    memchr::memmem::find(message, b"\r\n\r\n").map_or(message, |end| &message[..end + 2])
}

/// Whether a CR or LF stands alone.
pub(crate) fn has_bare_line_end(message: &[u8]) -> bool {
    memchr::memchr2_iter(b'\r', b'\n', message).any(|at| match message[at] {
        b'\r' => message.get(at + 1) != Some(&b'\n'),
        _ => at == 0 || message[at - 1] != b'\r',
    })
}

#[cfg(test)]
mod tests {
    use super::has_bare_line_end;

    #[test]
    fn bare_line_ends_are_seen() {
        for bare in [&b"a\nb"[..], b"\n", b"a\r", b"a\rb\r\n", b"a\r\r\n", b"a\r\n\n"] {
            assert!(has_bare_line_end(bare), "{bare:?}");
        }
        for whole in [&b""[..], b"a", b"a\r\nb", b"\r\n\r\n"] {
            assert!(!has_bare_line_end(whole), "{whole:?}");
        }
    }
}
