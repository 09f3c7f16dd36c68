//! Looks over an item's bytes without making it: a start with a million of them, and who asks for their times alone, need no more. Takes and refuses the same
//! bytes as `QueueItem::decode`.
use super::chunk::{CHUNK_ITEMS_MAX, Chunk, Open, PLAIN_BYTES_MAX};
use super::codec::{ARRIVAL, MORE, ORIGIN, PASSED, PROGRESS, TLS, WARNED};
use super::{Arrival, Fate, QueueItem, QueueState, Terms, TlsDemand};
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{Guid, QueueId};
use std::sync::Arc;

/// What is seen of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    pub(super) id: QueueId,
    pub(super) state: QueueState,
    pub(super) next_try: i64,
    pub(super) origin: Option<Guid>,
}

impl Seen {
    pub(super) fn of(item: &QueueItem) -> Seen {
        Seen { id: item.id, state: item.state, next_try: item.next_try, origin: item.item.origin }
    }

    /// Reads an item as a checkpoint has it, behind its number.
    pub(super) fn read_after(id: QueueId, reader: &mut Reader<'_>) -> Result<Seen, DecodeError> {
        let (state, has_progress, next_try) = head(reader)?;
        let (recipients, origin) = item(reader)?;
        if has_progress {
            (0..recipients).try_for_each(|_| progress(reader))?;
        }
        Ok(Seen { id, state, next_try, origin })
    }
}

/// State, whether progress follows, and when it is to be tried next, of an item's bytes behind its number.
fn head(reader: &mut Reader<'_>) -> Result<(QueueState, bool, i64), DecodeError> {
    reader.take(16)?;
    for _ in 0..3 {
        reader.varint_u32()?;
    }
    let code = reader.u8()?;
    let Some(state) = QueueState::from_code(code & !PROGRESS) else {
        return reader.error("a queue state of 0 to 2 expected before this byte");
    };
    reader.i64()?;
    Ok((state, code & PROGRESS != 0, reader.i64()?))
}

/// An item's number, state and next try, of bytes that were read before.
pub(super) fn time_of(bytes: &[u8]) -> Option<(QueueId, QueueState, i64)> {
    let mut reader = Reader::new(bytes);
    let id = reader.varint().ok()?;
    head(&mut reader).ok().map(|(state, _, next_try)| (QueueId(id), state, next_try))
}

/// The item as it was handed in: how many recipients it has, and its origin.
fn item(reader: &mut Reader<'_>) -> Result<(usize, Option<Guid>), DecodeError> {
    reader.varint()?;
    reader.str()?;
    let recipients = reader.count()?;
    for _ in 0..recipients {
        reader.str()?;
        reader.u8()?;
        reader.str()?;
    }
    let code = reader.u8()?;
    reader.str()?;
    let (mut origin, mut terms) = (None, Terms::default());
    for _ in 0..if code & MORE == 0 { 0 } else { reader.count()? } {
        match reader.u8()? {
            PASSED => (0..reader.count()?).try_for_each(|_| reader.str().map(drop))?,
            TLS if TlsDemand::from_code(reader.u8()?).is_none() => {
                return reader.error("a demand for TLS of 1 or 2 expected before this byte");
            }
            TLS => {}
            ARRIVAL => drop(Arrival::decode(reader)?),
            ORIGIN => origin = Some(Guid(reader.array()?)),
            tag => {
                if !terms.read_piece(tag, reader)? {
                    return reader.error("a tag that is known expected before this byte");
                }
            }
        }
    }
    Ok((recipients, origin))
}

fn progress(reader: &mut Reader<'_>) -> Result<(), DecodeError> {
    if Fate::from_code(reader.u8()? & !WARNED).is_none() {
        return reader.error("a recipient's fate of 0 to 2 expected before this byte");
    }
    reader.varint_u32()?;
    reader.i64()?;
    reader.str().map(drop)
}

/// Bytes of items that follow each other, to become a chunk without being made.
#[derive(Default)]
pub(super) struct Gathered {
    first: QueueId,
    count: usize,
    plain: Vec<u8>,
    ends: Vec<u8>,
}

impl Gathered {
    /// Whether an item of so many bytes may come behind what there is.
    pub(super) fn takes(&self, bytes: usize) -> bool {
        self.count == 0 || self.count < CHUNK_ITEMS_MAX && self.plain.len() + bytes + 4 * self.count < PLAIN_BYTES_MAX
    }

    pub(super) fn push(&mut self, id: QueueId, bytes: &[u8]) {
        if self.count == 0 {
            self.first = id;
        }
        self.count += 1;
        self.plain.extend_from_slice(bytes);
        self.ends.put_u32(self.plain.len() as u32);
    }

    /// The chunk, packed if that can be and is wished; nothing is left here.
    pub(super) fn take(&mut self, packed: bool) -> Result<Option<Chunk>, DecodeError> {
        let Gathered { first, count, mut plain, ends, .. } = std::mem::take(self);
        if count == 0 {
            return Ok(None);
        }
        if packed {
            let items_bytes = plain.len();
            plain.extend_from_slice(&ends);
            if let Some(chunk) = Chunk::of_plain(first, count, items_bytes, &plain) {
                return Ok(Some(chunk));
            }
            plain.truncate(items_bytes);
        }
        let mut reader = Reader::new(&plain);
        let items: Open = (0..count).map(|_| QueueItem::decode(&mut reader).map(Arc::new)).collect::<Result<_, _>>()?;
        Ok(Some(Chunk::of(items)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::{AccountId, Locator};
    use crate::queue::{DeliverBy, NewQueueItem, Progress, QueueRecipient};
    use proptest::prelude::*;

    fn bytes(which: u8) -> Vec<u8> {
        let recipient = |at: u8| QueueRecipient { address: format!("r{at}@x.test"), notify: 2, orcpt: String::new() };
        let has = |bit: u8| which >> bit & 1 == 1;
        let by = DeliverBy { at: 9, returns: true, trace: false };
        let item = NewQueueItem {
            account: Some(AccountId(300)),
            sender: "s@y.test".into(),
            recipients: (0..which % 3).map(recipient).collect(),
            passed: if has(0) { vec!["ann@z.test".into()] } else { Vec::new() },
            tls: if has(1) { TlsDemand::Required } else { TlsDemand::Usual },
            terms: Terms { deliver_by: has(2).then_some(by), priority: i8::from(has(3)), ..Terms::default() },
            arrival: has(4).then(Box::default),
            origin: has(5).then_some(Guid([7; 16])),
            ..NewQueueItem::default()
        };
        let begun = Progress { attempts: u32::from(has(6)), reply: "450 later".into(), ..Progress::default() };
        let item = QueueItem {
            id: QueueId(70_000),
            progress: vec![begun; item.recipients.len()],
            item: Arc::new(item),
            guid: Guid([3; 16]),
            locator: Locator::default(),
            size_bytes: 300,
            state: QueueState::Deferred,
            created: 5,
            next_try: 6,
        };
        let mut out = Vec::new();
        item.encode(&mut out);
        out
    }

    proptest! {
        /// Else a start would take what brings it down later.
        #[test]
        fn what_is_looked_over_is_what_can_be_made(which: u8, change in prop::option::of((any::<prop::sample::Index>(), any::<u8>())), cut in prop::option::of(any::<prop::sample::Index>())) {
            let mut bytes = bytes(which);
            if let Some((at, byte)) = change {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            if let Some(cut) = cut {
                bytes.truncate(cut.index(bytes.len()));
            }
            let (mut seen, mut made) = (Reader::new(&bytes), Reader::new(&bytes));
            let looked = seen.varint().and_then(|id| Seen::read_after(QueueId(id), &mut seen));
            match QueueItem::decode(&mut made) {
                Ok(item) => {
                    prop_assert_eq!(looked, Ok(Seen::of(&item)));
                    prop_assert_eq!(seen.position(), made.position());
                    prop_assert_eq!(time_of(&bytes), Some((item.id, item.state, item.next_try)));
                }
                Err(_) => prop_assert!(looked.is_err()),
            }
        }
    }
}
