//! What changed between two views of one mailbox: how sessions learn of each other's changes. Never looks at chunks that did not change.
use super::chunk::Chunk;
use super::entry::Entry;
use super::mailbox::Mailbox;
use super::table::{Block, EntryTable};
use crate::base::{Result, Uid, UidSet};
use std::cmp::Ordering;

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
    let mut found = Diff::default();
    let (mut expunged, mut changed) = (Vec::new(), Vec::new());
    if old.highest_modseq != new.highest_modseq || old.uid_next != new.uid_next {
        chunks(&old.entries, &new.entries, &mut expunged, &mut changed)?;
        let first_new = new.entries.lower_bound(old.uid_next)?;
        found.appended = new.entries.len() - first_new;
    }
    found.expunged = expunged.into_iter().collect();
    found.changed = changed.into_iter().collect();
    Ok(found)
}

/// Where one is in a table: a block, and a chunk in it.
#[derive(Clone, Copy, Default)]
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

fn chunks(old: &EntryTable, new: &EntryTable, expunged: &mut Vec<Uid>, changed: &mut Vec<Uid>) -> Result<()> {
    let (mut ours, mut theirs) = (Cursor::default(), Cursor::default());
    loop {
        // Blocks that both views share are the rule: one look, whatever they hold.
        while let (Some(one), Some(other)) = (ours.begins(old), theirs.begins(new))
            && one.is(other)
        {
            (ours.block, theirs.block) = (ours.block + 1, theirs.block + 1);
        }
        let Some(chunk) = ours.chunk(old) else { return Ok(()) };
        while theirs.chunk(new).is_some_and(|candidate| candidate.base < chunk.base) {
            theirs = theirs.next(new);
        }
        match theirs.chunk(new) {
            Some(same) if same.base == chunk.base => {
                if !chunk.same_as(same) {
                    entries(chunk, same, expunged, changed)?;
                }
                theirs = theirs.next(new);
            }
            _ => expunged.extend(chunk.to_vec()?.iter().map(|entry| entry.uid)),
        }
        ours = ours.next(old);
    }
}

fn entries(old: &Chunk, new: &Chunk, expunged: &mut Vec<Uid>, changed: &mut Vec<Uid>) -> Result<()> {
    let new: Vec<Entry> = new.to_vec()?;
    let mut candidates = new.iter().peekable();
    for entry in old.to_vec()? {
        while candidates.next_if(|candidate| candidate.uid < entry.uid).is_some() {}
        match candidates.peek().map(|candidate| (candidate.uid.cmp(&entry.uid), candidate.modseq)) {
            Some((Ordering::Equal, modseq)) if modseq == entry.modseq => {}
            Some((Ordering::Equal, _)) => changed.push(entry.uid),
            _ => expunged.push(entry.uid),
        }
    }
    Ok(())
}
