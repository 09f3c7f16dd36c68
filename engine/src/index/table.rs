//! The entries of a mailbox, sorted by uid, as immutable chunks in blocks: a change copies one chunk, one block and the list of blocks, whatever
//! the mailbox holds; a view copies nothing. Does no I/O.
use super::chunk::Chunk;
use super::entry::Entry;
use super::slots::{Slot, Slots};
use crate::base::limits::BLOCK_CHUNKS_MAX;
use crate::base::{Error, ModSeq, Result, Uid, UidSet};
use std::ops::Range;
use std::sync::Arc;

/// Up to `BLOCK_CHUNKS_MAX` chunks; never empty.
#[derive(Clone, Debug)]
pub(crate) struct Block {
    /// Entries in the blocks before.
    start: u32,
    len: u32,
    slots: Arc<Slots>,
}

impl Block {
    fn of(chunk: Chunk, start: u32) -> Block {
        Block { start, len: chunk.len, slots: Slots::of(vec![Slot { start: 0, chunk: Arc::new(chunk) }]) }
    }

    /// The greatest uid in it.
    fn last(&self) -> Uid {
        self.slots.last().map_or(Uid(0), |slot| slot.chunk.last)
    }

    fn base(&self) -> Uid {
        self.slots.first().map_or(Uid(0), |slot| slot.chunk.base)
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
    }

    /// Whether both are one and the same in memory, so that nothing in them differs.
    pub(crate) fn is(&self, other: &Block) -> bool {
        Arc::ptr_eq(&self.slots, &other.slots)
    }

    /// Counts again after chunks changed or went.
    fn recount(&mut self, slots: &mut Vec<Slot>) {
        slots.retain(|slot| slot.chunk.len > 0);
        self.len = 0;
        for slot in slots.iter_mut() {
            slot.start = self.len;
            self.len += slot.chunk.len;
        }
    }

    fn lower_bound(&self, uid: Uid) -> Result<usize> {
        let at = self.slots.partition_point(|slot| slot.chunk.last < uid);
        match self.slots.get(at) {
            Some(slot) => Ok((self.start + slot.start) as usize + slot.chunk.lower_bound(uid)?),
            None => Ok((self.start + self.len) as usize),
        }
    }
}

/// The entries of a mailbox by uid. Cloning is cheap and gives an immutable view.
#[derive(Clone, Debug, Default)]
pub struct EntryTable {
    blocks: Arc<Vec<Block>>,
    len: u32,
}

impl EntryTable {
    /// A table of chunks that were read; `None` when they hold more than 32 bits can count.
    pub(crate) fn from_chunks(chunks: Vec<Chunk>) -> Option<EntryTable> {
        let mut chunks = chunks.into_iter().peekable();
        let (mut blocks, mut total) = (Vec::new(), 0u32);
        while chunks.peek().is_some() {
            let (start, mut slots) = (total, Vec::new());
            for chunk in chunks.by_ref().take(BLOCK_CHUNKS_MAX) {
                let len = chunk.len;
                slots.push(Slot { start: total - start, chunk: Arc::new(chunk) });
                total = total.checked_add(len)?;
            }
            blocks.push(Block { start, len: total - start, slots: Slots::of(slots) });
        }
        Some(EntryTable { blocks: Arc::new(blocks), len: total })
    }

    /// Whether the chunks follow each other and stay below what the mailbox says of itself. Reads no entry.
    pub(crate) fn is_whole(&self, uid_next: Uid, highest_modseq: ModSeq) -> bool {
        let in_order = self.chunks().is_sorted_by(|a, b| a.last < b.base);
        let fits = |chunk: &Arc<Chunk>| {
            let uids = u64::from(chunk.last.0) + 1 - u64::from(chunk.base.0);
            chunk.last < uid_next && u64::from(chunk.len) <= uids && chunk.modseq_max <= highest_modseq
        };
        in_order && self.chunks().all(|chunk| chunk.base <= chunk.last && fits(chunk))
    }

    /// Bytes of the chunks in a record, and of those that are in none of the parts which `kept` names.
    pub(super) fn checkpoint_bytes_max(&self, kept: &dyn Fn(u32) -> bool) -> u64 {
        self.blocks.iter().map(|block| block.slots.checkpoint_bytes_max(kept)).sum()
    }

    pub(crate) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// All chunks, by uid.
    pub(crate) fn chunks(&self) -> impl Iterator<Item = &Arc<Chunk>> {
        self.blocks.iter().flat_map(|block| block.slots.iter().map(|slot| &slot.chunk))
    }

    /// Number of chunks.
    pub(crate) fn chunk_count(&self) -> usize {
        self.blocks.iter().map(|block| block.slots.len()).sum()
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.len as usize
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The entry at a position: sequence number less one.
    pub fn get(&self, position: usize) -> Result<Entry> {
        let block = last_before(&self.blocks, |block| block.start as usize <= position);
        let within = block.map(|block| (position - block.start as usize, block));
        let slot = within.and_then(|(within, block)| {
            Some((within, last_before(&block.slots, |slot| slot.start as usize <= within)?))
        });
        match slot {
            Some((within, slot)) => slot.chunk.get(within - slot.start as usize),
            None => Err(Error::Invalid("a position beyond the mailbox".into())),
        }
    }

    /// How many entries have a smaller uid: the position of `uid` if it is there.
    pub fn lower_bound(&self, uid: Uid) -> Result<usize> {
        let at = self.blocks.partition_point(|block| block.last() < uid);
        self.blocks.get(at).map_or(Ok(self.len()), |block| block.lower_bound(uid))
    }

    /// The position of `uid`: its sequence number less one.
    pub fn position(&self, uid: Uid) -> Result<Option<usize>> {
        let at = self.lower_bound(uid)?;
        Ok((at < self.len() && self.get(at)?.uid == uid).then_some(at))
    }

    /// The chunks of these positions, ascending, that would have to be read from the disk; none as a rule.
    pub fn cold(&self, positions: &[Range<usize>]) -> Cold {
        let (mut cold, mut before) = (Vec::new(), None);
        for (start, slot) in positions.iter().flat_map(|range| self.slots_at(range.clone())) {
            // Many ranges may lie in one chunk.
            if before.replace(start) != Some(start) && slot.chunk.is_cold() {
                cold.push(slot.chunk.clone());
            }
        }
        Cold(cold)
    }

    /// The position of the first entry without \Seen below `end`: chunk by chunk, each of which is gone through once.
    pub(super) fn first_unseen(&self, end: usize) -> Result<Option<usize>> {
        for (start, slot) in self.slots_at(0..end) {
            if let Some(at) = slot.chunk.first_unseen()? {
                return Ok(Some(start + at).filter(|at| *at < end));
            }
        }
        Ok(None)
    }

    /// The entries at these positions, ascending.
    pub fn range(&self, positions: Range<usize>) -> impl Iterator<Item = Result<Entry>> + '_ {
        let end = positions.end.min(self.len());
        self.slots_at(positions.clone()).flat_map(move |(start, slot)| {
            let from = positions.start.saturating_sub(start);
            let to = (end - start).min(slot.chunk.len as usize);
            (from..to).map(move |at| slot.chunk.get(at))
        })
    }

    /// The slots that have these positions, each with its first one.
    fn slots_at(&self, positions: Range<usize>) -> impl Iterator<Item = (usize, &Slot)> {
        let end = positions.end.min(self.len());
        let first = self.blocks.partition_point(|block| block.start as usize <= positions.start).saturating_sub(1);
        let blocks = self.blocks[first.min(self.blocks.len())..].iter();
        let blocks = blocks.take_while(move |block| (block.start as usize) < end);
        let slots = blocks.flat_map(move |block| {
            let within = positions.start.saturating_sub(block.start as usize);
            let first = block.slots.partition_point(|slot| slot.start as usize <= within).saturating_sub(1);
            block.slots[first..].iter().map(|slot| ((block.start + slot.start) as usize, slot))
        });
        slots.take_while(move |(start, _)| *start < end)
    }

    /// The entries of a uid set with their positions, ascending; uids that are not there are passed over.
    pub fn in_uids<'a>(&'a self, uids: &'a UidSet) -> impl Iterator<Item = Result<(usize, Entry)>> + 'a {
        uids.ranges().iter().flat_map(move |&(first, last)| {
            let bounds = self.lower_bound(Uid(first)).and_then(|from| {
                let to = if last == u32::MAX { self.len() } else { self.lower_bound(Uid(last + 1))? };
                Ok(from..to)
            });
            let (range, error) = match bounds {
                Ok(range) => (range, None),
                Err(error) => (0..0, Some(Err(error))),
            };
            let positions = range.clone();
            error.into_iter().chain(positions.zip(self.range(range)).map(|(at, entry)| Ok((at, entry?))))
        })
    }

    /// Those of the uids that are there. Where they follow each other without a gap their entries are not looked at.
    pub fn among(&self, uids: &UidSet) -> Result<UidSet> {
        let mut found = UidSet::new();
        for &(first, last) in uids.ranges() {
            let from = self.lower_bound(Uid(first))?;
            let to = if last == u32::MAX { self.len() } else { self.lower_bound(Uid(last + 1))? };
            if from == to {
                continue;
            }
            let ends = (self.get(from)?.uid, self.get(to - 1)?.uid);
            if (ends.1.0 - ends.0.0) as usize == to - from - 1 {
                found.push_range(ends.0.0, ends.1.0);
            } else {
                self.range(from..to).try_for_each(|entry| entry.map(|entry| found.push(entry.uid)))?;
            }
        }
        Ok(found)
    }

    /// Adds an entry with a uid greater than all.
    pub(crate) fn push(&mut self, entry: Entry) -> Result<()> {
        let blocks = Arc::make_mut(&mut self.blocks);
        let fresh = || Chunk::of(entry.uid, vec![entry], entry.modseq);
        match blocks.last_mut().map(|block| (block.slots.len(), block)) {
            None => blocks.push(Block::of(fresh(), 0)),
            Some((count, block)) => match block.slots.last() {
                Some(Slot { chunk, .. }) if chunk.takes_more() => {
                    if let Some(slot) = Slots::edit(&mut block.slots).last_mut() {
                        Chunk::push(&mut slot.chunk, entry)?;
                    }
                    block.len += 1;
                }
                _ if count < BLOCK_CHUNKS_MAX => {
                    let slot = Slot { start: block.len, chunk: Arc::new(fresh()) };
                    Slots::edit(&mut block.slots).push(slot);
                    block.len += 1;
                }
                _ => blocks.push(Block::of(fresh(), self.len)),
            },
        }
        self.len += 1;
        Ok(())
    }

    /// Calls `change` for each entry of `uids`; it says whether it changed the entry.
    pub(crate) fn update(&mut self, uids: &UidSet, mut change: impl FnMut(&mut Entry) -> bool) -> Result<()> {
        self.rewrite(uids, |entries, modseq_max| {
            let (Some(base), Some(end)) = (entries.first().map(|one| one.uid), entries.last().map(|one| one.uid))
            else {
                return;
            };
            let from = uids.ranges().partition_point(|range| range.1 < base.0);
            for &(first, last) in uids.ranges()[from..].iter().take_while(|range| range.0 <= end.0) {
                let start = entries.partition_point(|entry| entry.uid.0 < first);
                for entry in entries[start..].iter_mut().take_while(|entry| entry.uid.0 <= last) {
                    if change(entry) {
                        *modseq_max = (*modseq_max).max(entry.modseq);
                    }
                }
            }
        })
    }

    /// Removes the entries of `uids`, calling `removed` for each.
    pub(crate) fn remove(&mut self, uids: &UidSet, modseq: ModSeq, mut removed: impl FnMut(&Entry)) -> Result<()> {
        self.rewrite(uids, |entries, modseq_max| {
            entries.retain(|entry| {
                let goes = uids.contains(entry.uid);
                if goes {
                    removed(entry);
                }
                !goes
            });
            *modseq_max = (*modseq_max).max(modseq);
        })
    }

    /// Rewrites each chunk that a range of `uids` touches; chunks that come out empty are dropped.
    fn rewrite(&mut self, uids: &UidSet, mut edit: impl FnMut(&mut Vec<Entry>, &mut ModSeq)) -> Result<()> {
        let blocks = Arc::make_mut(&mut self.blocks);
        for block in blocks.iter_mut().filter(|block| touches(uids, block.base(), block.last())) {
            let mut shared = std::mem::take(&mut block.slots);
            let slots = Slots::edit(&mut shared);
            for slot in slots.iter_mut().filter(|slot| touches(uids, slot.chunk.base, slot.chunk.last)) {
                let (mut entries, mut modseq_max) = (slot.chunk.to_vec()?, slot.chunk.modseq_max);
                edit(&mut entries, &mut modseq_max);
                slot.chunk = Arc::new(Chunk::of(slot.chunk.base, entries, modseq_max));
            }
            block.recount(slots);
            block.slots = shared;
        }
        blocks.retain(|block| block.len > 0);
        self.len = 0;
        for block in blocks.iter_mut() {
            block.start = self.len;
            self.len += block.len;
        }
        Ok(())
    }

    /// Takes chunks that were written from `written` where they are the same as ours: the memory is free then, and the next checkpoint
    /// need not write them again.
    pub(crate) fn adopt(&mut self, written: &EntryTable) {
        let mut theirs = written.chunks().peekable();
        for block in Arc::make_mut(&mut self.blocks) {
            for slot in Slots::edit(&mut block.slots) {
                while theirs.next_if(|chunk| chunk.base < slot.chunk.base).is_some() {}
                if let Some(same) = theirs.next_if(|chunk| chunk.same_as(&slot.chunk)) {
                    slot.chunk = same.clone();
                }
            }
        }
    }
}

/// Entries that are not in memory.
pub struct Cold(Vec<Arc<Chunk>>);

impl Cold {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Reads them from the disk. Who needs them meets what went wrong.
    pub(crate) fn read(&self) {
        self.0.iter().for_each(|chunk| drop(chunk.get(0)));
    }
}

/// Whether a range of `uids` has a uid from `base` to `last`.
fn touches(uids: &UidSet, base: Uid, last: Uid) -> bool {
    let at = uids.ranges().partition_point(|range| range.1 < base.0);
    uids.ranges().get(at).is_some_and(|range| range.0 <= last.0)
}

/// The last item of those from the front for which `holds`.
fn last_before<T>(items: &[T], holds: impl FnMut(&T) -> bool) -> Option<&T> {
    items.partition_point(holds).checked_sub(1).and_then(|at| items.get(at))
}
