//! The entries of a mailbox, sorted by uid, as immutable chunks: a change copies one chunk, a view copies none. Does no I/O; a chunk may lie in a mapped index part.
use super::entry::Entry;
use super::part::PartFile;
use crate::base::limits::CHUNK_ENTRIES_MAX;
use crate::base::{Error, ModSeq, Result, Uid, UidSet};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// Up to `CHUNK_ENTRIES_MAX` entries. Two chunks with equal `base`, `len` and `modseq_max` hold the same entries.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The first uid when the chunk was begun; it names the chunk even when that entry is gone.
    pub(crate) base: Uid,
    pub(crate) last: Uid,
    pub(crate) len: u32,
    pub(crate) modseq_max: ModSeq,
    pub(crate) source: Source,
}

pub(crate) enum Source {
    Memory(Vec<Entry>),
    Part { part: Arc<PartFile>, offset: u64, crc: u32, checked: AtomicBool },
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Memory(entries) => write!(f, "Memory({} entries)", entries.len()),
            Source::Part { part, offset, .. } => write!(f, "Part({} at {offset})", part.id),
        }
    }
}

impl Chunk {
    fn of(base: Uid, entries: Vec<Entry>, modseq_max: ModSeq) -> Chunk {
        let last = entries.last().map_or(base, |entry| entry.uid);
        Chunk { base, last, len: entries.len() as u32, modseq_max, source: Source::Memory(entries) }
    }

    /// The chunk's bytes in its part; their crc is proven at the first touch.
    fn part_bytes<'a>(&self, part: &'a PartFile, offset: u64, crc: u32, checked: &AtomicBool) -> Result<&'a [u8]> {
        let corrupt = |what: String| Error::corrupt(&part.name, offset, what);
        let start = usize::try_from(offset).map_err(|_| corrupt("an offset within the part expected".into()))?;
        let end = start.checked_add(self.len as usize * Entry::BYTES);
        let bytes = end.and_then(|end| part.map.get(start..end));
        let bytes = bytes.ok_or_else(|| corrupt("the chunk ends beyond the part".into()))?;
        if !checked.load(Ordering::Relaxed) {
            let found = crc32fast::hash(bytes);
            if found != crc {
                return Err(corrupt(format!("chunk crc {crc:08x} expected, {found:08x} found")));
            }
            checked.store(true, Ordering::Relaxed);
        }
        Ok(bytes)
    }

    pub(crate) fn get(&self, at: usize) -> Result<Entry> {
        match &self.source {
            Source::Memory(entries) => {
                entries.get(at).copied().ok_or_else(|| Error::Invalid("a position beyond the mailbox".into()))
            }
            Source::Part { part, offset, crc, checked } => {
                let bytes = self.part_bytes(part, *offset, *crc, checked)?;
                let entry = bytes.get(at * Entry::BYTES..).unwrap_or_default();
                Entry::decode(entry)
                    .map_err(|why| Error::corrupt(&part.name, offset + (at * Entry::BYTES) as u64, why.to_string()))
            }
        }
    }

    fn uid_at(&self, at: usize) -> Result<Uid> {
        Ok(self.get(at)?.uid)
    }

    pub(crate) fn to_vec(&self) -> Result<Vec<Entry>> {
        (0..self.len as usize).map(|at| self.get(at)).collect()
    }

    /// How many entries have a smaller uid.
    fn lower_bound(&self, uid: Uid) -> Result<usize> {
        let (mut low, mut high) = (0, self.len as usize);
        while low < high {
            let middle = (low + high) / 2;
            if self.uid_at(middle)? < uid {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        Ok(low)
    }

    pub(crate) fn same_as(&self, other: &Chunk) -> bool {
        self.base == other.base && self.len == other.len && self.modseq_max == other.modseq_max
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Slot {
    /// Entries in the chunks before.
    pub(crate) start: u32,
    pub(crate) chunk: Arc<Chunk>,
}

/// The entries of a mailbox by uid. Cloning is cheap and gives an immutable view.
#[derive(Clone, Debug, Default)]
pub struct EntryTable {
    slots: Arc<Vec<Slot>>,
    len: u32,
}

impl EntryTable {
    /// A table of chunks that were read; `None` when they hold more than 32 bits can count.
    pub(crate) fn from_chunks(chunks: Vec<Chunk>) -> Option<EntryTable> {
        let mut table = EntryTable::default();
        let mut slots = Vec::with_capacity(chunks.len());
        for chunk in chunks {
            let len = chunk.len;
            slots.push(Slot { start: table.len, chunk: Arc::new(chunk) });
            table.len = table.len.checked_add(len)?;
        }
        table.slots = Arc::new(slots);
        Some(table)
    }

    /// Whether the chunks follow each other and stay below what the mailbox says of itself. Reads no entry.
    pub(crate) fn is_whole(&self, uid_next: Uid, highest_modseq: ModSeq) -> bool {
        let in_order = self.slots.is_sorted_by(|a, b| a.chunk.last < b.chunk.base);
        let fits = |chunk: &Chunk| {
            let uids = u64::from(chunk.last.0) + 1 - u64::from(chunk.base.0);
            chunk.last < uid_next && u64::from(chunk.len) <= uids && chunk.modseq_max <= highest_modseq
        };
        in_order && self.slots.iter().all(|slot| slot.chunk.base <= slot.chunk.last && fits(&slot.chunk))
    }

    pub(crate) fn slots(&self) -> &[Slot] {
        &self.slots
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
        let slot = self.slots.partition_point(|slot| slot.start as usize <= position);
        match slot.checked_sub(1).and_then(|slot| self.slots.get(slot)) {
            Some(slot) => slot.chunk.get(position - slot.start as usize),
            None => Err(Error::Invalid("a position beyond the mailbox".into())),
        }
    }

    /// How many entries have a smaller uid: the position of `uid` if it is there.
    pub fn lower_bound(&self, uid: Uid) -> Result<usize> {
        let at = self.slots.partition_point(|slot| slot.chunk.last < uid);
        match self.slots.get(at) {
            Some(slot) => Ok(slot.start as usize + slot.chunk.lower_bound(uid)?),
            None => Ok(self.len()),
        }
    }

    /// The position of `uid`: its sequence number less one.
    pub fn position(&self, uid: Uid) -> Result<Option<usize>> {
        let at = self.lower_bound(uid)?;
        Ok((at < self.len() && self.get(at)?.uid == uid).then_some(at))
    }

    /// The entries at these positions, ascending.
    pub fn range(&self, positions: Range<usize>) -> impl Iterator<Item = Result<Entry>> + '_ {
        let end = positions.end.min(self.len());
        let first = self.slots.partition_point(|slot| slot.start as usize <= positions.start).saturating_sub(1);
        self.slots[first.min(self.slots.len())..].iter().take_while(move |slot| (slot.start as usize) < end).flat_map(
            move |slot| {
                let start = slot.start as usize;
                let from = positions.start.saturating_sub(start);
                let to = (end - start).min(slot.chunk.len as usize);
                (from..to).map(move |at| slot.chunk.get(at))
            },
        )
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

    /// Adds an entry with a uid greater than all.
    pub(crate) fn push(&mut self, entry: Entry) -> Result<()> {
        let slots = Arc::make_mut(&mut self.slots);
        match slots.last_mut() {
            Some(Slot { chunk, .. }) if (chunk.len as usize) < CHUNK_ENTRIES_MAX => Chunk::push(chunk, entry)?,
            _ => {
                let chunk = Arc::new(Chunk::of(entry.uid, vec![entry], entry.modseq));
                slots.push(Slot { start: self.len, chunk });
            }
        }
        self.len += 1;
        Ok(())
    }

    /// Calls `change` for each entry of `uids`; it says whether it changed the entry.
    pub(crate) fn update(&mut self, uids: &UidSet, mut change: impl FnMut(&mut Entry) -> bool) -> Result<()> {
        self.rewrite(uids, |entries, modseq_max| {
            for entry in entries.iter_mut().filter(|entry| uids.contains(entry.uid)) {
                if change(entry) {
                    *modseq_max = (*modseq_max).max(entry.modseq);
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
        let slots = Arc::make_mut(&mut self.slots);
        for slot in slots.iter_mut() {
            let chunk = &slot.chunk;
            let at = uids.ranges().partition_point(|range| range.1 < chunk.base.0);
            if uids.ranges().get(at).is_none_or(|range| range.0 > chunk.last.0) {
                continue;
            }
            let mut entries = chunk.to_vec()?;
            let mut modseq_max = chunk.modseq_max;
            edit(&mut entries, &mut modseq_max);
            slot.chunk = Arc::new(Chunk::of(chunk.base, entries, modseq_max));
        }
        slots.retain(|slot| slot.chunk.len > 0);
        self.len = 0;
        for slot in slots.iter_mut() {
            slot.start = self.len;
            self.len += slot.chunk.len;
        }
        Ok(())
    }
}

impl Chunk {
    /// Adds an entry in place, or to a copy when a view still holds the chunk or it lies in a part.
    fn push(chunk: &mut Arc<Chunk>, entry: Entry) -> Result<()> {
        if let Some(Chunk { last, len, modseq_max, source: Source::Memory(entries), .. }) = Arc::get_mut(chunk) {
            entries.push(entry);
            *last = entry.uid;
            *len += 1;
            *modseq_max = (*modseq_max).max(entry.modseq);
            return Ok(());
        }
        let mut copy = Vec::with_capacity((chunk.len as usize * 2).clamp(4, CHUNK_ENTRIES_MAX));
        match &chunk.source {
            Source::Memory(entries) => copy.extend_from_slice(entries),
            Source::Part { .. } => copy.extend(chunk.to_vec()?),
        }
        copy.push(entry);
        *chunk = Arc::new(Chunk::of(chunk.base, copy, chunk.modseq_max.max(entry.modseq)));
        Ok(())
    }
}
