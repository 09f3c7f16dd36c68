//! Zeros in front of a growing log: when they are written, that a start takes them for the log's end, and that they go.
use crate::support::{Wanted, commit, frames, group, open, open_with, options};
use posthouse_engine::base::limits::{LOG_AHEAD_BYTES_MAX, LOG_AHEAD_BYTES_MIN};
use posthouse_engine::base::{Error, Lsn};
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::disk::{Disk, File};
use posthouse_engine::log::{FrameKind, LogOptions};
use std::path::Path;
use std::sync::Arc;

fn as_disk(disk: &SimDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

const FIRST: &str = "shards/00007/seg-0000000001.phl";

fn file(disk: &SimDisk) -> Arc<dyn File> {
    disk.open(Path::new(FIRST)).unwrap()
}

/// One frame of so many bytes.
fn large(bytes: usize) -> Vec<Wanted> {
    vec![Wanted { kind: FrameKind::Message, payload: vec![5; bytes] }]
}

#[test]
fn most_groups_change_no_length() {
    let disk = SimDisk::new(1);
    let mut log = open(&as_disk(&disk), 64 << 20, Lsn(0)).unwrap();
    let (mut lens, mut last) = (0, file(&disk).len().unwrap());
    for number in 0..400 {
        commit(&mut log.writer, &group(number, 1)).unwrap();
        let len = file(&disk).len().unwrap();
        let end = log.writer.end().0;
        assert!(len >= end && len <= end + end.clamp(LOG_AHEAD_BYTES_MIN, LOG_AHEAD_BYTES_MAX) + LOG_AHEAD_BYTES_MIN);
        let mut rest = vec![1; (len - end) as usize];
        file(&disk).read_exact_at(&mut rest, end).unwrap();
        assert!(rest.iter().all(|byte| *byte == 0));
        lens += u32::from(len != last);
        last = len;
    }
    assert!((3..20).contains(&lens), "{lens} lengths");
}

#[test]
fn a_start_takes_zeros_for_the_end_and_a_clean_stop_leaves_none() {
    let disk = SimDisk::new(2);
    let mut log = open(&as_disk(&disk), 1 << 20, Lsn(0)).unwrap();
    let wanted: Vec<Wanted> = (0..5)
        .flat_map(|number| {
            let group = group(number, 2);
            commit(&mut log.writer, &group).unwrap();
            group
        })
        .collect();
    let end = log.writer.end();
    drop(log);
    assert!(file(&disk).len().unwrap() > end.0);
    let mut log = open(&as_disk(&disk), 1 << 20, Lsn(0)).unwrap();
    assert_eq!((log.recovered.cut.clone(), log.writer.end()), (None, end), "nothing is reported");
    assert_eq!(frames(&log.segments).unwrap(), wanted);
    assert_eq!(file(&disk).len().unwrap(), end.0);
    commit(&mut log.writer, &group(5, 2)).unwrap();
    assert!(file(&disk).len().unwrap() > log.writer.end().0);
    log.writer.trim().unwrap();
    assert_eq!(file(&disk).len().unwrap(), log.writer.end().0);
    log.writer.seal().unwrap();
    assert_eq!(file(&disk).len().unwrap(), log.writer.end().0, "a trailer is a file's end");
}

#[test]
fn a_full_disk_takes_groups_and_no_zeros() {
    for room in (0..40).map(|step| step * 1024) {
        let disk = SimDisk::new(room);
        let mut log = open(&as_disk(&disk), 1 << 20, Lsn(0)).unwrap();
        disk.set_free_bytes(room);
        let first = commit(&mut log.writer, &large(2000));
        assert!(first.is_ok() == (room >= 2048) || matches!(first, Err(Error::NoSpace)), "{room}: {first:?}");
        disk.set_free_bytes(1 << 20);
        commit(&mut log.writer, &large(3000)).unwrap();
        let told = frames(&log.segments).unwrap();
        assert_eq!(told.len(), 1 + usize::from(first.is_ok()));
        let again = open(&as_disk(&disk.crash()), 1 << 20, Lsn(0)).unwrap();
        assert_eq!((frames(&again.segments).unwrap(), again.recovered.cut), (told, None), "{room}");
    }
}

#[test]
fn a_log_that_does_not_write_ahead_ends_where_its_file_ends() {
    let disk = SimDisk::new(3);
    let exact = LogOptions { writes_ahead: false, ..options(1 << 20) };
    let mut log = open_with(&as_disk(&disk), exact, Lsn(0)).unwrap();
    commit(&mut log.writer, &group(0, 3)).unwrap();
    assert_eq!(file(&disk).len().unwrap(), log.writer.end().0);
}
