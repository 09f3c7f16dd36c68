//! Sequence sets and uid sets (RFC 3501 section 9, sequence-set) as ranges of positions in a view. Never expanded into single numbers.
use super::answer::Answer;
use posthouse_engine::base::{Uid, in_groups};
use posthouse_engine::index::{Entry, EntryTable, UidSet};
use std::ops::Range;

/// Ascending, disjoint ranges of positions.
pub(super) type Positions = Vec<Range<usize>>;

/// A set as a command names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// `$`: what the last SEARCH has saved (RFC 5182).
    Saved,
    /// Ranges in any order and direction; `None` is `*`.
    Ranges(Vec<Ends>),
}

/// The ends of a range; `None` is `*`.
pub(super) type Ends = (Option<u32>, Option<u32>);

/// What the numbers of a set stand for.
#[derive(Clone, Copy)]
pub(super) struct Numbers<'a> {
    pub(super) entries: &'a EntryTable,
    /// The uids of `$`.
    pub(super) saved: &'a UidSet,
}

/// The positions that a set names. Message numbers beyond the mailbox are BAD; uids that are not there are passed over.
pub(super) fn positions(set: &Set, uid: bool, numbers: Numbers<'_>) -> Result<Positions, Answer> {
    let ranges = match set {
        Set::Ranges(ranges) if !uid => ranges,
        _ => {
            let found = uids_of(set, numbers).and_then(|uids| uid_positions(&uids, numbers.entries));
            return found.map_err(Answer::from);
        }
    };
    let len = numbers.entries.len();
    let found: Positions = numbered(ranges, len).collect();
    match found.iter().map(|range| range.end).max().filter(|high| *high > len) {
        Some(high) => Err(Answer::bad(format!("There is no message {high}; the mailbox has {len}"))),
        None => Ok(merged(found)),
    }
}

/// The positions of those message numbers that there are.
pub(super) fn positions_there(ranges: &[Ends], entries: &EntryTable) -> Positions {
    let len = entries.len();
    merged(numbered(ranges, len).map(|range| range.start..range.end.min(len)).collect())
}

/// Positions of message numbers, which may reach beyond the end; none for `*` of an empty mailbox, as clients ask for 1:* without looking.
fn numbered(ranges: &[Ends], len: usize) -> impl Iterator<Item = Range<usize>> + '_ {
    ranges.iter().filter(move |(a, b)| len > 0 || (a.is_some() && b.is_some())).map(move |&(a, b)| {
        let (a, b) = (a.map_or(len, |n| n as usize), b.map_or(len, |n| n as usize));
        a.min(b) - 1..a.max(b)
    })
}

/// The uids that a set names; `*` is the greatest of the view (RFC 3501 section 6.4.8), and none when the view is empty.
pub(super) fn uids_of(set: &Set, numbers: Numbers<'_>) -> posthouse_engine::base::Result<UidSet> {
    let ranges = match set {
        Set::Saved => return Ok(numbers.saved.clone()),
        Set::Ranges(ranges) => ranges,
    };
    let Some(last) = numbers.entries.len().checked_sub(1) else {
        return Ok(UidSet::new());
    };
    let max = numbers.entries.get(last)?.uid.0;
    let ordered = ranges.iter().map(|&(a, b)| (a.unwrap_or(max), b.unwrap_or(max)));
    let ordered = ordered.map(|(a, b)| (a.min(b), a.max(b).min(max)));
    Ok(UidSet::from_ranges(ordered.filter(|range| range.0 <= range.1)))
}

/// Where the uids of a set stand.
pub(super) fn uid_positions(uids: &UidSet, entries: &EntryTable) -> posthouse_engine::base::Result<Positions> {
    let mut ranges = Vec::with_capacity(uids.ranges().len());
    for &(first, last) in uids.ranges() {
        let from = entries.lower_bound(Uid(first))?;
        let to = match last.checked_add(1) {
            Some(after) => entries.lower_bound(Uid(after))?,
            None => entries.len(),
        };
        ranges.push(from..to);
    }
    Ok(merged(ranges))
}

/// A uid set that holds exactly those entries of the view that stand at these positions. Between two neighbours of a view no uid can
/// appear any more, so that whole ranges may be named by their ends.
pub(super) fn uids_at(positions: &[Range<usize>], entries: &EntryTable) -> posthouse_engine::base::Result<UidSet> {
    let mut ranges = Vec::with_capacity(positions.len());
    for range in positions {
        ranges.push((entries.get(range.start)?.uid.0, entries.get(range.end - 1)?.uid.0));
    }
    Ok(UidSet::from_ranges(ranges))
}

/// Ascending and disjoint.
pub(super) fn merged(mut ranges: Positions) -> Positions {
    ranges.retain(|range| range.start < range.end);
    ranges.sort_unstable_by_key(|range| range.start);
    let mut merged: Positions = Vec::with_capacity(ranges.len());
    for range in ranges {
        match merged.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => merged.push(range),
        }
    }
    merged
}

/// Adds a position greater than all.
pub(super) fn push(positions: &mut Positions, at: usize) {
    match positions.last_mut() {
        Some(last) if last.end == at => last.end += 1,
        _ => positions.push(at..at + 1),
    }
}

/// How many positions there are.
pub(super) fn count(positions: &[Range<usize>]) -> usize {
    positions.iter().map(Range::len).sum()
}

/// Leaves only the last `len` positions.
pub(super) fn keep_last(positions: &mut Positions, len: usize) {
    let mut over = count(positions).saturating_sub(len);
    for range in positions.iter_mut() {
        let left = over.min(range.len());
        range.start += left;
        over -= left;
    }
    positions.retain(|range| !range.is_empty());
}

/// The positions that are in both.
pub(super) fn common(a: &[Range<usize>], b: &[Range<usize>]) -> Positions {
    let (mut at_a, mut at_b) = (0, 0);
    let mut found = Vec::new();
    while let (Some(of_a), Some(of_b)) = (a.get(at_a), b.get(at_b)) {
        let both = of_a.start.max(of_b.start)..of_a.end.min(of_b.end);
        if !both.is_empty() {
            found.push(both);
        }
        if of_a.end < of_b.end { at_a += 1 } else { at_b += 1 }
    }
    found
}

/// The same positions in groups of at most `len`, whatever gaps there are.
pub(super) fn groups(positions: &[Range<usize>], len: usize) -> impl Iterator<Item = Positions> + '_ {
    in_groups(positions.iter().cloned(), len)
}

/// The entries at these positions, each with its own.
pub(super) fn entries<'a>(
    positions: &'a [Range<usize>],
    table: &'a EntryTable,
) -> impl Iterator<Item = (usize, posthouse_engine::base::Result<Entry>)> + 'a {
    positions.iter().flat_map(|range| range.clone().zip(table.range(range.clone())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge_and_are_cut() {
        let positions = merged(vec![5..9, 0..2, 2..3, 7..12, 4..4]);
        assert_eq!(positions, [0..3, 5..12]);
        let one = |range| std::iter::once(range).collect::<Vec<_>>();
        let groups = |len| groups(&positions, len).collect::<Vec<_>>();
        assert_eq!(groups(4), [vec![0..3, 5..6], one(6..10), one(10..12)]);
        assert_eq!(groups(10), std::slice::from_ref(&positions));
        assert_eq!(super::groups(&[], 4).count(), 0);
    }

    #[test]
    fn the_last_and_the_common() {
        let kept = |len| {
            let mut positions = vec![0..3, 5..12];
            keep_last(&mut positions, len);
            positions
        };
        assert_eq!(kept(20), [0..3, 5..12]);
        assert_eq!(kept(8), [2..3, 5..12]);
        assert_eq!((kept(7).len(), kept(7).first()), (1, Some(&(5..12))));
        assert_eq!((kept(2).len(), kept(2).first()), (1, Some(&(10..12))));
        assert!(kept(0).is_empty());
        assert_eq!(common(&[0..3, 5..12], &[1..6, 7..8, 11..20]), [1..3, 5..6, 7..8, 11..12]);
        assert!(common(&[0..3, 9..10], &[3..6, 7..9]).is_empty());
        assert_eq!(numbered(&[(Some(9), None), (Some(2), Some(1))], 3).collect::<Vec<_>>(), [2..9, 0..2]);
    }

    #[test]
    fn an_empty_mailbox_has_no_messages() {
        let empty = EntryTable::default();
        let numbers = Numbers { entries: &empty, saved: &UidSet::new() };
        let set = |first| Set::Ranges(vec![(Some(first), None), (Some(7), Some(first))]);
        assert_eq!(positions(&set(1), true, numbers), Ok(vec![]));
        assert_eq!(positions(&Set::Ranges(vec![(Some(1), None)]), false, numbers), Ok(vec![]));
        assert!(matches!(positions(&set(1), false, numbers), Err(Answer::Bad(_))));
    }
}
