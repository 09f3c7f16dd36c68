//! On what terms a message is to be carried, as its sender has asked with MAIL: when, how soon, how urgently, and whether its lines are lines.
use crate::base::bytes::{DecodeError, Put, Reader};

/// The tags of their pieces in a queue item (docs/format.md, "Queue item").
const HELD: u8 = 3;
const DELIVER_BY: u8 = 4;
const PRIORITY: u8 = 5;
const BINARY: u8 = 6;

/// Of the deliver-by byte: the message is returned, rather than its delay told.
const RETURN: u8 = 1;
/// Of the deliver-by byte: it is traced.
const TRACE: u8 = 2;

/// The highest priority; the lowest is its negative (RFC 6710 section 5).
pub const PRIORITY_MAX: i8 = 9;

/// See above. The default is what holds for a message without any parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    /// Not tried before, seconds since 1970 UTC (RFC 4865); 0: at once.
    pub hold_until: i64,
    /// When it is to be there (RFC 2852).
    pub deliver_by: Option<DeliverBy>,
    /// From -9 to 9; the higher goes first (RFC 6710).
    pub priority: i8,
    /// Its body is bytes, not lines: it came with BODY=BINARYMIME (RFC 3030).
    pub binary: bool,
}

/// By when a message is to be delivered, and what happens if it is not (RFC 2852 section 3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DeliverBy {
    /// Seconds since 1970 UTC.
    pub at: i64,
    /// It goes back then; else its sender is told of the delay, and it is tried on.
    pub returns: bool,
    /// Each host on its way is to report that it has passed it on.
    pub trace: bool,
}

impl Terms {
    /// What of them is about the message itself: for a copy that goes on in somebody else's name.
    pub fn of_content(self) -> Terms {
        Terms { priority: self.priority, binary: self.binary, ..Terms::default() }
    }

    /// What mail about the message is carried by (RFC 6710 section 4.6).
    #[must_use]
    pub fn of_report(self) -> Terms {
        Terms { priority: self.priority, ..Terms::default() }
    }

    /// How many pieces `encode` writes.
    pub(super) fn pieces(&self) -> u64 {
        let given = [self.hold_until != 0, self.deliver_by.is_some(), self.priority != 0, self.binary];
        given.into_iter().filter(|given| *given).count() as u64
    }

    /// Appends a piece, its tag first, for each that is given.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        if self.hold_until != 0 {
            out.put_u8(HELD);
            out.put_i64(self.hold_until);
        }
        if let Some(DeliverBy { at, returns, trace }) = self.deliver_by {
            out.put_u8(DELIVER_BY);
            out.put_i64(at);
            out.put_u8(if returns { RETURN } else { 0 } | if trace { TRACE } else { 0 });
        }
        if self.priority != 0 {
            out.put_u8(PRIORITY);
            out.put_u8((self.priority.clamp(-PRIORITY_MAX, PRIORITY_MAX) + PRIORITY_MAX) as u8);
        }
        if self.binary {
            out.put_u8(BINARY);
        }
    }

    /// Reads the piece of `tag`; false when the tag is none of theirs.
    pub(super) fn read_piece(&mut self, tag: u8, reader: &mut Reader<'_>) -> Result<bool, DecodeError> {
        match tag {
            HELD => self.hold_until = reader.i64()?,
            DELIVER_BY => {
                let (at, code) = (reader.i64()?, reader.u8()?);
                if code & !(RETURN | TRACE) != 0 {
                    return reader.error("a deliver-by mode of 0 to 3 expected before this byte");
                }
                self.deliver_by = Some(DeliverBy { at, returns: code & RETURN != 0, trace: code & TRACE != 0 });
            }
            PRIORITY => match i8::try_from(reader.u8()?) {
                Ok(code) if code <= 2 * PRIORITY_MAX => self.priority = code - PRIORITY_MAX,
                _ => return reader.error("a priority of 0 to 18 expected before this byte"),
            },
            BINARY => self.binary = true,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::super::{NewQueueItem, Queue, QueueState};
    use super::*;
    use crate::base::{Guid, Locator, QueueId};
    use crate::format::Event;

    fn written(terms: Terms) -> Vec<u8> {
        let item = NewQueueItem { sender: "s@y.test".into(), terms, ..NewQueueItem::default() };
        let mut out = Vec::new();
        item.encode(&mut out);
        assert_eq!(NewQueueItem::decode(&mut Reader::new(&out)).as_ref(), Ok(&item));
        out
    }

    #[test]
    fn terms_come_back_and_an_item_without_any_is_as_it_always_was() {
        let none = written(Terms::default());
        assert_eq!(none[none.len() - 2..], [0, 0], "RET without more, no ENVID");
        let by = |returns, trace| Some(DeliverBy { at: 1_795_492_300, returns, trace });
        for terms in [
            Terms { hold_until: 1_795_492_300, ..Terms::default() },
            Terms { deliver_by: by(true, false), ..Terms::default() },
            Terms { deliver_by: by(false, true), priority: -9, ..Terms::default() },
            Terms { hold_until: 1, deliver_by: by(true, true), priority: 9, binary: true },
        ] {
            assert!(written(terms).len() > none.len(), "{terms:?}");
        }
    }

    /// A start folds the event again, or reads the checkpoint: both say when it goes.
    #[test]
    fn what_is_held_waits_for_its_time() {
        for (hold_until, state, next_try) in [(500, QueueState::Deferred, 500), (99, QueueState::Active, 100)] {
            let item = written(Terms { hold_until, ..Terms::default() });
            let (id, guid, locator) = (QueueId(65_536), Guid::default(), Locator::default());
            let mut queue = Queue::default();
            let event = Event::Queued { id, guid, locator, size_bytes: 9, created: 100, item };
            queue.apply(&event).expect("it fits");
            let item = queue.get(id).expect("it is there");
            assert_eq!((item.state, item.next_try, item.begins()), (state, next_try, next_try));
            assert_eq!(Queue::decode(&mut Reader::new(&queue.encode())), Ok(queue));
        }
    }

    #[test]
    fn what_no_writer_writes_is_refused() {
        let plain = written(Terms { priority: 9, ..Terms::default() });
        let (last, start) = plain.split_last().expect("bytes");
        assert_eq!(*last, 18);
        let read = |code: u8| NewQueueItem::decode(&mut Reader::new(&[start, &[code]].concat()));
        assert_eq!(read(0).map(|item| item.terms.priority), Ok(-9));
        assert!(read(19).is_err() && read(255).is_err());
        let by = DeliverBy { at: 0, returns: true, trace: true };
        let mut by = written(Terms { deliver_by: Some(by), ..Terms::default() });
        *by.last_mut().expect("bytes") = 4;
        assert!(NewQueueItem::decode(&mut Reader::new(&by)).is_err());
    }
}
