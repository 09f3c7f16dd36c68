//! Every changing call fails once, in every way: a full disk leaves the writer usable, anything else closes it until a restart, and no
//! acknowledged group is ever lost, even when the power fails after that restart.
use crate::support::{Wanted, commit, frames, group, open, open_with, options};
use posthouse_engine::base::{Error, Lsn};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::{Fault, SimDisk};
use posthouse_engine::log::{FrameKind, LogOptions};
use std::sync::Arc;

const SEGMENT_BYTES_MAX: u32 = 6_000;
const GROUPS: u32 = 16;

fn as_disk(disk: &SimDisk) -> Arc<dyn Disk> {
    Arc::new(disk.clone())
}

/// Commits all groups; on a failure asks that the writer answers as it must, restarts, and goes on with the group after the failed one
/// (whose fate only the log knows). Gives the groups that must be there and those that may.
fn run(disk: &Arc<dyn Disk>, fault: Fault, seed: u64, context: &str) -> Vec<(Vec<Wanted>, bool)> {
    let mut told = Vec::new();
    let mut opened = open(disk, SEGMENT_BYTES_MAX, Lsn(0));
    for number in 0..GROUPS {
        let mut log = match opened {
            Ok(log) => log,
            Err(_) => open(disk, SEGMENT_BYTES_MAX, Lsn(0)).unwrap_or_else(|error| panic!("{context}: {error}")),
        };
        let wanted = group(number, seed);
        let mut answer = commit(&mut log.writer, &wanted);
        if matches!(answer, Err(Error::NoSpace)) {
            assert_eq!(fault, Fault::NoSpace, "{context}");
            answer = commit(&mut log.writer, &wanted);
        }
        match answer {
            Ok(_) => {
                told.push((wanted, true));
                opened = Ok(log);
            }
            Err(error) => {
                assert!(matches!(error, Error::Latched { .. }), "{context}: {error}");
                let again = commit(&mut log.writer, &wanted);
                assert!(matches!(again, Err(Error::Latched { .. })), "{context}: closed until a restart");
                told.push((wanted, false));
                opened = open(disk, SEGMENT_BYTES_MAX, Lsn(0));
            }
        }
    }
    told
}

fn check(disk: &Arc<dyn Disk>, told: &[(Vec<Wanted>, bool)], context: &str) {
    let log = open(disk, SEGMENT_BYTES_MAX, Lsn(0)).unwrap_or_else(|error| panic!("{context}: {error}"));
    let found = frames(&log.segments).unwrap_or_else(|error| panic!("{context}: {error}"));
    let mut rest = &found[..];
    for (group, acknowledged) in told {
        match rest.strip_prefix(&group[..]) {
            Some(after) => rest = after,
            None => assert!(!acknowledged, "{context}: an acknowledged group is missing"),
        }
    }
    assert!(rest.is_empty(), "{context}: nothing else is there");
}

fn every_fault_at_every_call(faults: &[Fault]) {
    for seed in 1..=4u64 {
        let disk = SimDisk::new(seed);
        run(&as_disk(&disk), Fault::Io, seed, "no fault");
        for op in 0..disk.ops() {
            for fault in faults {
                let disk = SimDisk::new(seed ^ (op << 20));
                disk.fail_at(op, *fault);
                let context = format!("seed {seed}, {fault:?} at call {op}");
                let told = run(&as_disk(&disk), *fault, seed, &context);
                check(&as_disk(&disk), &told, &context);
                check(&as_disk(&disk.crash()), &told, &format!("{context}, then a power loss"));
            }
        }
    }
}

#[test]
fn failed_writes_and_syncs() {
    every_fault_at_every_call(&[Fault::Io, Fault::ShortWrite, Fault::SyncFails]);
}

#[test]
fn a_full_disk_at_every_call() {
    every_fault_at_every_call(&[Fault::NoSpace]);
}

#[test]
fn a_full_disk_at_every_amount_of_room() {
    for free_bytes in (0..9_000).step_by(61) {
        let disk = SimDisk::new(free_bytes);
        let mut log = open(&as_disk(&disk), SEGMENT_BYTES_MAX, Lsn(0)).unwrap();
        disk.set_free_bytes(free_bytes);
        let mut told = Vec::new();
        for number in 0..12 {
            let wanted = group(number, 9);
            match commit(&mut log.writer, &wanted) {
                Ok(_) => told.push((wanted, true)),
                Err(error) => assert!(matches!(error, Error::NoSpace), "{free_bytes} bytes free: {error}"),
            }
        }
        assert!(told.len() < 12, "the disk gets full");
        disk.set_free_bytes(u64::MAX);
        let wanted = group(99, 9);
        commit(&mut log.writer, &wanted).unwrap();
        told.push((wanted, true));
        check(&as_disk(&disk.crash()), &told, &format!("{free_bytes} bytes free"));
    }
}

#[test]
fn a_full_disk_does_not_keep_the_log_closed() {
    for seed in 0..60 {
        let disk = SimDisk::new(seed);
        let mut log = open(&as_disk(&disk), 1 << 20, Lsn(0)).unwrap();
        let wanted = group(0, seed);
        commit(&mut log.writer, &wanted).unwrap();
        disk.crash_at(disk.ops());
        assert!(commit(&mut log.writer, &group(1, seed)).is_err());
        let after = disk.crash();
        after.set_free_bytes(0);
        let found = frames(&open(&as_disk(&after), 1 << 20, Lsn(0)).unwrap().segments).unwrap();
        assert_eq!(found[..wanted.len()], wanted[..]);
    }
}

/// Frames of 512 bytes each, so that a group of four and one of five lie on one another frame by frame.
fn even_group(number: u8, frames: usize) -> Vec<Wanted> {
    vec![Wanted { kind: FrameKind::Events, payload: vec![number; 480] }; frames]
}

#[test]
fn a_group_that_did_not_fit_never_mixes_with_the_next() {
    for seed in 0..1_500 {
        let disk = SimDisk::new(seed);
        let exact = LogOptions { writes_ahead: false, ..options(1 << 20) };
        let mut log = open_with(&as_disk(&disk), exact, Lsn(0)).unwrap();
        let first = vec![Wanted { kind: FrameKind::Events, payload: vec![1; 416] }];
        commit(&mut log.writer, &first).unwrap();
        disk.set_free_bytes(4 * 512);
        assert!(matches!(commit(&mut log.writer, &even_group(2, 5)), Err(Error::NoSpace)));
        disk.crash_at(disk.ops() + 1);
        assert!(commit(&mut log.writer, &even_group(3, 4)).is_err());
        let told = [(first, true), (even_group(3, 4), false)];
        check(&as_disk(&disk.crash()), &told, &format!("seed {seed}"));
    }
}

#[test]
fn readers_see_nothing_of_a_group_whose_sync_failed() {
    let disk = SimDisk::new(3);
    let mut log = open(&as_disk(&disk), 1 << 20, Lsn(0)).unwrap();
    commit(&mut log.writer, &group(0, 3)).unwrap();
    let (end, before) = (log.segments.durable_end(), frames(&log.segments).unwrap());
    let at = log.writer.push(FrameKind::Message, 0, 0, &[b"not yet"]).unwrap();
    disk.fail_at(disk.ops() + 1, Fault::SyncFails);
    assert!(matches!(log.writer.commit(), Err(Error::Latched { .. })));
    assert_eq!((log.segments.durable_end(), frames(&log.segments).unwrap()), (end, before));
    assert!(log.segments.read(at).is_err());
}
