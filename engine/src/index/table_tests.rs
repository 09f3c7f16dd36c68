//! The table of a large mailbox against a plain list: positions, uids, changes, what a session learns of them, what a checkpoint gives back.
use super::chunk::Chunk;
use super::diff::{Comparison, diff};
use super::{Entry, Mailbox};
use crate::base::{Flags, Guid, Keywords, Locator, MailboxId, ModSeq, SegmentId, Uid, UidSet};
use crate::disk::sim::Random;
use crate::index::expunged::Expunged;
use crate::index::metadata::Metadata;
use crate::index::table::EntryTable;
use std::sync::Arc;

fn entry(uid: u32, modseq: u64) -> Entry {
    Entry {
        uid: Uid(uid),
        size_bytes: 100,
        modseq: ModSeq(modseq),
        flags: Flags::NONE,
        keywords: Keywords(0),
        internal_date: 0,
        save_date: 0,
        locator: Locator { segment: SegmentId(1), offset: uid },
        guid: Guid([0; 16]),
    }
}

fn mailbox() -> Mailbox {
    Mailbox {
        id: MailboxId::INBOX,
        name: "INBOX".into(),
        uid_validity: 1,
        uid_next: Uid(1),
        highest_modseq: ModSeq(1),
        special_use: None,
        keywords: Arc::default(),
        entries: EntryTable::default(),
        unseen: 0,
        deleted: 0,
        size_bytes: 0,
        recent_from: Uid(1),
        expunged: Expunged::default(),
        metadata: Metadata::default(),
        readers: super::Readers::default(),
    }
}

/// A mailbox and the list that it must be like.
struct Both {
    mailbox: Mailbox,
    list: Vec<Entry>,
}

impl Both {
    fn push(&mut self) {
        let (uid, modseq) = (self.mailbox.uid_next.0, self.mailbox.highest_modseq.0 + 1);
        self.mailbox.entries.push(entry(uid, modseq)).expect("taken");
        self.list.push(entry(uid, modseq));
        (self.mailbox.uid_next, self.mailbox.highest_modseq) = (Uid(uid + 1), ModSeq(modseq));
    }

    fn change(&mut self, uids: &UidSet, remove: bool) {
        let modseq = ModSeq(self.mailbox.highest_modseq.0 + 1);
        self.mailbox.highest_modseq = modseq;
        if remove {
            self.mailbox.entries.remove(uids, modseq, |_| {}).expect("removed");
            self.list.retain(|entry| !uids.contains(entry.uid));
            return;
        }
        let set = |entry: &mut Entry| (entry.flags, entry.modseq) = (Flags::SEEN, modseq);
        self.mailbox.entries.update(uids, |entry| (set(entry), true).1).expect("updated");
        self.list.iter_mut().filter(|entry| uids.contains(entry.uid)).for_each(set);
    }

    fn same(&self, random: &mut Random) {
        let (table, list) = (&self.mailbox.entries, &self.list);
        assert_eq!(table.len(), list.len());
        let all: Vec<Entry> = table.range(0..table.len()).map(|entry| entry.expect("there")).collect();
        assert_eq!(&all, list);
        for _ in 0..50 {
            let at = random.below(list.len() as u64) as usize;
            assert_eq!(table.get(at).expect("there"), list[at]);
            assert_eq!(table.position(list[at].uid).expect("there"), Some(at));
            let some: Vec<_> = table.range(at..at + 700).map(|entry| entry.expect("there")).collect();
            assert_eq!(some, list[at..list.len().min(at + 700)]);
            let uid = Uid(random.below(u64::from(self.mailbox.uid_next.0)) as u32);
            let below = list.partition_point(|entry| entry.uid < uid);
            assert_eq!(table.lower_bound(uid).expect("there"), below);
        }
        assert!(table.get(list.len()).is_err());
        assert!(table.is_whole(self.mailbox.uid_next, self.mailbox.highest_modseq));
        self.weighed();
    }

    /// What is counted for each block once is what its chunks are now.
    fn weighed(&self) {
        let table = &self.mailbox.entries;
        for all_parts_kept in [false, true] {
            let kept = |chunk: &Arc<Chunk>| all_parts_kept && !chunk.is_in_memory();
            let entries = |chunk: &Arc<Chunk>| if kept(chunk) { 0 } else { u64::from(chunk.len) * Entry::BYTES as u64 };
            let bytes: u64 = table.chunks().map(|chunk| 44 + entries(chunk)).sum();
            assert_eq!(table.checkpoint_bytes_max(&|_| all_parts_kept), bytes);
        }
    }

    /// What a session that has the older view learns.
    fn told(&self, older: &(Mailbox, Vec<Entry>)) {
        let (mut comparison, mut pieces) = (Comparison::new(&older.0, &self.mailbox), 1);
        while comparison.go_on().expect("compared") {
            pieces += 1;
        }
        let found = comparison.found();
        assert_eq!(found, diff(&older.0, &self.mailbox).expect("compared"));
        let differ = found.changed.len() + found.expunged.len();
        assert!(differ <= pieces * 8 * 512, "{differ} entries differ, found in {pieces} pieces");
        let now = |uid: Uid| self.list.binary_search_by_key(&uid, |entry| entry.uid).ok().map(|at| self.list[at]);
        let expunged: UidSet = older.1.iter().filter(|entry| now(entry.uid).is_none()).map(|entry| entry.uid).collect();
        let differs = |entry: &&Entry| now(entry.uid).is_some_and(|now| now.modseq != entry.modseq);
        let changed: UidSet = older.1.iter().filter(differs).map(|entry| entry.uid).collect();
        let appended = self.list.iter().filter(|entry| entry.uid >= older.0.uid_next).count();
        assert_eq!((found.expunged, found.changed, found.appended), (expunged, changed, appended));
    }
}

#[test]
fn a_table_of_several_blocks_is_like_a_list() {
    let mut random = Random::new(11);
    let mut both = Both { mailbox: mailbox(), list: Vec::new() };
    // Two blocks and a little: 512 entries in a chunk, 128 chunks in a block.
    (0..140_000).for_each(|_| both.push());
    both.same(&mut random);
    for round in 0..40 {
        let older = (both.mailbox.clone(), both.list.clone());
        for _ in 0..3 {
            let first = random.below(u64::from(both.mailbox.uid_next.0)) as u32 + 1;
            let many = if round % 8 == 0 { 70_000 } else { random.below(1500) as u32 };
            let uids = UidSet::range(Uid(first), Uid(first + many));
            let remove = random.below(2) == 0 && both.list.len() > 100_000;
            both.change(&uids, remove);
            (0..random.below(600)).for_each(|_| both.push());
            both.weighed();
        }
        both.told(&older);
    }
    both.same(&mut random);
}

#[test]
fn what_was_written_is_taken_back_and_what_changed_since_is_not() {
    let mut random = Random::new(12);
    let mut both = Both { mailbox: mailbox(), list: Vec::new() };
    (0..70_000).for_each(|_| both.push());
    // As if a checkpoint had written it: the same chunks in other memory.
    let mut written = EntryTable::default();
    both.list.iter().for_each(|entry| written.push(*entry).expect("taken"));
    both.change(&UidSet::range(Uid(600), Uid(700)), false);
    both.change(&UidSet::range(Uid(30_000), Uid(31_000)), true);
    (0..5).for_each(|_| both.push());
    both.mailbox.entries.adopt(&written);
    both.same(&mut random);
    let taken = both.mailbox.entries.chunks().filter(|chunk| written.chunks().any(|other| Arc::ptr_eq(chunk, other)));
    // 137 chunks: the flags were in one or two of them, the removed ones in two or three, the new ones in the last.
    assert!((130..136).contains(&taken.count()));
}
