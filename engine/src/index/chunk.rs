//! Up to 512 entries of a mailbox as an immutable value, in memory or in a mapped index part. Does no I/O; knows nothing of the table it is in.
use super::entry::Entry;
use super::part::PartFile;
use crate::base::limits::{CHUNK_COPY_ENTRIES_MAX, CHUNK_ENTRIES_MAX};
use crate::base::{Error, Flags, ModSeq, Result, Uid};
use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// Up to `CHUNK_ENTRIES_MAX` entries. Two chunks with equal `base`, `len` and `modseq_max` hold the same entries.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// The first uid when the chunk was begun; it names the chunk even when that entry is gone.
    pub(crate) base: Uid,
    pub(crate) last: Uid,
    pub(crate) len: u32,
    pub(crate) modseq_max: ModSeq,
    pub(crate) source: Source,
    /// Where its first entry without \Seen stands, once somebody has looked for it.
    unseen: OnceLock<Option<u16>>,
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
    pub(super) fn of(base: Uid, entries: Vec<Entry>, modseq_max: ModSeq) -> Chunk {
        let last = entries.last().map_or(base, |entry| entry.uid);
        Chunk::from_record((base, last), entries.len() as u32, modseq_max, Source::Memory(entries))
    }

    /// A chunk as a record says that it is.
    pub(super) fn from_record((base, last): (Uid, Uid), len: u32, modseq_max: ModSeq, source: Source) -> Chunk {
        Chunk { base, last, len, modseq_max, source, unseen: OnceLock::new() }
    }

    /// The chunk's bytes in its part; their crc is proven at the first touch.
    fn part_bytes<'a>(&self, part: &'a PartFile, offset: u64, crc: u32, checked: &AtomicBool) -> Result<&'a [u8]> {
        let corrupt = |what: String| Error::corrupt(&part.name, offset, what);
        let start = usize::try_from(offset).map_err(|_| corrupt("an offset within the part expected".into()))?;
        let (len, is_checked) = (self.len as usize * Entry::BYTES, checked.load(Ordering::Relaxed));
        let bytes = match is_checked {
            true => start.checked_add(len).and_then(|end| part.map.get(start..end)),
            false => part.first_read(start, len).transpose()?,
        };
        let bytes = bytes.ok_or_else(|| corrupt("the chunk ends beyond the part".into()))?;
        if !is_checked {
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

    /// Whether to read it may mean to wait for the disk: nobody has read it since the start, nor is it in memory by chance. A hint.
    pub(super) fn is_cold(&self) -> bool {
        match &self.source {
            Source::Memory(_) => false,
            Source::Part { checked, .. } if checked.load(Ordering::Relaxed) => false,
            Source::Part { part, offset, .. } => {
                let start = usize::try_from(*offset).unwrap_or(usize::MAX);
                !part.map.is_resident(start..start.saturating_add(self.len as usize * Entry::BYTES))
            }
        }
    }

    /// Where the first entry without \Seen stands. They are gone through once.
    pub(super) fn first_unseen(&self) -> Result<Option<usize>> {
        if let Some(known) = self.unseen.get() {
            return Ok(known.map(usize::from));
        }
        let mut found = None;
        for at in 0..self.len as usize {
            if !self.get(at)?.flags.contains(Flags::SEEN) {
                found = Some(at);
                break;
            }
        }
        // A position in a chunk fits in 16 bits; one that did not would be looked for each time.
        if let Ok(position) = found.map(u16::try_from).transpose() {
            self.unseen.get_or_init(|| position);
        }
        Ok(found)
    }

    fn uid_at(&self, at: usize) -> Result<Uid> {
        Ok(self.get(at)?.uid)
    }

    /// All of them; copied only from a part.
    pub(super) fn entries(&self) -> Result<Cow<'_, [Entry]>> {
        match &self.source {
            Source::Memory(entries) => Ok(Cow::Borrowed(entries)),
            Source::Part { .. } => (0..self.len as usize).map(|at| self.get(at)).collect(),
        }
    }

    pub(crate) fn to_vec(&self) -> Result<Vec<Entry>> {
        self.entries().map(Cow::into_owned)
    }

    /// How many entries have a smaller uid.
    pub(super) fn lower_bound(&self, uid: Uid) -> Result<usize> {
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

    /// Whether its entries lie in memory and in no index part.
    pub(crate) fn is_in_memory(&self) -> bool {
        matches!(self.source, Source::Memory(_))
    }

    /// Whether the next entry goes into it, and not into a new chunk.
    pub(super) fn takes_more(&self) -> bool {
        let max = if self.is_in_memory() { CHUNK_ENTRIES_MAX } else { CHUNK_COPY_ENTRIES_MAX };
        (self.len as usize) < max
    }

    pub(crate) fn same_as(&self, other: &Chunk) -> bool {
        self.base == other.base && self.len == other.len && self.modseq_max == other.modseq_max
    }
}

impl Chunk {
    /// Adds an entry in place, or to a copy when a view still holds the chunk or it lies in a part.
    pub(super) fn push(chunk: &mut Arc<Chunk>, entry: Entry) -> Result<()> {
        if let Some(Chunk { last, len, modseq_max, source: Source::Memory(entries), unseen, .. }) = Arc::get_mut(chunk)
        {
            entries.push(entry);
            *unseen = OnceLock::new();
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
