//! What changed between two views of one mailbox: how sessions learn of each other's changes. Never looks at chunks that did not change.
use super::entry::Entry;
use super::mailbox::Mailbox;
use super::table::{Chunk, EntryTable};
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

fn chunks(old: &EntryTable, new: &EntryTable, expunged: &mut Vec<Uid>, changed: &mut Vec<Uid>) -> Result<()> {
    let mut new_slots = new.slots().iter().peekable();
    for slot in old.slots() {
        while new_slots.next_if(|candidate| candidate.chunk.base < slot.chunk.base).is_some() {}
        match new_slots.peek() {
            Some(same) if same.chunk.base == slot.chunk.base => {
                if !slot.chunk.same_as(&same.chunk) {
                    entries(&slot.chunk, &same.chunk, expunged, changed)?;
                }
            }
            _ => expunged.extend(slot.chunk.to_vec()?.iter().map(|entry| entry.uid)),
        }
    }
    Ok(())
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
