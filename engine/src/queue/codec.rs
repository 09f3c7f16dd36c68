//! Queue items as bytes: in the `Queued` event and in a checkpoint's queue section (docs/format.md, "Queue item").
use super::skim::{Gathered, Seen};
use super::{Arrival, Fate, NewQueueItem, Progress, Queue, QueueItem, QueueRecipient, QueueState, TlsDemand};
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{AccountId, Guid, Locator, QueueId, SegmentId};
use std::sync::Arc;

/// Of the RET byte: the message was submitted with SMTPUTF8.
const UTF8: u8 = 4;
/// Of the RET byte: more of the item follows, each piece with a tag.
pub(super) const MORE: u8 = 8;
/// The tag of the addresses that have sent a copy on.
pub(super) const PASSED: u8 = 1;
/// The tag of what its sender demands of TLS.
pub(super) const TLS: u8 = 2;
/// The tag of what was known of the message when it came.
pub(super) const ARRIVAL: u8 = 7;
/// The tag of the name of the message as it came.
pub(super) const ORIGIN: u8 = 8;
/// Of the fate byte in a checkpoint: the sender was warned.
pub(super) const WARNED: u8 = 128;
/// Of the state byte in a checkpoint: how far each recipient has come follows the item.
pub(super) const PROGRESS: u8 = 128;

impl NewQueueItem {
    /// Appends the item as handed in.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_varint(self.account.map_or(0, |account| account.0));
        out.put_str(&self.sender);
        out.put_varint(self.recipients.len() as u64);
        for recipient in &self.recipients {
            out.put_str(&recipient.address);
            out.put_u8(recipient.notify);
            out.put_str(&recipient.orcpt);
        }
        let pieces = u64::from(!self.passed.is_empty())
            + u64::from(self.tls != TlsDemand::Usual)
            + self.terms.pieces()
            + u64::from(self.arrival.is_some())
            + u64::from(self.origin.is_some());
        let has_more = pieces > 0;
        out.put_u8(self.ret | if self.utf8 { UTF8 } else { 0 } | if has_more { MORE } else { 0 });
        out.put_str(&self.envelope_id);
        if has_more {
            out.put_varint(pieces);
        }
        if !self.passed.is_empty() {
            out.put_u8(PASSED);
            out.put_varint(self.passed.len() as u64);
            self.passed.iter().for_each(|address| out.put_str(address));
        }
        if self.tls != TlsDemand::Usual {
            out.put_u8(TLS);
            out.put_u8(self.tls.code());
        }
        self.terms.encode(out);
        if let Some(arrival) = &self.arrival {
            out.put_u8(ARRIVAL);
            arrival.encode(out);
        }
        if let Some(origin) = &self.origin {
            out.put_u8(ORIGIN);
            out.put(&origin.0);
        }
    }

    /// Reads it back.
    pub fn decode(reader: &mut Reader<'_>) -> Result<NewQueueItem, DecodeError> {
        let account = Some(AccountId(reader.varint()?)).filter(|account| account.0 != 0);
        let sender = reader.str()?.to_owned();
        let recipients = (0..reader.count()?)
            .map(|_| {
                let address = reader.str()?.to_owned();
                Ok(QueueRecipient { address, notify: reader.u8()?, orcpt: reader.str()?.to_owned() })
            })
            .collect::<Result<_, DecodeError>>()?;
        let (code, envelope_id) = (reader.u8()?, reader.str()?.to_owned());
        let (ret, utf8) = (code & !(UTF8 | MORE), code & UTF8 != 0);
        let mut item = NewQueueItem { account, sender, recipients, ret, utf8, envelope_id, ..NewQueueItem::default() };
        for _ in 0..if code & MORE == 0 { 0 } else { reader.count()? } {
            item.decode_more(reader)?;
        }
        Ok(item)
    }

    fn decode_more(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        match reader.u8()? {
            PASSED => {
                for _ in 0..reader.count()? {
                    self.passed.push(reader.str()?.to_owned());
                }
                Ok(())
            }
            TLS => {
                let Some(tls) = TlsDemand::from_code(reader.u8()?) else {
                    return reader.error("a demand for TLS of 1 or 2 expected before this byte");
                };
                self.tls = tls;
                Ok(())
            }
            ARRIVAL => {
                self.arrival = Some(Box::new(Arrival::decode(reader)?));
                Ok(())
            }
            ORIGIN => {
                self.origin = Some(Guid(reader.array()?));
                Ok(())
            }
            tag => match self.terms.read_piece(tag, reader)? {
                true => Ok(()),
                false => {
                    reader.error("a tag of 1 to 8 expected before this byte: a later posthouse has written this item")
                }
            },
        }
    }
}

impl QueueState {
    /// The code on disk.
    pub fn code(self) -> u8 {
        match self {
            QueueState::Active => 0,
            QueueState::Deferred => 1,
            QueueState::Hold => 2,
        }
    }

    /// Reads a code back.
    pub fn from_code(code: u8) -> Option<QueueState> {
        [QueueState::Active, QueueState::Deferred, QueueState::Hold].into_iter().find(|state| state.code() == code)
    }
}

impl TlsDemand {
    /// The code on disk; the usual one is not written.
    fn code(self) -> u8 {
        match self {
            TlsDemand::Usual => 0,
            TlsDemand::Required => 1,
            TlsDemand::NotRequired => 2,
        }
    }

    pub(super) fn from_code(code: u8) -> Option<TlsDemand> {
        [TlsDemand::Required, TlsDemand::NotRequired].into_iter().find(|demand| demand.code() == code)
    }
}

impl Fate {
    /// The code on disk.
    pub fn code(self) -> u8 {
        match self {
            Fate::Waiting => 0,
            Fate::Relayed => 1,
            Fate::Failed => 2,
        }
    }

    /// Reads a code back.
    pub fn from_code(code: u8) -> Option<Fate> {
        [Fate::Waiting, Fate::Relayed, Fate::Failed].into_iter().find(|fate| fate.code() == code)
    }
}

impl Progress {
    fn encode(&self, out: &mut Vec<u8>) {
        out.put_u8(self.fate.code() | if self.warned { WARNED } else { 0 });
        out.put_varint(u64::from(self.attempts));
        out.put_i64(self.next_try);
        out.put_str(&self.reply);
    }

    fn decode(reader: &mut Reader<'_>) -> Result<Progress, DecodeError> {
        let code = reader.u8()?;
        let Some(fate) = Fate::from_code(code & !WARNED) else {
            return reader.error("a recipient's fate of 0 to 2 expected before this byte");
        };
        let (attempts, next_try) = (reader.varint_u32()?, reader.i64()?);
        Ok(Progress { fate, attempts, next_try, warned: code & WARNED != 0, reply: reader.str()?.into() })
    }
}

impl QueueItem {
    /// Appends the item with its state.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_varint(self.id.0);
        out.put(&self.guid.0);
        out.put_varint(u64::from(self.locator.segment.0));
        out.put_varint(u64::from(self.locator.offset));
        out.put_varint(u64::from(self.size_bytes));
        let has_progress = self.has_progress();
        out.put_u8(self.state.code() | if has_progress { PROGRESS } else { 0 });
        out.put_i64(self.created);
        out.put_i64(self.next_try);
        self.item.encode(out);
        if has_progress {
            self.progress.iter().for_each(|progress| progress.encode(out));
        }
    }

    /// Reads it back.
    pub fn decode(reader: &mut Reader<'_>) -> Result<QueueItem, DecodeError> {
        let (id, guid) = (QueueId(reader.varint()?), Guid(reader.array()?));
        let locator = Locator { segment: SegmentId(reader.varint_u32()?), offset: reader.varint_u32()? };
        let size_bytes = reader.varint_u32()?;
        let code = reader.u8()?;
        let Some(state) = QueueState::from_code(code & !PROGRESS) else {
            return reader.error("a queue state of 0 to 2 expected before this byte");
        };
        let (created, next_try) = (reader.i64()?, reader.i64()?);
        let item = NewQueueItem::decode(reader)?;
        let begun = Progress { next_try, ..Progress::default() };
        let progress = match code & PROGRESS {
            0 => vec![begun; item.recipients.len()],
            _ => item.recipients.iter().map(|_| Progress::decode(reader)).collect::<Result<_, _>>()?,
        };
        let item = Arc::new(item);
        Ok(QueueItem { id, item, progress, guid, locator, size_bytes, state, created, next_try })
    }

    /// Whether a recipient is elsewhere than an item begins.
    fn has_progress(&self) -> bool {
        let begun = Progress { next_try: self.next_try, ..Progress::default() };
        self.progress.iter().any(|progress| *progress != begun)
    }
}

impl Queue {
    /// The queue for a checkpoint.
    pub fn encode(&self) -> Vec<u8> {
        self.pieces().flatten().collect()
    }

    /// The same a piece at a time: as a whole it may be as large as all else in memory.
    pub fn pieces(&self) -> impl Iterator<Item = Vec<u8>> {
        let mut first = Vec::new();
        first.put_varint(self.counts().total() + self.reached.len() as u64);
        first.extend(self.reached.encode());
        std::iter::once(first).chain(self.items.pieces())
    }

    /// Bytes of the pieces together.
    pub fn encoded_bytes(&self) -> u64 {
        let mut count = Vec::new();
        count.put_varint(self.counts().total() + self.reached.len() as u64);
        (count.len() + self.reached.encode().len()) as u64 + self.items.encoded_bytes()
    }

    /// Reads a checkpoint's queue; no bytes are an empty queue. Other state may follow. Items are looked over, and stay as they are packed.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Queue, DecodeError> {
        let (mut queue, mut gathered, mut last) = (Queue::default(), Gathered::default(), QueueId(0));
        let mut origins = Vec::new();
        for _ in 0..if reader.is_empty() { 0 } else { reader.count()? } {
            let from = reader.position();
            let id = QueueId(reader.varint()?);
            if id == QueueId(0) {
                queue.reached.decode_one(reader)?;
                continue;
            }
            let seen = Seen::read_after(id, reader)?;
            let bytes = reader.since(from);
            if std::mem::replace(&mut last, id) >= id {
                return reader.error("an item of a greater number expected before this byte");
            }
            if !gathered.takes(bytes.len()) {
                gathered.take(true)?.into_iter().for_each(|chunk| queue.items.push_back(chunk));
            }
            gathered.push(id, bytes);
            queue.count(seen.state);
            origins.extend(seen.origin);
        }
        // In their order they come beside each other, which takes less time and room.
        origins.sort_unstable();
        origins.into_iter().for_each(|origin| queue.name(Some(origin)));
        // New items go to the last chunk.
        gathered.take(false)?.into_iter().for_each(|chunk| queue.items.push_back(chunk));
        Ok(queue)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Flags;
    use crate::format::{Event, Tried};
    use crate::queue::{Came, Folder, Placed, Terms};

    const MEMBER_AND_FRONT: u8 = 4 | 8;

    fn arrival() -> Arrival {
        let place = |folder| Placed { folder, flags: Flags::SEEN, keywords: vec!["paper".into()] };
        Arrival {
            came: Came::Member,
            suspicious: true,
            aside: true,
            facts: [2, 3, 1, 5],
            placed: [Folder::Inbox, Folder::Junk, Folder::Named("Projects/\u{9879}".into())].map(place).to_vec(),
        }
    }

    fn queued(id: u64, recipients: usize) -> Event {
        let recipient = |at| QueueRecipient { address: format!("r{at}@x.test"), notify: 2, orcpt: String::new() };
        let item = NewQueueItem {
            account: Some(AccountId(3)),
            sender: "s@y.test".into(),
            recipients: (0..recipients).map(recipient).collect(),
            ret: 1,
            utf8: true,
            envelope_id: "e".into(),
            passed: vec!["ann@z.test".into(), "bob@z.test".into()],
            tls: TlsDemand::default(),
            terms: Terms { priority: 3, ..Terms::default() },
            arrival: (recipients == 1).then(|| Box::new(arrival())),
            origin: (recipients > 1).then_some(Guid([7; 16])),
        };
        let mut bytes = Vec::new();
        item.encode(&mut bytes);
        let (guid, locator) = (Guid([1; 16]), Locator::default());
        Event::Queued { id: QueueId(id), guid, locator, size_bytes: 9, created: 100, item: bytes }
    }

    fn result(recipient: u32, fate: Fate, next_try: i64) -> Tried {
        Tried { recipient, fate: fate.code(), next_try, reply: "450 later".into() }
    }

    fn tried() -> Queue {
        let mut queue = Queue::default();
        let id = QueueId(8);
        for event in [
            queued(7, 1),
            queued(8, 3),
            Event::QueueTried {
                id,
                tried: vec![result(0, Fate::Relayed, 0), result(1, Fate::Waiting, 400), result(2, Fate::Waiting, 300)],
            },
            Event::QueueWarned { id, recipients: vec![2] },
        ] {
            queue.apply(&event).expect("it fits");
        }
        queue
    }

    #[test]
    fn attempts_are_folded_and_come_back_from_a_checkpoint() {
        let queue = tried();
        let item = queue.get(QueueId(8)).expect("it is there");
        assert_eq!((item.state, item.next_try), (QueueState::Deferred, 300));
        assert_eq!(item.waiting().map(|(at, ..)| at).collect::<Vec<_>>(), [1, 2]);
        assert!(item.progress[2].warned && item.progress[1].attempts == 1 && &*item.progress[1].reply == "450 later");
        assert_eq!((queue.counts().active, queue.counts().deferred), (1, 1));
        assert_eq!(Queue::decode(&mut Reader::new(&queue.encode())), Ok(queue));
    }

    #[test]
    fn what_was_known_when_it_came_comes_back_and_an_item_without_it_is_as_before() {
        let mut queue = Queue::default();
        queue.apply(&queued(7, 1)).expect("it fits");
        let found = queue.get(QueueId(7)).expect("there");
        assert_eq!(found.item.arrival.as_deref(), Some(&arrival()));
        assert_eq!(Queue::decode(&mut Reader::new(&queue.encode())), Ok(queue));
        let (mut plain, mut with) = (Vec::new(), Vec::new());
        NewQueueItem::default().encode(&mut plain);
        assert_eq!(plain, [0; 5], "account, sender, no recipients, RET, ENVID");
        NewQueueItem { arrival: Some(Box::default()), ..NewQueueItem::default() }.encode(&mut with);
        assert_eq!(with, [0, 0, 0, MORE, 0, 1, ARRIVAL, 0, 0, 0, 0, 0, 0]);
        // A piece of which this version knows nothing is not passed over.
        with[6] = 200;
        assert!(NewQueueItem::decode(&mut Reader::new(&with)).is_err());
        (with[6], with[7]) = (ARRIVAL, MEMBER_AND_FRONT);
        assert!(NewQueueItem::decode(&mut Reader::new(&with)).is_err());
    }

    #[test]
    fn what_is_demanded_of_tls_comes_back_alone_and_beside_others() {
        let item = |tls, passed| NewQueueItem { tls, passed, ..NewQueueItem::default() };
        for passed in [Vec::new(), vec!["ann@z.test".into()]] {
            let plain = bytes(&item(TlsDemand::Usual, passed.clone()));
            for tls in [TlsDemand::Usual, TlsDemand::Required, TlsDemand::NotRequired] {
                let item = item(tls, passed.clone());
                let written = bytes(&item);
                assert_eq!(NewQueueItem::decode(&mut Reader::new(&written)), Ok(item));
                assert_eq!(written == plain, tls == TlsDemand::Usual);
            }
        }
        let mut wrong = bytes(&item(TlsDemand::Required, Vec::new()));
        *wrong.last_mut().expect("a byte") = 3;
        assert!(NewQueueItem::decode(&mut Reader::new(&wrong)).is_err());
    }

    fn bytes(item: &NewQueueItem) -> Vec<u8> {
        let mut out = Vec::new();
        item.encode(&mut out);
        out
    }

    #[test]
    fn what_was_not_tried_is_written_as_before() {
        let mut queue = Queue::default();
        queue.apply(&queued(7, 2)).expect("it fits");
        let bytes = queue.encode();
        // Count, id, guid, segment, offset, size: then the state.
        assert_eq!(bytes[1 + 1 + 16 + 1 + 1 + 1], QueueState::Active.code());
        assert_eq!(Queue::decode(&mut Reader::new(&bytes)), Ok(queue));
    }

    #[test]
    fn what_is_done_is_done_for_ever() {
        let mut queue = tried();
        let again = Event::QueueTried { id: QueueId(8), tried: vec![result(0, Fate::Waiting, 1)] };
        assert!(queue.apply(&again).is_err());
        let mut queue = tried();
        let moved = Event::QueueChanged { id: QueueId(8), state: QueueState::Hold.code(), next_try: 50 };
        queue.apply(&moved).expect("it fits");
        let item = queue.get(QueueId(8)).expect("it is there");
        assert_eq!((item.state, item.progress[1].next_try), (QueueState::Hold, 50));
        queue.apply(&Event::QueueTried { id: QueueId(8), tried: vec![result(1, Fate::Waiting, 70)] }).expect("it fits");
        assert_eq!(queue.get(QueueId(8)).map(|item| item.state), Some(QueueState::Hold), "an attempt releases nothing");
        assert_eq!(queue.counts().hold, 1);
    }
}
