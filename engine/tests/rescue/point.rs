//! A restore to a point in time after a repair: what the repair put back carries no time of its own, and is there all the same.
use crate::repair::{apply, plan, see};
use crate::world::{Files, closed, disk, files};
use posthouse_engine::base::{Clock, ShardId, SimClock};
use posthouse_engine::disk::Disk;
use posthouse_engine::rescue::Act;
use posthouse_engine::take_back;
use std::path::Path;
use std::sync::Arc;

/// When repairs are made here, in seconds; the stores are from nine seconds before.
const REPAIRED: i64 = 1_700_000_009;

/// The store after a repair of events that are lost in `shard`, which a checkpoint knows.
fn repaired(shard: &str) -> Files {
    let mut damaged = closed();
    let path = Path::new("shards").join(shard).join("seg-0000000001.phl");
    let bytes = damaged.get_mut(&path).expect("there");
    let end = bytes.len().min(900);
    bytes[64..end].fill(0);
    let disk = disk(&damaged);
    let planned = plan(&disk).expect("plans");
    assert!(planned.iter().any(|step| step.act == Act::Restore), "{shard}: {planned:#?}");
    apply(&disk).expect("applied");
    files(&disk)
}

/// Only that shard: the last changes of the others carry no time, and go.
fn taken_back(repaired: &Files, shard: &str, at: i64) -> Files {
    let mut without = repaired.clone();
    without.retain(|path, _| path.extension().is_none_or(|end| end != "phi"));
    let disk: Arc<dyn Disk> = Arc::new(disk(&without));
    let clock: Arc<dyn Clock> = Arc::new(SimClock::at_ms(REPAIRED * 1000 + 5_000));
    let id = shard.parse().map_or(ShardId::CONTROL, ShardId);
    take_back(&disk, &clock, id, at, None).expect("taken back");
    let dir = Path::new("shards").join(shard);
    for name in disk.list(&dir).expect("listed") {
        let path = dir.join(name);
        without.insert(path.clone(), disk.map(&path).expect("read").to_vec());
    }
    without
}

#[test]
fn what_a_repair_put_back_is_there_at_any_later_time() {
    for shard in ["control", "00000", "00001"] {
        let repaired = repaired(shard);
        let there = see(&disk(&repaired), shard);
        for after in [0, 1, 1_000] {
            let case = format!("{shard}, {after} seconds after the repair");
            let found = see(&disk(&taken_back(&repaired, shard, REPAIRED + after)), &case);
            crate::world::same(&found.lines, &there.lines, &case);
        }
    }
}
