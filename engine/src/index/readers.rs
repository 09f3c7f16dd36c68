//! What members who are not its owner have seen of a mailbox: each has its own \Seen there, the owner's stands in the entries. A value, like
//! the mailbox that has it.
use super::Accounts;
use super::shard::corrupt;
use crate::base::{AccountId, Result, Uid, UidSet};
use crate::format::Event;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The uids that each reader has seen; only those of entries that are there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Readers(Arc<BTreeMap<AccountId, Arc<UidSet>>>);

impl Readers {
    /// What a reader has seen.
    pub fn seen(&self, reader: AccountId) -> Option<&Arc<UidSet>> {
        self.0.get(&reader)
    }

    /// Whether a reader has seen an entry.
    pub fn has_seen(&self, reader: AccountId, uid: Uid) -> bool {
        self.seen(reader).is_some_and(|seen| seen.contains(uid))
    }

    /// How many of the entries a reader has seen.
    pub fn count(&self, reader: AccountId) -> u64 {
        self.seen(reader).map_or(0, |seen| seen.len())
    }

    /// All readers that have seen something, by number.
    pub fn iter(&self) -> impl Iterator<Item = (AccountId, &UidSet)> {
        self.0.iter().map(|(reader, seen)| (*reader, &**seen))
    }

    /// How many readers have seen something.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether nobody has seen anything.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Puts what a reader has seen in place of what is there.
    pub(super) fn set(&mut self, reader: AccountId, seen: UidSet) {
        let all = Arc::make_mut(&mut self.0);
        if seen.is_empty() {
            all.remove(&reader);
        } else {
            all.insert(reader, Arc::new(seen));
        }
    }

    /// A reader has seen more, or wants some of it unseen.
    pub(super) fn change(&mut self, reader: AccountId, on: bool, uids: &UidSet) {
        let before = self.seen(reader).cloned().unwrap_or_default();
        self.set(reader, if on { before.union(uids) } else { before.without(uids) });
    }

    /// Entries are gone.
    pub(super) fn forget(&mut self, uids: &UidSet) {
        if self.is_empty() {
            return;
        }
        let all = Arc::make_mut(&mut self.0);
        all.retain(|_, seen| {
            let left = seen.without(uids);
            if left != **seen {
                *seen = Arc::new(left);
            }
            !seen.is_empty()
        });
    }

    /// Ranges of all readers together.
    pub(super) fn range_count(&self) -> usize {
        self.0.values().map(|seen| seen.ranges().len()).sum()
    }

    /// The greatest uid that somebody has seen.
    pub(super) fn last(&self) -> Option<Uid> {
        self.0.values().filter_map(|seen| seen.ranges().last()).map(|range| Uid(range.1)).max()
    }
}

impl Accounts {
    /// The entries whose state changes for the reader get the modseq, so that its other sessions hear of it. So do the owner's sessions and
    /// those of other readers, for whom nothing has changed: one counter is the mailbox's, whoever looks.
    pub(super) fn change_seen(&mut self, event: &Event) -> Result<()> {
        let Event::SeenChanged { account, mailbox, reader, modseq, on, uids } = event else {
            return Ok(());
        };
        let mailbox = self.place(*account, *mailbox)?.2;
        if *modseq <= mailbox.highest_modseq {
            return corrupt(format!("modseq {modseq} of {} is used already", mailbox.name));
        }
        let readers = &mailbox.readers;
        let mut changed = UidSet::new();
        mailbox.entries.update(uids, |entry| {
            if readers.has_seen(*reader, entry.uid) == *on {
                return false;
            }
            changed.push(entry.uid);
            entry.modseq = *modseq;
            true
        })?;
        mailbox.readers.change(*reader, *on, &changed);
        mailbox.highest_modseq = *modseq;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uids(text: &[(u32, u32)]) -> UidSet {
        UidSet::from_ranges(text.iter().copied())
    }

    #[test]
    fn what_is_gone_is_seen_by_nobody() {
        let mut readers = Readers::default();
        readers.change(AccountId(7), true, &uids(&[(2, 9), (12, 12)]));
        readers.change(AccountId(8), true, &uids(&[(4, 4)]));
        readers.change(AccountId(7), false, &uids(&[(3, 3)]));
        assert_eq!(readers.count(AccountId(7)), 8);
        readers.forget(&uids(&[(4, 5), (8, 20)]));
        assert_eq!(readers.seen(AccountId(7)).map(|seen| seen.ranges().to_vec()), Some(vec![(2, 2), (6, 7)]));
        assert_eq!((readers.len(), readers.count(AccountId(8))), (1, 0));
        assert_eq!(readers.last(), Some(Uid(7)));
    }
}
