//! Queue items by id in shared chunks: a clone copies one pointer, and a change copies one chunk and the list of them, so that a queue of a
//! million messages can be shown to readers after every commit.
use super::QueueItem;
use crate::base::QueueId;
use std::sync::Arc;

/// Items of one chunk at most.
const CHUNK_ITEMS_MAX: usize = 512;

type Chunk = Arc<Vec<Arc<QueueItem>>>;

/// The items, ascending by id. No chunk is empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Items(Arc<Vec<Chunk>>);

impl Items {
    /// The chunk that holds `id`, if any does.
    fn chunk_of(&self, id: QueueId) -> usize {
        self.0.partition_point(|chunk| chunk[0].id <= id).saturating_sub(1)
    }

    pub(super) fn get(&self, id: QueueId) -> Option<&Arc<QueueItem>> {
        let chunk = self.0.get(self.chunk_of(id))?;
        chunk.binary_search_by_key(&id, |item| item.id).ok().map(|at| &chunk[at])
    }

    /// The item, to be changed; its id must stay.
    pub(super) fn get_mut(&mut self, id: QueueId) -> Option<&mut QueueItem> {
        let number = self.chunk_of(id);
        let at = self.0.get(number)?.binary_search_by_key(&id, |item| item.id).ok()?;
        let chunk = Arc::make_mut(&mut Arc::make_mut(&mut self.0)[number]);
        Some(Arc::make_mut(&mut chunk[at]))
    }

    /// Adds an item; false when its id is taken. Ids mostly grow, so chunks fill up.
    pub(super) fn insert(&mut self, item: QueueItem) -> bool {
        let (id, item) = (item.id, Arc::new(item));
        let number = self.chunk_of(id);
        let chunks = Arc::make_mut(&mut self.0);
        let is_last = number + 1 >= chunks.len();
        let Some(chunk) = chunks.get_mut(number) else {
            chunks.push(Arc::new(vec![item]));
            return true;
        };
        let Err(at) = chunk.binary_search_by_key(&id, |item| item.id) else { return false };
        if at == CHUNK_ITEMS_MAX && is_last {
            chunks.push(Arc::new(vec![item]));
            return true;
        }
        let chunk = Arc::make_mut(chunk);
        chunk.insert(at, item);
        if chunk.len() > CHUNK_ITEMS_MAX {
            let rest = chunk.split_off(CHUNK_ITEMS_MAX / 2);
            chunks.insert(number + 1, Arc::new(rest));
        }
        true
    }

    pub(super) fn remove(&mut self, id: QueueId) -> Option<Arc<QueueItem>> {
        let number = self.chunk_of(id);
        let at = self.0.get(number)?.binary_search_by_key(&id, |item| item.id).ok()?;
        let chunks = Arc::make_mut(&mut self.0);
        let removed = Arc::make_mut(&mut chunks[number]).remove(at);
        if chunks[number].is_empty() {
            chunks.remove(number);
        } else if !merge_next(chunks, number) && number > 0 {
            merge_next(chunks, number - 1);
        }
        Some(removed)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<QueueItem>> {
        self.0.iter().flat_map(|chunk| chunk.iter())
    }

    /// Those above `id`; found without a look at those below.
    pub(super) fn after(&self, id: QueueId) -> impl Iterator<Item = &Arc<QueueItem>> {
        let number = self.chunk_of(id);
        let at = self.0.get(number).map_or(0, |chunk| chunk.partition_point(|item| item.id <= id));
        self.0.iter().skip(number).flat_map(|chunk| chunk.iter()).skip(at)
    }
}

/// Takes the next chunk into this one when both have become small.
fn merge_next(chunks: &mut Vec<Chunk>, number: usize) -> bool {
    let small = chunks.get(number + 1).is_some_and(|next| chunks[number].len() + next.len() <= CHUNK_ITEMS_MAX / 2);
    if small {
        let next = chunks.remove(number + 1);
        Arc::make_mut(&mut chunks[number]).extend(next.iter().cloned());
    }
    small
}

#[cfg(test)]
mod tests {
    use super::super::{NewQueueItem, QueueState};
    use super::*;
    use crate::base::{Guid, Locator};
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn item(id: u64) -> QueueItem {
        QueueItem {
            id: QueueId(id),
            item: NewQueueItem::default(),
            progress: Vec::new(),
            guid: Guid::default(),
            locator: Locator::default(),
            size_bytes: 0,
            state: QueueState::Active,
            created: 0,
            next_try: 0,
        }
    }

    fn check(items: &Items, plain: &BTreeSet<u64>) {
        assert!(items.iter().map(|item| item.id.0).eq(plain.iter().copied()));
        assert!(items.0.iter().all(|chunk| !chunk.is_empty() && chunk.len() <= CHUNK_ITEMS_MAX));
    }

    proptest! {
        #[test]
        fn they_are_what_a_set_says(steps in prop::collection::vec((any::<bool>(), 0u64..3000), 0..3000)) {
            let (mut items, mut plain) = (Items::default(), BTreeSet::new());
            for id in 1000..2200 {
                assert!(items.insert(item(id)) && plain.insert(id));
            }
            let (before, shown) = (items.clone(), plain.clone());
            for (adds, id) in steps {
                if adds {
                    prop_assert_eq!(items.insert(item(id)), plain.insert(id));
                } else {
                    prop_assert_eq!(items.remove(QueueId(id)).is_some(), plain.remove(&id));
                }
                prop_assert_eq!(items.get(QueueId(id)).is_some(), plain.contains(&id));
            }
            check(&items, &plain);
            check(&before, &shown);
            for from in [0, 999, 1500, 2999] {
                prop_assert!(items.after(QueueId(from)).map(|item| item.id.0).eq(plain.range(from + 1..).copied()));
            }
        }
    }

    #[test]
    fn growing_ids_fill_their_chunks() {
        let mut items = Items::default();
        (0..2000).for_each(|id| assert!(items.insert(item(id))));
        assert_eq!(items.0.len(), 4);
        (0..2000).filter(|id| id % 20 != 0).for_each(|id| assert!(items.remove(QueueId(id)).is_some()));
        assert!(items.0.len() <= 2, "{} chunks for a hundred items", items.0.len());
    }
}
