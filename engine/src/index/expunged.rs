//! Which entries of a mailbox were expunged, and when: what QRESYNC tells a client that was away (RFC 7162 section 3.2). Bounded: what lies
//! far back gets coarser, and then names more uids or a later time than it has to, never fewer.
use crate::base::limits::EXPUNGED_RANGES_MAX;
use crate::base::{ModSeq, UidSet};
use std::sync::Arc;

/// Uids that were expunged, the last of them at `modseq`. May cover uids that are still there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Gone {
    pub(crate) first: u32,
    pub(crate) last: u32,
    pub(crate) modseq: ModSeq,
}

/// The expunges of a mailbox as disjoint ranges by uid.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expunged(Arc<Vec<Gone>>);

impl Expunged {
    pub(crate) fn new(ranges: Vec<Gone>) -> Expunged {
        Expunged(Arc::new(ranges))
    }

    pub(crate) fn ranges(&self) -> &[Gone] {
        &self.0
    }

    /// Uids that may have been expunged after `modseq`.
    pub(super) fn since(&self, modseq: ModSeq) -> impl Iterator<Item = (u32, u32)> + '_ {
        self.0.iter().filter(move |gone| gone.modseq > modseq).map(|gone| (gone.first, gone.last))
    }

    /// Takes up an expunge.
    pub(crate) fn note(&mut self, uids: &UidSet, modseq: ModSeq) {
        let mut ranges: Vec<Gone> = Vec::with_capacity(self.0.len() + 2 * uids.ranges().len());
        let mut new = uids.ranges().iter().map(|&(first, last)| Gone { first, last, modseq }).peekable();
        for old in self.0.iter() {
            let mut rest = Some(*old);
            // What is left of an older range keeps its time.
            while let (Some(old), Some(gone)) = (rest, new.peek().copied()) {
                if gone.first > old.last {
                    break;
                }
                if gone.last < old.first {
                    push(&mut ranges, gone);
                    new.next();
                    continue;
                }
                if old.first < gone.first {
                    push(&mut ranges, Gone { last: gone.first - 1, ..old });
                }
                if gone.last <= old.last {
                    push(&mut ranges, gone);
                    new.next();
                    rest = (gone.last < old.last).then(|| Gone { first: gone.last + 1, ..old });
                } else {
                    rest = None;
                }
            }
            rest.into_iter().for_each(|rest| push(&mut ranges, rest));
        }
        new.for_each(|gone| push(&mut ranges, gone));
        while ranges.len() > EXPUNGED_RANGES_MAX {
            ranges = coarser(ranges);
        }
        self.0 = Arc::new(ranges);
    }
}

/// Adds a range behind the others, or to the last one where both are one.
fn push(ranges: &mut Vec<Gone>, gone: Gone) {
    match ranges.last_mut() {
        Some(before) if before.last.checked_add(1) == Some(gone.first) && before.modseq == gone.modseq => {
            before.last = gone.last
        }
        _ => ranges.push(gone),
    }
}

impl Gone {
    /// Covers the other one too, and what lies between.
    fn take(&mut self, other: Gone) {
        self.last = self.last.max(other.last);
        self.modseq = self.modseq.max(other.modseq);
    }
}

/// Joins neighbours: the older half of the ranges where they are neighbours, all in pairs if that is not enough.
fn coarser(ranges: Vec<Gone>) -> Vec<Gone> {
    let mut ages: Vec<ModSeq> = ranges.iter().map(|gone| gone.modseq).collect();
    let middle = ages.len() / 2;
    let (_, median, _) = ages.select_nth_unstable(middle);
    let (len, median) = (ranges.len(), *median);
    let mut joined: Vec<Gone> = Vec::with_capacity(len);
    let mut run = 0;
    for gone in &ranges {
        run = if gone.modseq <= median { run + 1 } else { 0 };
        // Runs of eight, so that one does not grow over the whole mailbox.
        match joined.last_mut() {
            Some(before) if run % 8 != 1 && run > 0 => before.take(*gone),
            _ => joined.push(*gone),
        }
    }
    if joined.len() > len / 8 * 7 {
        joined = ranges.chunks(2).map(|pair| pair.iter().skip(1).fold(pair[0], join)).collect();
    }
    joined
}

fn join(mut first: Gone, second: &Gone) -> Gone {
    first.take(*second);
    first
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(ranges: &[(u32, u32)]) -> UidSet {
        UidSet::from_ranges(ranges.iter().copied())
    }

    #[test]
    fn expunges_are_known_by_their_time() {
        let mut expunged = Expunged::default();
        expunged.note(&set(&[(5, 6), (9, 9)]), ModSeq(4));
        expunged.note(&set(&[(7, 8), (1, 1)]), ModSeq(6));
        let since = |modseq| expunged.since(ModSeq(modseq)).collect::<Vec<_>>();
        assert_eq!(since(3), [(1, 1), (5, 6), (7, 8), (9, 9)]);
        assert_eq!(since(4), [(1, 1), (7, 8)]);
        assert_eq!(since(6), []);
        // A range that covers others gives up what is known better.
        let mut expunged = Expunged::new(vec![Gone { first: 1, last: 9, modseq: ModSeq(5) }]);
        expunged.note(&set(&[(3, 4), (9, 12)]), ModSeq(7));
        assert_eq!(expunged.since(ModSeq(1)).collect::<Vec<_>>(), [(1, 2), (3, 4), (5, 8), (9, 12)]);
        assert_eq!(expunged.since(ModSeq(5)).collect::<Vec<_>>(), [(3, 4), (9, 12)]);
    }

    #[test]
    fn what_is_bounded_names_more_and_never_less() {
        let mut seed = 7u64;
        let mut expunged = Expunged::default();
        let mut truth: Vec<(u32, ModSeq)> = Vec::new();
        let mut alive: Vec<u32> = (1..=6000).collect();
        for modseq in 2..4000 {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let uid = alive.swap_remove((seed >> 33) as usize % alive.len());
            expunged.note(&set(&[(uid, uid)]), ModSeq(modseq));
            truth.push((uid, ModSeq(modseq)));
            assert!(expunged.ranges().len() <= EXPUNGED_RANGES_MAX);
            assert!(expunged.ranges().is_sorted_by(|a, b| a.last < b.first));
        }
        for since in [1, 100, 2000, 3900, 3998] {
            let told = UidSet::from_ranges(expunged.since(ModSeq(since)));
            let gone = truth.iter().filter(|(_, modseq)| modseq.0 > since);
            assert!(gone.clone().all(|(uid, _)| told.contains(crate::base::Uid(*uid))), "since {since}");
        }
        // What is recent stays exact but for a few neighbours.
        let last = UidSet::from_ranges(expunged.since(ModSeq(3950)));
        assert!(last.len() < 400, "{} uids for 49 expunges", last.len());
    }
}
