//! The names of a shard's log files, and which of them make up the log when compaction has written some anew. Pure.
use crate::base::SegmentId;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A compacted segment that is being written; what a crash leaves of it is nothing.
pub(super) const COMPACTING: &str = "compacting.tmp";

/// `<dir>/seg-0000000001.phl`.
pub(crate) fn segment_path(dir: &Path, id: SegmentId) -> PathBuf {
    dir.join(format!("seg-{:010}.phl", id.0))
}

/// One file of a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Unit {
    pub(crate) first: SegmentId,
    pub(crate) last: SegmentId,
    /// Grows with every compaction; 0 for a segment as it was written.
    pub(crate) generation: u32,
}

impl Unit {
    /// Its file: `seg-0000000001.phl`, or `cold-0000000001-0000000004-00001.phl` for one that stands for four.
    pub(crate) fn path(&self, dir: &Path) -> PathBuf {
        match self.generation {
            0 => segment_path(dir, self.first),
            generation => dir.join(format!("cold-{:010}-{:010}-{generation:05}.phl", self.first.0, self.last.0)),
        }
    }

    /// What a name says; `None` for names that this program does not make.
    pub(crate) fn parse(name: &str) -> Option<Unit> {
        let unit = match name.strip_suffix(".phl")?.split('-').collect::<Vec<_>>()[..] {
            ["seg", id] => {
                let id = SegmentId(id.parse().ok()?);
                Unit { first: id, last: id, generation: 0 }
            }
            ["cold", first, last, generation] => Unit {
                first: SegmentId(first.parse().ok()?),
                last: SegmentId(last.parse().ok()?),
                generation: generation.parse().ok()?,
            },
            _ => return None,
        };
        let ours = unit.path(Path::new("")).to_str() == Some(name) && unit.first <= unit.last;
        (ours && (unit.generation > 0 || unit.first == unit.last)).then_some(unit)
    }

    pub(crate) fn covers(&self, other: &Unit) -> bool {
        self.first <= other.first && other.last <= self.last
    }
}

/// The files that make up the log, in order, and those whose place newer ones have taken, each with that newer one.
pub(super) fn choose(names: &[String]) -> (Vec<Unit>, Vec<(Unit, Unit)>) {
    choose_units(names.iter().filter_map(|name| Unit::parse(name)).collect())
}

/// The same for who has looked into the files and left some out.
pub(crate) fn choose_units(mut all: Vec<Unit>) -> (Vec<Unit>, Vec<(Unit, Unit)>) {
    all.sort_by_key(|unit| std::cmp::Reverse(unit.generation));
    let mut chosen: BTreeMap<SegmentId, Unit> = BTreeMap::new();
    let mut retired = Vec::new();
    for unit in all {
        match chosen.range(..=unit.last).next_back().filter(|(_, newer)| newer.last >= unit.first) {
            // What is only in part in a newer one was never made: whole files are compacted. It stays, for a person to look at.
            Some((_, newer)) if newer.covers(&unit) => retired.push((unit, *newer)),
            Some(_) => {}
            None => drop(chosen.insert(unit.first, unit)),
        }
    }
    (chosen.into_values().collect(), retired)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_file_counts_and_strange_names_do_not() {
        let names: Vec<String> = [
            "seg-0000000001.phl",
            "seg-0000000002.phl",
            "seg-0000000003.phl",
            "seg-0000000004.phl",
            "seg-0000000005.phl",
            "cold-0000000001-0000000002-00001.phl",
            "cold-0000000004-0000000004-00002.phl",
            "cold-0000000001-0000000003-00003.phl",
            "cold-1-2-9.phl",
            "seg-1.phl",
            "cold-0000000002-0000000001-00001.phl",
            "compacting.tmp",
            "seg-0000000009.phl.bak",
        ]
        .map(String::from)
        .to_vec();
        let (chosen, retired) = choose(&names);
        let show = |unit: &Unit| (unit.first.0, unit.last.0, unit.generation);
        assert_eq!(chosen.iter().map(show).collect::<Vec<_>>(), [(1, 3, 3), (4, 4, 2), (5, 5, 0)]);
        let mut retired: Vec<_> = retired.iter().map(|(old, new)| (show(old), new.generation)).collect();
        retired.sort_unstable();
        assert_eq!(retired, [((1, 1, 0), 3), ((1, 2, 1), 3), ((2, 2, 0), 3), ((3, 3, 0), 3), ((4, 4, 0), 2)]);
    }
}
