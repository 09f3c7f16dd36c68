//! The dictionaries of one shard by the numbers that frames call them by: where they stand in the log, and digested once they were used.
use super::Dictionary;
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{Guid, Locator, Result, SegmentId};
use crate::log::{FrameKind, Segments};
use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The dictionaries of a shard. Readers and its committer share it.
#[derive(Debug, Default)]
pub struct Dictionaries(RwLock<BTreeMap<u16, Slot>>);

#[derive(Clone, Debug)]
struct Slot {
    at: Locator,
    digested: Option<Arc<Dictionary>>,
}

impl Dictionaries {
    fn read(&self) -> RwLockReadGuard<'_, BTreeMap<u16, Slot>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, BTreeMap<u16, Slot>> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Every dictionary frame of a log, for who has no checkpoint.
    pub fn scan(segments: &Arc<Segments>) -> Result<Dictionaries> {
        let all = Dictionaries::default();
        for file in segments.files() {
            let Some(footer) = segments.footer(file.id)? else {
                for frame in segments.frames(file.first_lsn) {
                    let (_, at, frame) = frame?;
                    if frame.kind == FrameKind::Dictionary {
                        all.found(frame.dictionary, at);
                    }
                }
                break;
            };
            for (offset, _) in footer.table.iter().filter(|(_, kind)| *kind == FrameKind::Dictionary) {
                let (at, frame) = segments.moved_frame(file.id, offset)?;
                all.found(frame.dictionary, at);
            }
        }
        Ok(all)
    }

    /// A dictionary frame stands there.
    pub fn found(&self, id: u16, at: Locator) {
        self.write().insert(id, Slot { at, digested: None });
    }

    /// The dictionary that frames call `id`; none for 0.
    ///
    /// # Errors
    /// `NotFound`: there is none. `Corrupt`: its frame is not what was written.
    pub fn get(&self, segments: &Segments, id: u16) -> Result<Option<Arc<Dictionary>>> {
        if id == 0 {
            return Ok(None);
        }
        let slot = self.read().get(&id).cloned().ok_or_else(|| Dictionary::missing(id))?;
        if let Some(digested) = slot.digested {
            return Ok(Some(digested));
        }
        let frame = segments.read(slot.at)?;
        frame.check()?;
        if frame.kind != FrameKind::Dictionary || frame.dictionary != id {
            return Err(frame.corrupt(&format!("the frame of dictionary {id} expected")));
        }
        let digested = Dictionary::decode(frame.payload(), frame.flags).map_err(|why| frame.corrupt(&why))?;
        let digested = Arc::new(digested);
        if let Some(slot) = self.write().get_mut(&id) {
            slot.digested = Some(digested.clone());
        }
        Ok(Some(digested))
    }

    /// The one that was added last, if there is any.
    pub fn newest(&self, segments: &Segments) -> Result<Option<Arc<Dictionary>>> {
        let id = self.read().last_key_value().map_or(0, |(id, _)| *id);
        self.get(segments, id)
    }

    /// The newest of those that stand in `last` or before, with its number: what is written in their place finds it durable and before it.
    pub(crate) fn newest_up_to(&self, segments: &Segments, last: SegmentId) -> Result<Option<(u16, Arc<Dictionary>)>> {
        let id = self.read().iter().rev().find(|(_, slot)| slot.at.segment <= last).map_or(0, |(id, _)| *id);
        Ok(self.get(segments, id)?.map(|dictionary| (id, dictionary)))
    }

    /// Where the dictionary's frame stands in the log.
    pub(crate) fn place(&self, id: u16) -> Option<Locator> {
        self.read().get(&id).map(|slot| slot.at)
    }

    /// The number of a dictionary that was used or added since the start.
    pub(crate) fn id_of(&self, name: Guid) -> Option<u16> {
        let all = self.read();
        let named = |slot: &Slot| slot.digested.as_ref().is_some_and(|digested| digested.name() == name);
        // The current one is nearly always the last.
        all.iter().rev().find(|(_, slot)| named(slot)).map(|(id, _)| *id)
    }

    /// The next free number; `None` when all are used.
    pub(crate) fn next_id(&self) -> Option<u16> {
        self.read().last_key_value().map_or(Some(1), |(id, _)| id.checked_add(1))
    }

    /// A dictionary was written with the open group.
    pub(crate) fn add(&self, id: u16, at: Locator, digested: Arc<Dictionary>) {
        self.write().insert(id, Slot { at, digested: Some(digested) });
    }

    /// The group was not committed.
    pub(crate) fn forget(&self, id: u16) {
        self.write().remove(&id);
    }

    /// For a checkpoint: count, then number, segment and offset of each.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let all = self.read();
        out.put_varint(all.len() as u64);
        for (id, slot) in all.iter() {
            out.put_varint(u64::from(*id));
            out.put_varint(u64::from(slot.at.segment.0));
            out.put_varint(u64::from(slot.at.offset));
        }
    }

    /// Reads what `encode` wrote. `None`: whoever wrote the checkpoint knew nothing of dictionaries, so that they must be looked for.
    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Option<Dictionaries>, DecodeError> {
        let all = Dictionaries::default();
        if reader.is_empty() {
            return Ok(None);
        }
        for _ in 0..reader.count()? {
            let Ok(id @ 1..) = u16::try_from(reader.varint()?) else {
                return reader.error("a dictionary's number of 16 bits expected before this byte");
            };
            all.found(id, Locator { segment: SegmentId(reader.varint_u32()?), offset: reader.varint_u32()? });
        }
        Ok(Some(all))
    }
}
