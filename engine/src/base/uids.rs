//! A set of uids as sorted, disjoint, inclusive ranges; never expanded into single numbers in memory.
use super::Uid;
use super::bytes::{DecodeError, Put, Reader};
use std::ops::Range;

/// A set of uids.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UidSet {
    ranges: Vec<(u32, u32)>,
}

impl UidSet {
    /// The empty set.
    pub fn new() -> UidSet {
        UidSet::default()
    }

    /// All uids from `first` to `last`, both included, in either order.
    pub fn range(first: Uid, last: Uid) -> UidSet {
        UidSet { ranges: vec![(first.0.min(last.0), first.0.max(last.0))] }
    }

    /// The union of ranges in any order.
    pub fn from_ranges(ranges: impl IntoIterator<Item = (u32, u32)>) -> UidSet {
        let mut sorted: Vec<(u32, u32)> = ranges.into_iter().map(|(a, b)| (a.min(b), a.max(b))).collect();
        sorted.sort_unstable();
        let mut set = UidSet { ranges: Vec::with_capacity(sorted.len()) };
        for range in sorted {
            set.push_range(range.0, range.1);
        }
        set
    }

    /// Adds a uid that is greater than all in the set.
    pub fn push(&mut self, uid: Uid) {
        debug_assert!(self.ranges.last().is_none_or(|last| uid.0 > last.1), "uids are pushed in order");
        self.push_range(uid.0, uid.0);
    }

    /// Adds the uids of a range that does not begin before the last one in the set.
    pub fn push_range(&mut self, first: u32, last: u32) {
        match self.ranges.last_mut() {
            Some(end) if first <= end.1.saturating_add(1) => end.1 = end.1.max(last),
            _ => self.ranges.push((first, last)),
        }
    }

    /// Whether `uid` is in the set.
    pub fn contains(&self, uid: Uid) -> bool {
        let at = self.ranges.partition_point(|range| range.1 < uid.0);
        self.ranges.get(at).is_some_and(|range| range.0 <= uid.0)
    }

    /// What is in one of the two sets.
    #[must_use]
    pub fn union(&self, other: &UidSet) -> UidSet {
        UidSet::from_ranges(self.ranges.iter().chain(&other.ranges).copied())
    }

    /// What is not in `other`.
    #[must_use]
    pub fn without(&self, other: &UidSet) -> UidSet {
        let mut left = UidSet { ranges: Vec::with_capacity(self.ranges.len()) };
        let mut gone = other.ranges.iter().copied().peekable();
        for &(first, last) in &self.ranges {
            let mut from = Some(first);
            while gone.next_if(|range| range.1 < first).is_some() {}
            // A range of `other` may reach into the next range of this set.
            let mut ahead = gone.clone();
            while let (Some(start), Some(range)) = (from, ahead.next_if(|range| range.0 <= last)) {
                if range.0 > start {
                    left.ranges.push((start, range.0 - 1));
                }
                from = range.1.checked_add(1).filter(|next| *next <= last).map(|next| next.max(start));
            }
            left.ranges.extend(from.map(|start| (start, last)));
        }
        left
    }

    /// Whether nothing is in the set.
    pub fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// How many uids are in the set.
    pub fn len(&self) -> u64 {
        self.ranges.iter().map(|(first, last)| u64::from(last - first) + 1).sum()
    }

    /// The sorted, disjoint, inclusive ranges.
    pub fn ranges(&self) -> &[(u32, u32)] {
        &self.ranges
    }

    /// The same uids in sets of at most `len`, ascending.
    pub fn pieces(&self, len: u32) -> Vec<UidSet> {
        let ranges = self.ranges.iter().map(|&(first, last)| first as usize..last as usize + 1);
        let inclusive = |range: &Range<usize>| (range.start as u32, (range.end - 1) as u32);
        in_groups(ranges, len as usize).map(|group| UidSet { ranges: group.iter().map(inclusive).collect() }).collect()
    }

    /// Every uid in ascending order.
    pub fn iter(&self) -> impl Iterator<Item = Uid> + '_ {
        self.ranges.iter().flat_map(|&(first, last)| (first..=last).map(Uid))
    }

    /// Appends count and ranges as varint gaps.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.put_varint(self.ranges.len() as u64);
        let mut before = 0;
        for &(first, last) in &self.ranges {
            out.put_varint(u64::from(first - before));
            out.put_varint(u64::from(last - first));
            before = last;
        }
    }

    /// Reads what `encode` wrote; overlapping or overflowing ranges are an error, and so is uid 0, which no entry ever has.
    pub fn decode(reader: &mut Reader<'_>) -> Result<UidSet, DecodeError> {
        let count = reader.count()?;
        let mut set = UidSet { ranges: Vec::with_capacity(count) };
        let mut before = 0u32;
        for _ in 0..count {
            let gap = reader.varint_u32()?;
            let span = reader.varint_u32()?;
            let first = before.checked_add(gap).filter(|_| gap > 0);
            let range = first.and_then(|first| Some((first, first.checked_add(span)?)));
            let Some((first, last)) = range else {
                return reader.error("growing uid ranges expected");
            };
            set.ranges.push((first, last));
            before = last;
        }
        Ok(set)
    }
}

/// The numbers of disjoint ranges in groups of `len`, the last of what is left, whatever gaps there are; each group is ranges again.
pub fn in_groups(ranges: impl Iterator<Item = Range<usize>>, len: usize) -> impl Iterator<Item = Vec<Range<usize>>> {
    let (mut ranges, len) = (ranges.filter(|range| !range.is_empty()), len.max(1));
    let mut rest = 0..0;
    std::iter::from_fn(move || {
        let (mut group, mut room) = (Vec::new(), len);
        while room > 0 {
            if rest.is_empty() {
                let Some(next) = ranges.next() else { break };
                rest = next;
            }
            let end = rest.end.min(rest.start + room);
            room -= end - rest.start;
            group.push(rest.start..end);
            rest.start = end;
        }
        (!group.is_empty()).then_some(group)
    })
}

impl FromIterator<Uid> for UidSet {
    fn from_iter<I: IntoIterator<Item = Uid>>(uids: I) -> UidSet {
        UidSet::from_ranges(uids.into_iter().map(|uid| (uid.0, uid.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_hold_the_same() {
        let set = UidSet::from_ranges([(1, 3), (7, 7), (9, 14), (u32::MAX - 1, u32::MAX)]);
        let of = |ranges: &[(u32, u32)]| UidSet::from_ranges(ranges.iter().copied());
        assert_eq!(set.pieces(5), [of(&[(1, 3), (7, 7), (9, 9)]), of(&[(10, 14)]), of(&[(u32::MAX - 1, u32::MAX)])]);
        assert_eq!(set.pieces(u32::MAX), std::slice::from_ref(&set));
        assert!(UidSet::new().pieces(5).is_empty());
        assert_eq!(of(&[(4, 6)]).pieces(2), [of(&[(4, 5)]), of(&[(6, 6)])]);
    }

    #[test]
    fn only_uids_that_can_be_are_read() {
        let set = UidSet::from_ranges([(1, 3), (5, u32::MAX)]);
        let mut bytes = Vec::new();
        set.encode(&mut bytes);
        assert_eq!(UidSet::decode(&mut Reader::new(&bytes)), Ok(set));
        for wrong in [&[1, 0, 0][..], &[2, 1, 0, 0, 1], &[1, 1, 0xff, 0xff, 0xff, 0xff, 0x0f]] {
            assert!(UidSet::decode(&mut Reader::new(wrong)).is_err(), "{wrong:?}");
        }
    }
}
