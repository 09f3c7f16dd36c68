//! Bytes that a sync once covered change on the medium: the log says `Corrupt` with file and offset, or nothing that it answers changes;
//! nothing is cut. The last group before a crash is the one exception, as no later group proves that it was synced.
use crate::support::{Wanted, commit, frames, group, names_a_segment, open};
use posthouse_engine::base::{Error, Lsn, SegmentId};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::log::FrameKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn segment(number: u32) -> PathBuf {
    PathBuf::from(format!("shards/00007/seg-{number:010}.phl"))
}

fn len(disk: &Arc<dyn Disk>, path: &Path) -> u64 {
    disk.open(path).unwrap().len().unwrap()
}

/// A disk with one sealed segment and a tail of three groups; the frames; where the last group begins.
fn disk() -> (SimDisk, Arc<dyn Disk>, Vec<Wanted>, u64) {
    let sim = SimDisk::new(1);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let mut log = open(&disk, 100_000, Lsn(0)).unwrap();
    let mut wanted = Vec::new();
    for number in 0..3 {
        let group = group(number, 5);
        commit(&mut log.writer, &group).unwrap();
        wanted.extend(group);
    }
    log.writer.seal().unwrap();
    let mut last_group = 0;
    for number in 0..3 {
        let group = vec![Wanted { kind: FrameKind::Events, payload: vec![number; 301] }; 2];
        last_group = commit(&mut log.writer, &group).unwrap()[0].offset;
        wanted.extend(group);
    }
    assert_eq!(log.segments.files().len(), 2);
    // As after a clean stop: the tests look at the file's length.
    log.writer.trim().unwrap();
    (sim, disk, wanted, u64::from(last_group))
}

#[test]
fn a_changed_byte_before_the_last_group_is_never_cut() {
    let (sim, disk, wanted, last_group) = disk();
    let tail = segment(2);
    let before = len(&disk, &tail);
    let mut corrupt = 0;
    for offset in 0..last_group {
        let bits = 1 << (offset % 8);
        sim.flip(&tail, offset, bits).unwrap();
        match open(&disk, 100_000, Lsn(0)) {
            Err(error) => {
                assert!(names_a_segment(&error), "byte {offset}: {error}");
                corrupt += 1;
            }
            Ok(log) => {
                assert_eq!(log.recovered.cut, None, "byte {offset}");
                assert!(frames(&log.segments).unwrap() == wanted, "byte {offset}: padding");
            }
        }
        assert_eq!(len(&disk, &tail), before, "byte {offset}: nothing is cut");
        sim.flip(&tail, offset, bits).unwrap();
    }
    assert!(corrupt > last_group * 9 / 10, "only padding may change: {corrupt} of {last_group} bytes");
    assert!(frames(&open(&disk, 100_000, Lsn(0)).unwrap().segments).unwrap() == wanted);
}

#[test]
fn a_checkpoint_protects_the_last_group() {
    let (sim, disk, _, last_group) = disk();
    let tail = segment(2);
    let log = open(&disk, 100_000, Lsn(0)).unwrap();
    let end = log.writer.end();
    drop(log);
    let before = len(&disk, &tail);
    for offset in last_group..last_group + 32 {
        sim.flip(&tail, offset, 4).unwrap();
        let error = open(&disk, 100_000, end).err().unwrap_or_else(|| panic!("byte {offset}: the header is broken"));
        assert!(names_a_segment(&error), "byte {offset}: {error}");
        assert_eq!(len(&disk, &tail), before);
        sim.flip(&tail, offset, 4).unwrap();
    }
}

#[test]
fn a_changed_byte_of_a_sealed_segment_is_an_error_or_changes_no_answer() {
    let (sim, disk, wanted, _) = disk();
    let sealed = segment(1);
    let mut errors = 0;
    let size = len(&disk, &sealed);
    for offset in 0..size {
        let bits = 0x80 >> (offset % 8);
        sim.flip(&sealed, offset, bits).unwrap();
        let answer = open(&disk, 100_000, Lsn(0)).and_then(|log| frames(&log.segments));
        match answer {
            Err(error) => {
                assert!(names_a_segment(&error), "byte {offset}: {error}");
                errors += 1;
            }
            Ok(found) => assert!(found == wanted, "byte {offset}: a wrong answer"),
        }
        sim.flip(&sealed, offset, bits).unwrap();
    }
    assert!(errors > size * 9 / 10, "{errors} of {size} bytes");
}

#[test]
fn a_missing_or_foreign_file_is_noticed() {
    let (_, disk, wanted, _) = disk();
    let other = PathBuf::from("shards/00007/notes.txt");
    disk.create(&other).unwrap();
    assert!(frames(&open(&disk, 100_000, Lsn(0)).unwrap().segments).unwrap() == wanted, "foreign names are left alone");
    assert!(disk.open(&other).is_ok());
    let first = disk.map(&segment(1)).unwrap().to_vec();
    disk.remove(&segment(1)).unwrap();
    assert!(open(&disk, 100_000, Lsn(0)).is_err(), "the first segment is missing");
    disk.create(&segment(3)).unwrap().write_at(&first, 0).unwrap();
    let error = open(&disk, 100_000, Lsn(0)).err().unwrap();
    assert!(names_a_segment(&error), "a segment under another's name: {error}");
}

#[test]
fn verify_finds_what_opening_does_not_look_at() {
    let (sim, disk, _, _) = disk();
    let ids = [SegmentId(1), SegmentId(2)];
    let log = open(&disk, 100_000, Lsn(0)).unwrap();
    let footer = log.segments.verify(ids[0]).unwrap().expect("a sealed segment has a footer");
    assert_eq!((footer.events, log.segments.verify(ids[1]).unwrap()), (3, None));
    let message = log
        .segments
        .frames(Lsn(0))
        .find_map(|frame| frame.ok().filter(|(_, _, frame)| frame.kind == FrameKind::Message));
    let (_, at, _) = message.expect("a message in the sealed segment");
    drop(log);
    sim.flip(&segment(1), u64::from(at.offset) + 40, 1).unwrap();
    let log = open(&disk, 100_000, Lsn(0)).unwrap();
    let error = log.segments.verify(ids[0]).err().unwrap();
    assert!(matches!(error, Error::Corrupt { offset, .. } if offset == u64::from(at.offset)), "{error}");
}
