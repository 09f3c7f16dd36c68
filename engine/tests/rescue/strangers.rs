//! A checkpoint that is not this log's: repair does not take a store back to what it says.
use crate::leaning::frames;
use crate::repair::{apply, plan};
use crate::world::{Files, closed, deliver, disk, files, ids, open, options, people};
use posthouse_engine::Engine;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::rescue::Act;
use std::path::Path;
use std::sync::Arc;

/// Kind of an event frame, as docs/format.md numbers it.
const EVENTS: u8 = 2;

/// A store of the same members in which each has one mail.
fn other() -> Files {
    let disk = SimDisk::new(8);
    let engine = Engine::open(options(Arc::new(disk.clone()), crate::world::SHARDS)).expect("opens").0;
    people(&engine);
    ids(&engine).iter().for_each(|id| deliver(&engine, &[*id], 2, 9000, false));
    engine.close().expect("closes");
    files(&disk)
}

fn is_part(path: &Path) -> bool {
    path.extension().is_some_and(|end| end == "phi") && !path.starts_with("shards/control")
}

#[test]
fn an_account_is_not_taken_back_to_what_a_strange_checkpoint_says() {
    let mut damaged = closed();
    let messages = |files: &Files| {
        let (engine, _) = open(&disk(files)).expect("opens");
        ids(&engine).into_iter().map(|id| engine.account(id).expect("there").messages).collect::<Vec<_>>()
    };
    let good = messages(&damaged);
    damaged.retain(|path, _| !is_part(path));
    damaged.extend(other().into_iter().filter(|(path, _)| is_part(path)));
    // Events that are lost make the checkpoint the one that may know better.
    let all = frames(&damaged);
    let (path, _, _, at, _) = all.iter().filter(|frame| frame.1 == EVENTS).nth(1).expect("a second transaction");
    damaged.get_mut(path).expect("there")[at + 32] ^= 1;
    let disk = disk(&damaged);
    let steps = plan(&disk).expect("plans");
    assert!(!steps.iter().any(|step| step.act == Act::Restore), "{steps:#?}");
    apply(&disk).expect("mends");
    let mended = messages(&files(&disk));
    let fewer: u64 = good.iter().zip(&mended).map(|(good, now)| good - now).sum();
    assert!(fewer <= 1, "one delivery was damaged: {good:?} before, {mended:?} now\n{steps:#?}");
}
