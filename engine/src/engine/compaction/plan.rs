//! Which segments a compaction rewrites: those that are cold, and those in which much is dead; neighbours together. Reads no message.
use super::live::Distinct;
use super::{Compact, Compaction, Work};
use crate::base::limits::SEGMENT_BYTES_DEFAULT;
use crate::base::{Locator, Result, SegmentId};
use std::collections::HashMap;

/// Messages that are counted one by one; of more, a share that is chosen by their places.
const COUNTED_MAX: u64 = 2 << 20;
/// Live messages whose places are gathered at once.
const BATCH_MESSAGES_MAX: u64 = 2 << 20;

/// Bytes of log that one file stands for at most: places in its address table have 32 bits and count by eight bytes, so 32 GiB is their end.
const SPAN_BYTES_MAX: u64 = 16 << 30;

/// Neighbouring segments that become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Group {
    pub(super) first: SegmentId,
    pub(super) last: SegmentId,
    /// Groups of one number are looked up together.
    pub(super) batch: usize,
    /// What is alive in them, about.
    pub(super) live_bytes: u64,
}

impl Group {
    pub(super) fn holds(&self, id: SegmentId) -> bool {
        self.first <= id && id <= self.last
    }
}

/// A sealed segment that a checkpoint covers.
struct Candidate {
    first: SegmentId,
    last: SegmentId,
    chosen: bool,
    live: u64,
    live_bytes: u64,
    /// Bytes of log.
    span: u64,
}

impl Work {
    /// The groups of a run, in the order of the log.
    pub(super) fn plan(&self, request: &Compact, now_ms: i64, run: &Compaction) -> Result<Vec<Group>> {
        let covered = self.shared.published.parts().lsn();
        let mut files = self.segments.files();
        // The log goes on in the last one, or behind it.
        files.pop();
        let files: Vec<_> = files.into_iter().filter(|file| file.sealed && file.end_lsn <= covered).collect();
        let mut places = Vec::with_capacity(files.len());
        let mut all = 0;
        for file in &files {
            let messages = self.segments.messages_in(file.id)?.len() as u64;
            places.push(messages);
            all += messages;
        }
        // A power of two, so that a place is counted here if and only if it is counted there.
        let every = all.div_ceil(COUNTED_MAX).max(1).next_power_of_two();
        let counted =
            move |at: &Locator| u64::from(at.offset / 8).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32 & (every - 1) == 0;
        let mut live: HashMap<SegmentId, Distinct<u32>> = HashMap::new();
        self.each_live(run, &mut |at| {
            if counted(&at) {
                live.entry(at.segment).or_default().push(at.offset);
            }
        })?;
        let mut candidates = Vec::with_capacity(files.len());
        for (file, messages) in files.iter().zip(places) {
            let mut found = 0;
            for id in (file.id.0..=file.last_id.0).map(SegmentId) {
                found += live.remove(&id).map_or(0, |offsets| offsets.sorted().len() as u64);
            }
            let sampled = self.segments.messages_in(file.id)?.iter().filter(|at| counted(at)).count() as u64;
            let dead_percent = sampled.saturating_sub(found) * 100 / sampled.max(1);
            let cold = !file.compacted && now_ms.saturating_sub(file.created_ms) >= request.cold_after_ms;
            candidates.push(Candidate {
                first: file.id,
                last: file.last_id,
                chosen: cold || messages > 0 && dead_percent >= u64::from(request.dead_percent.max(1)),
                live: messages * found / sampled.max(1),
                live_bytes: file.len_bytes * found / sampled.max(1),
                span: file.end_lsn.0 - file.first_lsn.0,
            });
        }
        Ok(group(&candidates))
    }
}

/// Neighbours together, as long as what is alive in them fits a segment, and their log an address table.
fn group(candidates: &[Candidate]) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let (mut bytes, mut span, mut open, mut batch, mut gathered) = (0, 0, false, 0, 0);
    for candidate in candidates {
        if !candidate.chosen {
            open = false;
            continue;
        }
        gathered += candidate.live;
        if gathered > BATCH_MESSAGES_MAX {
            (batch, gathered, open) = (batch + 1, candidate.live, false);
        }
        match groups.last_mut() {
            Some(group)
                if open
                    && bytes + candidate.live_bytes <= u64::from(SEGMENT_BYTES_DEFAULT)
                    && span + candidate.span <= SPAN_BYTES_MAX =>
            {
                group.last = candidate.last;
                group.live_bytes += candidate.live_bytes;
                bytes += candidate.live_bytes;
                span += candidate.span;
            }
            _ => {
                let live_bytes = candidate.live_bytes;
                groups.push(Group { first: candidate.first, last: candidate.last, batch, live_bytes });
                (bytes, span, open) = (candidate.live_bytes, candidate.span, true);
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_become_one_as_long_as_they_fit() {
        let candidate = |number: u32, chosen, live_bytes| Candidate {
            first: SegmentId(number),
            last: SegmentId(number),
            chosen,
            live: 10,
            live_bytes,
            span: 1 << 20,
        };
        let half = u64::from(SEGMENT_BYTES_DEFAULT) / 2;
        let all = [
            candidate(1, true, half),
            candidate(2, true, half),
            candidate(3, true, 1),
            candidate(4, false, 1),
            candidate(5, true, 1),
        ];
        let found: Vec<_> = group(&all).iter().map(|group| (group.first.0, group.last.0, group.batch)).collect();
        assert_eq!(found, [(1, 2, 0), (3, 3, 0), (5, 5, 0)]);
    }

    #[test]
    fn however_much_is_dead_an_address_table_reaches_all_of_a_group() {
        let dead = |number| Candidate {
            first: SegmentId(number),
            last: SegmentId(number),
            chosen: true,
            live: 0,
            live_bytes: 0,
            span: 1 << 30,
        };
        let all: Vec<Candidate> = (1..=40).map(dead).collect();
        let groups = group(&all);
        assert!(groups.iter().all(|group| u64::from(group.last.0 - group.first.0 + 1) << 30 <= SPAN_BYTES_MAX));
        assert_eq!(groups.iter().map(|group| group.last.0 - group.first.0 + 1).sum::<u32>(), 40);
        assert_eq!(groups.len(), 3);
    }
}
