//! The queue of one shard as a fold over events.
use super::{NewQueueItem, QueueItem, QueueState};
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{Error, QueueId, Result};
use crate::format::Event;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The messages of a shard that wait for other hosts, by id. Cloning copies pointers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Queue(BTreeMap<QueueId, Arc<QueueItem>>);

impl Queue {
    /// The item with that id.
    pub fn get(&self, id: QueueId) -> Option<&Arc<QueueItem>> {
        self.0.get(&id)
    }

    /// All items by id.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<QueueItem>> {
        self.0.values()
    }

    /// Number of items.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Folds one event in; events of other rooms change nothing. Fails only when the event contradicts the state.
    pub fn apply(&mut self, event: &Event) -> Result<()> {
        let corrupt = |what: String| Error::corrupt("queue event", 0, what);
        match event {
            Event::Queued { id, guid, locator, size_bytes, created, item } => {
                let item = NewQueueItem::decode(&mut Reader::new(item)).map_err(|why| corrupt(why.to_string()))?;
                let item = QueueItem {
                    id: *id,
                    item,
                    guid: *guid,
                    locator: *locator,
                    size_bytes: *size_bytes,
                    state: QueueState::Active,
                    created: *created,
                    next_try: *created,
                };
                match self.0.insert(*id, Arc::new(item)) {
                    None => Ok(()),
                    Some(_) => Err(corrupt(format!("queue id {id} is used already"))),
                }
            }
            Event::QueueChanged { id, state, next_try } => {
                let state = QueueState::from_code(*state).ok_or_else(|| corrupt(format!("queue state {state}")))?;
                let item = self.0.get_mut(id).ok_or_else(|| corrupt(format!("queue id {id} is not there")))?;
                let item = Arc::make_mut(item);
                (item.state, item.next_try) = (state, *next_try);
                Ok(())
            }
            Event::QueueRemoved { id } => match self.0.remove(id) {
                Some(_) => Ok(()),
                None => Err(corrupt(format!("queue id {id} is not there"))),
            },
            _ => Ok(()),
        }
    }

    /// The queue for a checkpoint.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        out.put_varint(self.0.len() as u64);
        self.0.values().for_each(|item| item.encode(&mut out));
        out
    }

    /// Reads a checkpoint's queue; no bytes are an empty queue. Other state may follow.
    pub fn decode(reader: &mut Reader<'_>) -> Result<Queue, DecodeError> {
        let count = if reader.is_empty() { 0 } else { reader.count()? };
        let items = (0..count).map(|_| QueueItem::decode(reader).map(|item| (item.id, Arc::new(item))));
        Ok(Queue(items.collect::<Result<_, _>>()?))
    }
}
