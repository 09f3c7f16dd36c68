//! What changed between two views of one mailbox: how sessions learn of each other's changes. Never looks at chunks that did not change.
use super::chunk::Chunk;
use super::mailbox::Mailbox;
use super::table::{Block, EntryTable};
use crate::base::{Result, UidSet};
use std::cmp::Ordering;

/// Chunks that differ which are looked into at a time: up to 512 entries each.
const CHUNKS_AT_A_TIME: usize = 8;

/// The way from an older view to a newer one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Diff {
    /// Entries of the old view that are gone.
    pub expunged: UidSet,
    /// Entries of both views whose flags or keywords differ (their modseq grew).
    pub changed: UidSet,
    /// Number of entries only in the new view; they come after all of the old.
    pub appended: usize,
}

impl Diff {
    /// Whether both views show the same.
    pub fn is_empty(&self) -> bool {
        self.expunged.is_empty() && self.changed.is_empty() && self.appended == 0
    }
}

/// Compares two views of one mailbox; `new` is not older than `old`.
pub fn diff(old: &Mailbox, new: &Mailbox) -> Result<Diff> {
    let mut comparison = Comparison::new(old, new);
    while comparison.step()? {}
    Ok(comparison.found)
}

/// A comparison under way, for who has others to serve in between: in a large mailbox every entry may have changed.
#[derive(Debug)]
pub struct Comparison<'a> {
    old: &'a Mailbox,
    new: &'a Mailbox,
    ours: Cursor,
    theirs: Cursor,
    found: Diff,
}

impl<'a> Comparison<'a> {
    /// Of two views of one mailbox; `new` is not older than `old`.
    pub fn new(old: &'a Mailbox, new: &'a Mailbox) -> Comparison<'a> {
        Comparison { old, new, ours: Cursor::default(), theirs: Cursor::default(), found: Diff::default() }
    }

    /// Goes on through some thousand entries; false when all is found.
    pub fn step(&mut self) -> Result<bool> {
        let (old, new) = (self.old, self.new);
        if old.highest_modseq == new.highest_modseq && old.uid_next == new.uid_next {
            return Ok(false);
        }
        if self.chunks()? {
            return Ok(true);
        }
        self.found.appended = new.entries.len() - new.entries.lower_bound(old.uid_next)?;
        Ok(false)
    }

    /// What has been found.
    pub fn found(self) -> Diff {
        self.found
    }

    /// Looks into so many chunks that differ; false when none is left.
    fn chunks(&mut self) -> Result<bool> {
        let (old, new) = (&self.old.entries, &self.new.entries);
        for _ in 0..CHUNKS_AT_A_TIME {
            let Some((chunk, same)) = self.next_different(old, new) else { return Ok(false) };
            match same {
                Some(same) => entries(chunk, same, &mut self.found)?,
                None => chunk.entries()?.iter().for_each(|entry| self.found.expunged.push(entry.uid)),
            }
        }
        Ok(true)
    }

    /// The next chunk of the old table that differs, and what has become of it in the new one.
    fn next_different<'t>(
        &mut self,
        old: &'t EntryTable,
        new: &'t EntryTable,
    ) -> Option<(&'t Chunk, Option<&'t Chunk>)> {
        loop {
            // Blocks that both views share are the rule: one look, whatever they hold.
            while let (Some(one), Some(other)) = (self.ours.begins(old), self.theirs.begins(new))
                && one.is(other)
            {
                (self.ours.block, self.theirs.block) = (self.ours.block + 1, self.theirs.block + 1);
            }
            let chunk = self.ours.chunk(old)?;
            while self.theirs.chunk(new).is_some_and(|candidate| candidate.base < chunk.base) {
                self.theirs = self.theirs.next(new);
            }
            self.ours = self.ours.next(old);
            match self.theirs.chunk(new) {
                Some(same) if same.base == chunk.base => {
                    self.theirs = self.theirs.next(new);
                    if !chunk.same_as(same) {
                        return Some((chunk, Some(same)));
                    }
                }
                _ => return Some((chunk, None)),
            }
        }
    }
}

/// Where one is in a table: a block, and a chunk in it.
#[derive(Clone, Copy, Debug, Default)]
struct Cursor {
    block: usize,
    slot: usize,
}

impl Cursor {
    /// The block that begins here.
    fn begins(self, table: &EntryTable) -> Option<&Block> {
        if self.slot == 0 { table.blocks().get(self.block) } else { None }
    }

    fn chunk(self, table: &EntryTable) -> Option<&Chunk> {
        table.blocks().get(self.block)?.slots().get(self.slot).map(|slot| &*slot.chunk)
    }

    fn next(self, table: &EntryTable) -> Cursor {
        match table.blocks().get(self.block) {
            Some(block) if self.slot + 1 < block.slots().len() => Cursor { slot: self.slot + 1, ..self },
            _ => Cursor { block: self.block + 1, slot: 0 },
        }
    }
}

fn entries(old: &Chunk, new: &Chunk, found: &mut Diff) -> Result<()> {
    let (old, new) = (old.entries()?, new.entries()?);
    let mut candidates = new.iter().peekable();
    for entry in &*old {
        while candidates.next_if(|candidate| candidate.uid < entry.uid).is_some() {}
        match candidates.peek().map(|candidate| (candidate.uid.cmp(&entry.uid), candidate.modseq)) {
            Some((Ordering::Equal, modseq)) if modseq == entry.modseq => {}
            Some((Ordering::Equal, _)) => found.changed.push(entry.uid),
            _ => found.expunged.push(entry.uid),
        }
    }
    Ok(())
}
