//! Queue items by id in shared chunks, and those on shared shelves: a clone copies one pointer, and a change copies one chunk, one shelf and the
//! list of them, so that a queue of a million messages can be shown to readers after every commit. Chunks in which nothing has changed for a
//! while are packed.
use super::chunk::{CHUNK_ITEMS_MAX, Chunk};
use super::{QueueItem, QueueState};
use crate::base::QueueId;
use std::sync::Arc;

/// Chunks of one shelf at most.
const SHELF_CHUNKS_MAX: usize = if cfg!(test) { 4 } else { 64 };
/// Chunks whose items are kept as they are: those of the messages that come and go while a million others wait.
const OPEN_CHUNKS_MAX: usize = if cfg!(test) { 3 } else { 128 };

type Shelf = Arc<Vec<Chunk>>;
/// A shelf and a chunk on it.
type Place = (usize, usize);

/// The items, ascending by id. No chunk and no shelf is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Items {
    shelves: Arc<Vec<Shelf>>,
    /// Open chunks, about: what has become fewer is found when they seem too many.
    open: usize,
    /// The chunk, counted over all shelves, from which on the next one to be packed is looked for.
    hand: usize,
}

impl Items {
    /// The place of the chunk that holds `id`, if any does.
    fn place_of(&self, id: QueueId) -> Place {
        let shelf = self.shelves.partition_point(|shelf| shelf[0].first() <= id).saturating_sub(1);
        let chunk = self.shelves.get(shelf).map_or(0, |shelf| shelf.partition_point(|chunk| chunk.first() <= id));
        (shelf, chunk.saturating_sub(1))
    }

    fn chunk(&self, (shelf, chunk): Place) -> Option<&Chunk> {
        self.shelves.get(shelf)?.get(chunk)
    }

    fn shelf_mut(&mut self, shelf: usize) -> &mut Vec<Chunk> {
        Arc::make_mut(&mut Arc::make_mut(&mut self.shelves)[shelf])
    }

    /// The items of a chunk that is there, to be changed.
    fn open(&mut self, place: Place) -> Option<&mut Vec<Arc<QueueItem>>> {
        if !self.chunk(place)?.is_open() {
            self.shelf_mut(place.0)[place.1].items_mut();
            self.opened(place);
        }
        Some(self.shelf_mut(place.0)[place.1].items_mut())
    }

    pub(super) fn get(&self, id: QueueId) -> Option<Arc<QueueItem>> {
        self.chunk(self.place_of(id))?.get(id)
    }

    /// The item, to be changed; its id must stay.
    pub(super) fn get_mut(&mut self, id: QueueId) -> Option<&mut QueueItem> {
        let items = self.open(self.place_of(id))?;
        let at = items.binary_search_by_key(&id, |item| item.id).ok()?;
        Some(Arc::make_mut(&mut items[at]))
    }

    /// Adds an item; false when its id is taken. Ids mostly grow, so chunks fill up.
    pub(super) fn insert(&mut self, item: QueueItem) -> bool {
        let (id, item) = (item.id, Arc::new(item));
        let place = self.place_of(id);
        let next = (place.0, place.1 + 1);
        let is_last = self.chunk(next).is_none() && place.0 + 1 == self.shelves.len();
        let Some(items) = self.open(place) else {
            self.put_chunk((0, 0), Chunk::of(vec![item]));
            return true;
        };
        let Err(at) = items.binary_search_by_key(&id, |item| item.id) else { return false };
        if at == CHUNK_ITEMS_MAX && is_last {
            self.put_chunk(next, Chunk::of(vec![item]));
            return true;
        }
        items.insert(at, item);
        if items.len() > CHUNK_ITEMS_MAX {
            let rest = items.split_off(CHUNK_ITEMS_MAX / 2);
            self.put_chunk(next, Chunk::of(rest));
        }
        true
    }

    pub(super) fn remove(&mut self, id: QueueId) -> Option<Arc<QueueItem>> {
        let (shelf, chunk) = self.place_of(id);
        let items = self.open((shelf, chunk))?;
        let at = items.binary_search_by_key(&id, |item| item.id).ok()?;
        let removed = items.remove(at);
        let chunks = self.shelf_mut(shelf);
        if chunks[chunk].len() == 0 {
            chunks.remove(chunk);
        } else if !merge_next(chunks, chunk) && chunk > 0 {
            merge_next(chunks, chunk - 1);
        }
        if chunks.is_empty() {
            Arc::make_mut(&mut self.shelves).remove(shelf);
        }
        Some(removed)
    }

    fn chunks(&self) -> impl Iterator<Item = &Chunk> {
        self.shelves.iter().flat_map(|shelf| shelf.iter())
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = Arc<QueueItem>> {
        self.chunks().flat_map(|chunk| items_from(chunk, |_| 0))
    }

    /// Those above `id`; found without a look at those below.
    pub(super) fn after(&self, id: QueueId) -> impl Iterator<Item = Arc<QueueItem>> {
        let (first, chunk) = self.place_of(id);
        let chunks = self.shelves.iter().skip(first).flat_map(|shelf| shelf.iter()).skip(chunk);
        chunks.flat_map(move |chunk| items_from(chunk, move |items| items.partition_point(|item| item.id <= id)))
    }

    /// When each is to be tried next, by id.
    pub(super) fn times(&self) -> impl Iterator<Item = (QueueId, QueueState, i64)> {
        self.chunks().flat_map(Chunk::times)
    }

    /// A chunk behind all others, whose ids are greater.
    pub(super) fn push_back(&mut self, chunk: Chunk) {
        self.open += usize::from(chunk.is_open());
        let shelves = Arc::make_mut(&mut self.shelves);
        match shelves.last_mut().map(Arc::make_mut) {
            Some(shelf) if shelf.len() < SHELF_CHUNKS_MAX => shelf.push(chunk),
            _ => shelves.push(Arc::new(vec![chunk])),
        }
    }

    /// The items as a checkpoint has them, a piece at a time.
    pub(super) fn pieces(&self) -> impl Iterator<Item = Vec<u8>> {
        self.chunks().map(Chunk::encode)
    }

    /// Bytes of the pieces together.
    pub(super) fn encoded_bytes(&self) -> u64 {
        self.chunks().map(Chunk::encoded_bytes).sum()
    }

    /// A new chunk, open, at a place on a shelf or behind its last.
    fn put_chunk(&mut self, (mut shelf, mut chunk): Place, new: Chunk) {
        let shelves = Arc::make_mut(&mut self.shelves);
        match shelves.get_mut(shelf).map(Arc::make_mut) {
            Some(chunks) if chunks.len() < SHELF_CHUNKS_MAX => chunks.insert(chunk, new),
            Some(chunks) if chunk < chunks.len() => {
                let rest = chunks.split_off(chunks.len() / 2);
                let first = chunks.len();
                shelves.insert(shelf + 1, Arc::new(rest));
                if chunk >= first {
                    (shelf, chunk) = (shelf + 1, chunk - first);
                }
                Arc::make_mut(&mut shelves[shelf]).insert(chunk, new);
            }
            full => {
                (shelf, chunk) = (if full.is_some() { shelf + 1 } else { 0 }, 0);
                shelves.insert(shelf, Arc::new(vec![new]));
            }
        }
        self.opened((shelf, chunk));
    }

    /// One more is open: another is packed, but for the last, which new items go to. The hand goes round as a clock's, so that what is packed has
    /// mostly not been touched for as long as it takes to open all the others.
    fn opened(&mut self, place: Place) {
        self.open += 1;
        if self.open <= OPEN_CHUNKS_MAX {
            return;
        }
        let on = |(at, shelf): (usize, &Shelf)| (0..shelf.len()).map(move |chunk| (at, chunk));
        let places: Vec<Place> = self.shelves.iter().enumerate().flat_map(on).collect();
        let is_open = |items: &Items, place| items.chunk(place).is_some_and(Chunk::is_open);
        self.open = places.iter().filter(|place| is_open(self, **place)).count();
        for _ in 0..places.len() {
            if self.open <= OPEN_CHUNKS_MAX {
                return;
            }
            self.hand = (self.hand + 1) % places.len();
            let at = places[self.hand];
            let is_used = at == place || self.hand + 1 == places.len();
            if !is_used && is_open(self, at) && self.shelf_mut(at.0)[at.1].pack() {
                self.open -= 1;
            }
        }
    }
}

/// A chunk's items from the one on that `begin` finds.
fn items_from(chunk: &Chunk, begin: impl Fn(&[Arc<QueueItem>]) -> usize) -> impl Iterator<Item = Arc<QueueItem>> {
    let items = chunk.items();
    (begin(&items)..items.len()).map(move |at| items[at].clone())
}

/// Takes the next chunk into this one when both have become small.
fn merge_next(chunks: &mut Vec<Chunk>, number: usize) -> bool {
    let small = chunks.get(number + 1).is_some_and(|next| chunks[number].len() + next.len() <= CHUNK_ITEMS_MAX / 2);
    if small {
        let next = chunks.remove(number + 1).items();
        chunks[number].items_mut().extend(next.iter().cloned());
    }
    small
}

#[cfg(test)]
mod tests {
    use super::super::{NewQueueItem, Progress, QueueRecipient};
    use super::*;
    use crate::base::{Guid, Locator};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn item(id: u64) -> QueueItem {
        let recipient = QueueRecipient { address: format!("r{id}@x.test"), notify: 0, orcpt: String::new() };
        QueueItem {
            id: QueueId(id),
            item: Arc::new(NewQueueItem {
                sender: "s@y.test".into(),
                recipients: vec![recipient],
                ..NewQueueItem::default()
            }),
            progress: vec![Progress { attempts: 1, reply: "450 later".into(), ..Progress::default() }],
            guid: Guid::default(),
            locator: Locator::default(),
            size_bytes: 0,
            state: QueueState::Active,
            created: 0,
            next_try: id as i64,
        }
    }

    fn check(items: &Items, plain: &BTreeSet<u64>) {
        assert!(items.iter().eq(plain.iter().map(|id| Arc::new(item(*id)))));
        assert!(items.chunks().all(|chunk| (1..=CHUNK_ITEMS_MAX).contains(&chunk.len())));
        assert!(items.shelves.iter().all(|shelf| (1..=SHELF_CHUNKS_MAX).contains(&shelf.len())));
        let encoded: Vec<u8> = items.pieces().flatten().collect();
        assert_eq!(items.encoded_bytes(), encoded.len() as u64);
        let mut one_by_one = Vec::new();
        plain.iter().for_each(|id| item(*id).encode(&mut one_by_one));
        assert!(encoded == one_by_one);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(8))]
        #[test]
        fn they_are_what_a_set_says(steps in prop::collection::vec((0u8..3, 0u64..6000), 0..1000)) {
            let (mut items, mut plain) = (Items::default(), BTreeSet::new());
            for id in (1000..5000).filter(|id| id % 3 != 0) {
                assert!(items.insert(item(id)) && plain.insert(id));
            }
            let (before, shown) = (items.clone(), plain.clone());
            for (step, id) in steps {
                match step {
                    0 => prop_assert_eq!(items.insert(item(id)), plain.insert(id)),
                    1 => prop_assert_eq!(items.remove(QueueId(id)).is_some(), plain.remove(&id)),
                    _ => prop_assert_eq!(items.get_mut(QueueId(id)).map(|item| item.id.0), plain.get(&id).copied()),
                }
                prop_assert_eq!(items.get(QueueId(id)), plain.get(&id).map(|id| Arc::new(item(*id))));
            }
            check(&items, &plain);
            check(&before, &shown);
            for from in [0, 999, 2500, 5999] {
                prop_assert!(items.after(QueueId(from)).map(|item| item.id.0).eq(plain.range(from + 1..).copied()));
            }
        }
    }

    #[test]
    fn growing_ids_fill_their_chunks_and_few_stay_open() {
        let mut items = Items::default();
        (0..3000).for_each(|id| assert!(items.insert(item(id))));
        assert_eq!((items.chunks().count(), items.shelves.len()), (12, 3));
        assert_eq!(items.chunks().filter(|chunk| chunk.is_open()).count(), OPEN_CHUNKS_MAX);
        (0..3000).filter(|id| id % 30 != 0).for_each(|id| assert!(items.remove(QueueId(id)).is_some()));
        assert!(items.chunks().count() <= 4, "{} chunks for a hundred items", items.chunks().count());
    }

    #[test]
    fn those_that_wait_take_little_room() {
        let mut chunk = Chunk::of((0..CHUNK_ITEMS_MAX as u64).map(|id| Arc::new(item((id * 300) << 16))).collect());
        let plain = chunk.encode();
        assert!(chunk.pack() && !chunk.pack() && chunk.encode() == plain);
        assert!(chunk.packed_bytes() < 16 * CHUNK_ITEMS_MAX, "{} bytes", chunk.packed_bytes());
    }
}
