//! Some hundred queue items that follow each other: as they are while they change, packed while they wait, which takes a tenth of the room.
//! Knows no order beyond its own.
use super::{QueueItem, QueueState, skim};
use crate::base::QueueId;
use crate::base::bytes::{DecodeError, Put, Reader};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use zstd::bulk::{Compressor, Decompressor};

/// Items of one chunk at most.
pub(super) const CHUNK_ITEMS_MAX: usize = 256;
/// A chunk with larger items is not packed: who looks at one of them unpacks all.
pub(super) const PLAIN_BYTES_MAX: usize = 1 << 20;
/// Chunks that a thread keeps unpacked besides: who looks at items one after the other finds the next one in the same chunk, of each shard.
const AT_HAND_MAX: usize = 4;
/// zstd's level: most of what it finds are the same addresses and replies again.
const LEVEL: i32 = 1;

/// A chunk, and what `plain` gives of it.
type AtHand = (Arc<Packed>, Rc<Vec<u8>>);

thread_local! {
    static PACKER: RefCell<Option<Compressor<'static>>> = const { RefCell::new(None) };
    static UNPACKER: RefCell<Option<Decompressor<'static>>> = const { RefCell::new(None) };
    static AT_HAND: RefCell<VecDeque<AtHand>> = const { RefCell::new(VecDeque::new()) };
}

/// Items by id.
pub(super) type Open = Vec<Arc<QueueItem>>;

/// A clone copies a pointer. Never empty but on its way out.
#[derive(Clone, Debug)]
pub(super) enum Chunk {
    Open(Arc<Open>),
    Packed(Arc<Packed>),
}

#[derive(Debug)]
pub(super) struct Packed {
    first: QueueId,
    count: usize,
    /// Bytes of the items as a checkpoint has them; where each ends follows, u32.
    items_bytes: usize,
    packed: Box<[u8]>,
}

impl Chunk {
    /// Some, and not too many.
    pub(super) fn of(items: Open) -> Chunk {
        Chunk::Open(Arc::new(items))
    }

    /// Some whose bytes, as a checkpoint has them, and ends are in `plain`; `None` if that would not be packed.
    pub(super) fn of_plain(first: QueueId, count: usize, items_bytes: usize, plain: &[u8]) -> Option<Chunk> {
        Packed::of_plain(first, count, items_bytes, plain).map(|packed| Chunk::Packed(Arc::new(packed)))
    }

    /// When each is to be tried next, by id; of a packed chunk no item is made.
    pub(super) fn times(&self) -> Vec<(QueueId, QueueState, i64)> {
        match self {
            Chunk::Open(items) => items.iter().map(|item| (item.id, item.state, item.next_try)).collect(),
            Chunk::Packed(packed) => packed.times(),
        }
    }

    pub(super) fn first(&self) -> QueueId {
        match self {
            Chunk::Open(items) => items[0].id,
            Chunk::Packed(packed) => packed.first,
        }
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Chunk::Open(items) => items.len(),
            Chunk::Packed(packed) => packed.count,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        matches!(self, Chunk::Open(_))
    }

    /// The item, if it is here; of a packed chunk only that one is made.
    pub(super) fn get(&self, id: QueueId) -> Option<Arc<QueueItem>> {
        match self {
            Chunk::Open(items) => items.binary_search_by_key(&id, |item| item.id).ok().map(|at| items[at].clone()),
            Chunk::Packed(packed) => packed.get(id).map(Arc::new),
        }
    }

    /// All of them.
    pub(super) fn items(&self) -> Arc<Open> {
        match self {
            Chunk::Open(items) => items.clone(),
            Chunk::Packed(packed) => Arc::new(packed.items()),
        }
    }

    /// All of them, to be changed: open from now on.
    pub(super) fn items_mut(&mut self) -> &mut Open {
        if !self.is_open() {
            *self = Chunk::Open(self.items());
        }
        match self {
            Chunk::Open(items) => Arc::make_mut(items),
            Chunk::Packed(_) => unreachable!("it was opened above"),
        }
    }

    /// Packs it if that saves room; true when it was open and is not any more.
    pub(super) fn pack(&mut self) -> bool {
        let Chunk::Open(items) = self else { return false };
        let Some(packed) = Packed::of(items) else { return false };
        *self = Chunk::Packed(Arc::new(packed));
        true
    }

    /// Bytes of the items as a checkpoint has them.
    pub(super) fn encoded_bytes(&self) -> u64 {
        match self {
            Chunk::Open(_) => self.encode().len() as u64,
            Chunk::Packed(packed) => packed.items_bytes as u64,
        }
    }

    /// The items as a checkpoint has them.
    pub(super) fn encode(&self) -> Vec<u8> {
        match self {
            Chunk::Open(items) => {
                let mut out = Vec::new();
                items.iter().for_each(|item| item.encode(&mut out));
                out
            }
            Chunk::Packed(packed) => {
                let mut plain = packed.plain();
                plain.truncate(packed.items_bytes);
                plain
            }
        }
    }

    #[cfg(test)]
    pub(super) fn packed_bytes(&self) -> usize {
        match self {
            Chunk::Open(_) => 0,
            Chunk::Packed(packed) => packed.packed.len(),
        }
    }
}

impl Packed {
    fn of(items: &Open) -> Option<Packed> {
        let (mut plain, mut ends) = (Vec::new(), Vec::with_capacity(4 * items.len()));
        for item in items {
            item.encode(&mut plain);
            ends.put_u32(u32::try_from(plain.len()).ok()?);
        }
        let items_bytes = plain.len();
        plain.extend_from_slice(&ends);
        Packed::of_plain(items.first()?.id, items.len(), items_bytes, &plain)
    }

    fn of_plain(first: QueueId, count: usize, items_bytes: usize, plain: &[u8]) -> Option<Packed> {
        if plain.len() > PLAIN_BYTES_MAX {
            return None;
        }
        let packed = PACKER.with_borrow_mut(|packer| {
            if packer.is_none() {
                *packer = Compressor::new(LEVEL).ok();
            }
            packer.as_mut()?.compress(plain).ok()
        })?;
        Some(Packed { first, count, items_bytes, packed: packed.into() })
    }

    /// # Panics
    /// When the memory does not hold what was put into it.
    fn plain(&self) -> Vec<u8> {
        let bytes = self.items_bytes + 4 * self.count;
        let plain = UNPACKER.with_borrow_mut(|unpacker| {
            let unpacker = match unpacker {
                Some(unpacker) => unpacker,
                None => unpacker.insert(Decompressor::new()?),
            };
            unpacker.decompress(&self.packed, bytes)
        });
        let plain = plain.unwrap_or_else(|why| panic!("queue items in memory cannot be unpacked: {why}"));
        assert_eq!(plain.len(), bytes, "queue items in memory are others than were packed");
        plain
    }

    /// What `plain` gives, from the last few if it is there.
    fn at_hand(self: &Arc<Self>) -> Rc<Vec<u8>> {
        AT_HAND.with_borrow_mut(|last| {
            if let Some((_, plain)) = last.iter().find(|(packed, _)| Arc::ptr_eq(packed, self)) {
                return plain.clone();
            }
            let plain = Rc::new(self.plain());
            last.truncate(AT_HAND_MAX - 1);
            last.push_front((self.clone(), plain.clone()));
            plain
        })
    }

    fn get(self: &Arc<Self>, id: QueueId) -> Option<QueueItem> {
        let plain = self.at_hand();
        let (items, ends) = plain.split_at(self.items_bytes);
        let end = |at: usize| ends[4 * at..].first_chunk().map_or(0, |end| u32::from_le_bytes(*end) as usize);
        let bytes = |at: usize| &items[at.checked_sub(1).map_or(0, end)..end(at)];
        let (mut low, mut high) = (0, self.count);
        while low < high {
            let middle = (low + high) / 2;
            match Reader::new(bytes(middle)).varint().map(QueueId) {
                Ok(found) if found == id => return Some(made(QueueItem::decode(&mut Reader::new(bytes(middle))))),
                Ok(found) if found < id => low = middle + 1,
                _ => high = middle,
            }
        }
        None
    }

    fn times(&self) -> Vec<(QueueId, QueueState, i64)> {
        let plain = self.plain();
        let (items, ends) = plain.split_at(self.items_bytes);
        let mut from = 0;
        let ends =
            ends.chunks_exact(4).filter_map(|end| end.first_chunk().map(|end| u32::from_le_bytes(*end) as usize));
        let one = |end: usize| {
            let bytes = &items[std::mem::replace(&mut from, end)..end];
            skim::time_of(bytes).unwrap_or_else(|| panic!("a queue item in memory cannot be read"))
        };
        ends.map(one).collect()
    }

    fn items(&self) -> Open {
        let plain = self.plain();
        let mut reader = Reader::new(&plain);
        (0..self.count).map(|_| Arc::new(made(QueueItem::decode(&mut reader)))).collect()
    }
}

fn made(item: Result<QueueItem, DecodeError>) -> QueueItem {
    item.unwrap_or_else(|why| panic!("a queue item in memory cannot be read: {why}"))
}
