//! rebuild throws away what is derived and comes to the same state from the segments alone; the old files are kept; a damaged log stops it
//! before anything is changed; a crash in its midst loses nothing.
use crate::verify::findings;
use crate::world::{Files, answers, closed, crashed, disk, files, open, same};
use posthouse_engine::base::{Result, SimClock};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::rescue::{Rebuilt, Tools, rebuild};
use std::path::PathBuf;
use std::sync::Arc;

pub fn run(disk: &SimDisk) -> Result<Rebuilt> {
    let mut scratch = || Ok(Arc::new(SimDisk::new(3)) as Arc<dyn Disk>);
    let clock = Arc::new(SimClock::at_ms(5));
    rebuild(&mut Tools { disk: Arc::new(disk.clone()), clock, scratch: &mut scratch }, &mut |_| {})
}

fn parts(files: &Files) -> Vec<PathBuf> {
    files.keys().filter(|path| path.extension().is_some_and(|end| end == "phi")).cloned().collect()
}

fn ask(disk: &SimDisk) -> Vec<String> {
    let (engine, notices) = open(disk).expect("opens");
    assert_eq!(notices, Vec::<String>::new());
    answers(&engine).expect("answers")
}

#[test]
fn the_same_state_comes_back_and_the_old_files_are_kept() {
    for (before, is_crashed) in [(closed(), false), (crashed(), true)] {
        let good = ask(&disk(&before));
        let disk = disk(&before);
        let report = run(&disk).expect("rebuilds");
        assert_eq!((report.different.len(), report.unreadable.len()), (0, 0), "{report:?}");
        assert_eq!(report.compared, if is_crashed { report.accounts } else { 4 });
        assert_eq!((report.accounts, report.directory_accounts), (4, 4));
        let after = files(&disk);
        let old = parts(&before);
        assert_eq!(report.moved.len(), old.len());
        for path in &old {
            let kept = report.moved.iter().find(|kept| kept.contains(&path.display().to_string().replace('/', "-")));
            let kept = PathBuf::from(kept.expect("each file has its copy"));
            assert_eq!(after[&kept], before[path]);
        }
        assert_eq!(parts(&after).len(), 3, "a part for each shard");
        same(&ask(&disk), &good, "after it");
        let (report, found) = findings(&after);
        assert_eq!((report.damages, report.notes), (0, 0), "{found:#?}");
    }
}

#[test]
fn without_any_derived_file() {
    let mut files = closed();
    let good = ask(&disk(&files));
    files.retain(|path, _| path.extension().is_none_or(|end| end != "phi"));
    let disk = disk(&files);
    let report = run(&disk).expect("rebuilds");
    assert_eq!((report.compared, report.different.len(), report.accounts), (0, 0, 4));
    same(&ask(&disk), &good, "after it");
}

#[test]
fn damaged_derived_files_are_made_anew() {
    let whole = closed();
    let good = ask(&disk(&whole));
    for path in parts(&whole) {
        let mut files = whole.clone();
        let bytes = files.get_mut(&path).expect("there");
        for at in (0..bytes.len()).step_by(40) {
            bytes[at] ^= 0x55;
        }
        let disk = disk(&files);
        let report = run(&disk).expect("rebuilds");
        assert!(!report.unreadable.is_empty(), "{}", path.display());
        assert_eq!(report.different, Vec::<String>::new());
        same(&ask(&disk), &good, "after it");
    }
}

#[test]
fn a_damaged_log_stops_it_with_everything_as_it_was() {
    let mut files = closed();
    // In the last shard: those before it are not rebuilt either.
    let path = PathBuf::from("shards/00001/seg-0000000001.phl");
    // An event of the first sealed segment; its trailer, so that opening alone notices.
    let bytes = files.get_mut(&path).expect("there");
    let at = bytes.len() - 3;
    bytes[at] ^= 1;
    let disk = disk(&files);
    let error = run(&disk).expect_err("the log is damaged");
    assert!(error.to_string().contains("seg-0000000001.phl"), "{error}");
    let after = crate::world::files(&disk);
    let changed = |path: &&PathBuf| !path.ends_with("LOCK") && after.get(*path) != files.get(*path);
    assert_eq!(files.keys().chain(after.keys()).find(changed), None);
}

#[test]
fn in_use_is_refused() {
    let disk = disk(&closed());
    let (engine, _) = open(&disk).expect("opens");
    assert!(matches!(run(&disk), Err(posthouse_engine::base::Error::Busy)));
    engine.close().expect("closes");
    run(&disk).expect("free again");
}

#[test]
fn a_crash_at_every_operation_loses_nothing() {
    let before = closed();
    let good = ask(&disk(&before));
    let whole = disk(&before);
    let start = whole.ops();
    run(&whole).expect("rebuilds");
    let operations = whole.ops() - start;
    assert!(operations > 20, "{operations}");
    for at in 0..operations {
        let disk = disk(&before);
        disk.crash_at(disk.ops() + at);
        assert!(run(&disk).is_err(), "operation {at} fails");
        let after = disk.crash();
        let (engine, _) = open(&after).unwrap_or_else(|why| panic!("crash at {at}: {why}"));
        same(&answers(&engine).expect("answers"), &good, &format!("crash at {at}"));
        drop(engine);
        run(&after).unwrap_or_else(|why| panic!("again after the crash at {at}: {why}"));
        same(&ask(&after), &good, "after it");
    }
}
