//! Sequence sets and uid sets (RFC 3501 section 9, sequence-set) as ranges of positions in a view. Never expanded into single numbers.
use super::answer::Answer;
use posthouse_engine::base::Uid;
use posthouse_engine::index::{EntryTable, UidSet};
use std::ops::Range;

/// Ascending, disjoint ranges of positions.
pub(super) type Positions = Vec<Range<usize>>;

/// A set as a command names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Set {
    /// `$`: what the last SEARCH has saved (RFC 5182).
    Saved,
    /// Ranges in any order and direction; `None` is `*`.
    Ranges(Vec<(Option<u32>, Option<u32>)>),
}

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
    let mut found = Vec::with_capacity(ranges.len());
    for &(a, b) in ranges {
        if len == 0 && (a.is_none() || b.is_none()) {
            // `*` of an empty mailbox: clients ask for 1:* without looking.
            continue;
        }
        let (a, b) = (a.map_or(len, |n| n as usize), b.map_or(len, |n| n as usize));
        let (low, high) = (a.min(b), a.max(b));
        if high > len {
            return Err(Answer::bad(format!("There is no message {high}; the mailbox has {len}")));
        }
        found.push(low - 1..high);
    }
    Ok(merged(found))
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
pub(super) fn uids_at(positions: &Positions, entries: &EntryTable) -> posthouse_engine::base::Result<UidSet> {
    let mut ranges = Vec::with_capacity(positions.len());
    for range in positions {
        ranges.push((entries.get(range.start)?.uid.0, entries.get(range.end - 1)?.uid.0));
    }
    Ok(UidSet::from_ranges(ranges))
}

fn merged(mut ranges: Positions) -> Positions {
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

/// Cuts ranges into pieces of at most `len` positions.
pub(super) fn pieces(positions: &[Range<usize>], len: usize) -> impl Iterator<Item = Range<usize>> + '_ {
    let cut = move |range: &Range<usize>| {
        let end = range.end;
        range.clone().step_by(len.max(1)).map(move |start| start..end.min(start + len))
    };
    positions.iter().flat_map(cut)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_merge_and_are_cut() {
        let positions = merged(vec![5..9, 0..2, 2..3, 7..12, 4..4]);
        assert_eq!(positions, [0..3, 5..12]);
        let cut: Vec<_> = pieces(&positions, 4).collect();
        assert_eq!(cut, [0..3, 5..9, 9..12]);
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
