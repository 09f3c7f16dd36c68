//! The power fails at every call of a run, and in every call of the recovery after it: committed groups are there exactly, the group that
//! was being committed is there wholly or not at all, and opening never fails. Seeds are printed; `POSTHOUSE_SEED` replays one.
use crate::support::{Wanted, commit, frames, group, open};
use posthouse_engine::base::Lsn;
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use std::sync::Arc;

const SEGMENT_BYTES_MAX: u32 = 6_000;
const GROUPS: u32 = 24;

/// What a run has been told, in order; `doubtful` was being committed when the power failed.
#[derive(Clone, Default)]
struct Told {
    committed: Vec<Vec<Wanted>>,
    ends: Vec<Lsn>,
    doubtful: Option<Vec<Wanted>>,
}

/// Opens and commits groups until the power fails or all are done.
fn run(disk: &Arc<dyn Disk>, told: &mut Told, seed: u64) {
    let Ok(mut log) = open(disk, SEGMENT_BYTES_MAX, told.ends.last().copied().unwrap_or_default()) else { return };
    for number in told.committed.len() as u32..GROUPS {
        let group = group(number, seed);
        match commit(&mut log.writer, &group) {
            Ok(_) => {
                told.committed.push(group);
                told.ends.push(log.writer.end());
            }
            Err(_) => {
                told.doubtful = Some(group);
                return;
            }
        }
    }
}

/// Holds a disk against what was told; a doubtful group that is there counts as committed from now on.
fn check(disk: &Arc<dyn Disk>, told: &mut Told, context: &str) {
    let opened = open(disk, SEGMENT_BYTES_MAX, Lsn(0));
    let log = opened.unwrap_or_else(|error| panic!("{context}: the log opens: {error}"));
    let found = frames(&log.segments).unwrap_or_else(|error| panic!("{context}: frames are whole: {error}"));
    let committed: Vec<Wanted> = told.committed.iter().flatten().cloned().collect();
    if found != committed {
        let doubtful = told.doubtful.take().unwrap_or_else(|| panic!("{context}: exactly the committed groups"));
        told.committed.push(doubtful);
        told.ends.push(log.writer.end());
        let with: Vec<Wanted> = told.committed.iter().flatten().cloned().collect();
        assert!(found == with, "{context}: a group is there wholly or not at all");
    }
    told.doubtful = None;
    let events: Vec<_> = told.committed.iter().map(|group| &group[group.len() - 1].payload).collect();
    assert_eq!(log.replayed.iter().map(|(_, payload)| payload).collect::<Vec<_>>(), events, "{context}: replay");
}

fn seeds() -> Vec<u64> {
    let seeds = match std::env::var("POSTHOUSE_SEED") {
        Ok(seed) => vec![seed.parse().expect("POSTHOUSE_SEED is a number")],
        Err(_) => {
            let start = crate::seeds::first().wrapping_add(6);
            (1..=6).chain([start, start.wrapping_add(1)]).collect()
        }
    };
    println!("seeds {seeds:?}");
    seeds
}

fn as_disk(disk: &SimDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

fn ops_of_a_run(seed: u64) -> u64 {
    let disk = SimDisk::new(seed);
    let mut told = Told::default();
    run(&as_disk(&disk), &mut told, seed);
    assert_eq!(told.committed.len(), GROUPS as usize);
    disk.ops()
}

#[test]
fn at_every_operation_of_a_run() {
    for seed in seeds() {
        let mut wholly = [0, 0];
        for op in 0..ops_of_a_run(seed) {
            let disk = SimDisk::new(seed ^ (op << 20));
            disk.crash_at(op);
            let mut told = Told::default();
            run(&as_disk(&disk), &mut told, seed);
            let before = told.committed.len();
            let after = disk.crash();
            let context = format!("seed {seed}, power lost at call {op}");
            check(&as_disk(&after), &mut told, &context);
            wholly[told.committed.len() - before] += 1;
            // The house goes on, and what it says then holds as well.
            run(&as_disk(&after), &mut told, seed);
            check(&as_disk(&after.crash()), &mut told, &format!("{context}, then more groups and a second loss"));
        }
        assert!(wholly[0] > 0 && wholly[1] > 0, "both outcomes are seen: {wholly:?}");
    }
}

#[test]
fn at_every_operation_of_the_recovery() {
    for seed in seeds().into_iter().take(3) {
        for op in 0..ops_of_a_run(seed) {
            for recovery_op in 0.. {
                let disk = SimDisk::new(seed ^ (op << 20));
                disk.crash_at(op);
                let mut told = Told::default();
                run(&as_disk(&disk), &mut told, seed);
                let after = disk.crash();
                after.crash_at(recovery_op);
                let opened = open(&as_disk(&after), SEGMENT_BYTES_MAX, Lsn(0)).is_ok();
                let context = format!("seed {seed}, power lost at call {op} and at call {recovery_op} of the recovery");
                check(&as_disk(&after.crash()), &mut told, &context);
                if opened {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_torn_tail_is_kept_and_reported() {
    let mut cuts = 0;
    for seed in 0..200 {
        let disk = SimDisk::new(seed);
        let mut log = open(&as_disk(&disk), 1 << 20, Lsn(0)).unwrap();
        commit(&mut log.writer, &group(0, seed)).unwrap();
        let end = log.writer.end();
        disk.crash_at(disk.ops());
        assert!(commit(&mut log.writer, &group(1, seed)).is_err());
        let after = as_disk(&disk.crash());
        let log = open(&after, 1 << 20, end).unwrap();
        let Some(cut) = log.recovered.cut else { continue };
        cuts += 1;
        assert_eq!((cut.offset, log.writer.end()), (end.0, end));
        assert!(cut.file.ends_with("seg-0000000001.phl") && cut.bytes > 0 && !cut.reason.is_empty());
        if let Some(copy) = cut.copy {
            assert!(copy.starts_with("lost+found"));
            assert_eq!(after.map(&copy).unwrap().len() as u64, cut.bytes);
        }
        assert_eq!(open(&after, 1 << 20, end).unwrap().recovered.cut, None, "cut once");
    }
    assert!(cuts > 20, "seeds that tear the tail: {cuts}");
}
