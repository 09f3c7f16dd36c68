//! The way from one segment version to the next and back, on the golden stores.
use crate::write::{deliver, ids, open, shown};
use posthouse_engine::Compact;
use posthouse_engine::delivery::Place;
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::format::SegmentHeader;
use posthouse_engine::format::segment::SEGMENT_VERSION;
use posthouse_engine::rescue::{Back, check_upgrade, verify};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

type Files = BTreeMap<PathBuf, Vec<u8>>;

fn golden(version: u16) -> PathBuf {
    PathBuf::from(format!("{}/../tests/golden/v{version}", env!("CARGO_MANIFEST_DIR")))
}

/// A golden store on a simulated disk, and what it showed.
fn store(version: u16) -> (Arc<dyn Disk>, String) {
    fn walk(root: &Path, dir: &Path, disk: &SimDisk) {
        for entry in std::fs::read_dir(root.join(dir)).expect("tests/golden") {
            let path = dir.join(entry.expect("an entry").file_name());
            if root.join(&path).is_dir() {
                disk.create_dir(&path).expect("made");
                walk(root, &path, disk);
            } else if path != Path::new("SHOWN") {
                let bytes = std::fs::read(root.join(&path)).expect("readable");
                disk.create(&path).expect("made").write_at(&bytes, 0).expect("written");
            }
        }
    }
    let disk = SimDisk::new(1);
    walk(&golden(version), Path::new(""), &disk);
    let shown = std::fs::read_to_string(golden(version).join("SHOWN")).expect("SHOWN");
    (Arc::new(disk.reboot()), shown)
}

fn segments(disk: &dyn Disk) -> Files {
    let mut files = Files::new();
    for dir in disk.list_dirs(Path::new("shards")).expect("shards") {
        let dir = Path::new("shards").join(dir);
        for name in disk.list(&dir).expect("listed").iter().filter(|name| name.ends_with(".phl")) {
            files.insert(dir.join(name), disk.map(&dir.join(name)).expect("readable").to_vec());
        }
    }
    files
}

fn versions(files: &Files) -> BTreeMap<&Path, u16> {
    let version = |bytes: &[u8]| SegmentHeader::decode(bytes).expect("a header").version;
    files.iter().map(|(path, bytes)| (path.as_path(), version(bytes))).collect()
}

fn prove(disk: &Arc<dyn Disk>) {
    let report = verify(&**disk, false, &mut || Ok(Arc::new(SimDisk::new(2)) as Arc<dyn Disk>), &mut |_| {});
    let report = report.expect("verified");
    assert_eq!((report.damages, report.messages > 20), (0, true), "{report:?}");
}

/// Opens, compares, closes: nothing of the log changes. Then takes mail, compares all that was there, and proves it again.
fn through(version: u16) {
    let (disk, golden) = store(version);
    let before = segments(&*disk);
    assert!(versions(&before).values().all(|found| *found == version));
    prove(&disk);
    let (engine, _) = open(disk.clone());
    assert_eq!(shown(&engine), golden);
    engine.close().expect("closes");
    drop(engine);
    assert!(segments(&*disk) == before, "who only reads changes nothing of the log");
    prove(&disk);
    let (engine, notices) = open(disk.clone());
    assert!(notices.is_empty(), "its checkpoint is in order: {notices:?}");
    deliver(&engine, &ids(&engine), 900, Place::Inbox, Vec::new());
    let later = shown(&engine);
    let kept = |line: &&str| line.contains(" bytes, ") && line.starts_with("  ") || line.starts_with("queued");
    assert!(golden.lines().filter(kept).all(|line| later.lines().any(|found| found == line)), "all is still there");
    engine.close().expect("closes");
    drop(engine);
    prove(&disk);
    let after = segments(&*disk);
    for (path, bytes) in &before {
        let found = &after[path];
        assert!(found.starts_with(bytes), "{}: only added to", path.display());
    }
    let newest = after.keys().rfind(|path| path.starts_with("shards/00000")).expect("a segment");
    assert_eq!(versions(&after)[newest.as_path()], SEGMENT_VERSION, "what is new is written in the newest version");
    let (engine, _) = open(disk.clone());
    assert_eq!(shown(&engine), later);
}

#[test]
fn the_version_before_is_read_and_left_as_it_is_until_something_is_written() {
    through(SEGMENT_VERSION - 1);
}

#[test]
fn the_newest_version_is_read_and_written() {
    through(SEGMENT_VERSION);
}

#[test]
fn the_check_says_what_would_change_and_when_the_way_back_ends() {
    let (disk, _) = store(SEGMENT_VERSION - 1);
    let found = check_upgrade(&*disk).expect("looked at");
    assert_eq!(found.back, Back::Open);
    assert!(found.unreadable.is_empty() && found.shards.iter().all(|shard| shard.tail_version < SEGMENT_VERSION));
    assert!(!found.changes().is_empty());
    let before = segments(&*disk);
    let (engine, _) = open(disk.clone());
    let all = Compact { cold_after_ms: 0, dead_percent: 1, bytes_per_second: 0, keep_ms: -1, leave_free_bytes: 0 };
    assert_eq!(engine.compact(all).wait().expect("nothing to do").segments_chosen, 0);
    engine.close().expect("closes");
    drop(engine);
    let found = check_upgrade(&*disk).expect("looked at");
    assert_eq!(found.back, Back::Open, "who only reads, and compaction, leave the way back open");
    assert!(segments(&*disk) == before);
    let (engine, _) = open(disk.clone());
    deliver(&engine, &ids(&engine)[..1], 900, Place::Inbox, Vec::new());
    engine.close().expect("closes");
    drop(engine);
    let found = check_upgrade(&*disk).expect("looked at");
    let Back::Ended { file } = &found.back else { panic!("{:?}", found.back) };
    assert!(file.contains("seg-"), "{file}");
    let (disk, _) = store(SEGMENT_VERSION);
    let found = check_upgrade(&*disk).expect("looked at");
    assert_eq!(
        (found.back, found.shards.iter().all(|shard| shard.tail_version == SEGMENT_VERSION)),
        (Back::NoneNeeded, true)
    );
}

#[test]
fn a_segment_of_a_newer_program_is_named() {
    let (disk, _) = store(SEGMENT_VERSION);
    let path = Path::new("shards/00000/seg-0000000001.phl");
    let mut bytes = disk.map(path).expect("readable")[..64].to_vec();
    bytes[8] = SEGMENT_VERSION as u8 + 1;
    bytes[10] = SEGMENT_VERSION as u8 + 1;
    let crc = crc32fast::hash(&bytes[..60]).to_le_bytes();
    bytes[60..].copy_from_slice(&crc);
    disk.open(path).expect("there").write_at(&bytes, 0).expect("written");
    let found = check_upgrade(&*disk).expect("looked at");
    assert!(found.unreadable.iter().any(|line| line.contains("seg-0000000001.phl")), "{:?}", found.unreadable);
}
