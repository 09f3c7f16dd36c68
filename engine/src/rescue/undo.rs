//! Takes back what compaction replaced, as long as what it replaced is kept: the compacted segment leaves, and the files before count again. Mail
//! that came after is in other segments and is not touched.
use super::inventory::{self, Log, Segment};
use super::lock::lock;
use crate::base::{Error, Result};
use crate::disk::Disk;
use crate::log::choose_units;
use std::path::Path;

/// What was taken back.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Undone {
    /// Compacted segments that have left, and what each is called now: it may be deleted.
    pub undone: Vec<(String, String)>,
    /// Compacted segments that stay: what they replaced is no longer kept.
    pub final_ones: Vec<String>,
}

/// The files that `cold` has replaced, if all of them are there and their headers are whole.
pub(super) fn replaced<'a>(log: &'a Log, cold: &Segment) -> Option<Vec<&'a Segment>> {
    let own = log.retired.iter().filter(|old| cold.unit.covers(&old.unit) && old.identity.damage.is_none());
    let own: Vec<&Segment> = own.collect();
    let units = choose_units(own.iter().map(|old| old.unit).collect()).0;
    let mut next = cold.unit.first.0;
    for unit in &units {
        if unit.first.0 != next {
            return None;
        }
        next = unit.last.0 + 1;
    }
    (next == cold.unit.last.0 + 1).then(|| own.into_iter().filter(|old| units.contains(&old.unit)).collect())
}

/// Undoes the newest compaction of each part of the log. `stamp` is a part of the new names. Each segment by itself: a crash leaves
/// some undone and some not, and the next call goes on.
///
/// # Errors
/// `Busy`: somebody has the store open. `NotFound`: there is none.
pub fn undo(disk: &dyn Disk, stamp: i64) -> Result<Undone> {
    let _lock = lock(disk)?;
    let inventory = inventory::take(disk)?;
    if inventory.is_empty() {
        return Err(Error::NotFound(format!("a store in {}", disk.full_path(Path::new("")).display())));
    }
    let mut done = Undone::default();
    for log in inventory.logs.values() {
        for cold in log.segments.iter().filter(|segment| segment.is_compacted()) {
            if replaced(log, cold).is_none() {
                done.final_ones.push(cold.name.clone());
                continue;
            }
            let to = cold.path.with_extension(format!("phl-{stamp}.undone"));
            let moved = disk.rename(&cold.path, &to).and_then(|()| disk.sync_dir(&log.dir));
            moved.map_err(|why| Error::io(format!("rename {}", cold.name), why))?;
            done.undone.push((cold.name.clone(), to.display().to_string()));
        }
    }
    Ok(done)
}
