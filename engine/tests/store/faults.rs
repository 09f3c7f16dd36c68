//! Every fault that the simulated disk knows, at every call of a workload and in random mixtures, and what came of it. Prints the table of
//! docs/durability.md: `cargo test -p posthouse-engine --test store faults -- --nocapture`. `POSTHOUSE_SEED` replays one random run (checkpoints
//! run beside it, so a fault may strike elsewhere), `POSTHOUSE_FAULT_ROUNDS` says how many there are.
use crate::verdict::{Promise, Verdict, inspect};
use crate::workload::{Shape, run};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::{Fault, Random, SimDisk};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What came of the cases of one row.
#[derive(Default)]
struct Row {
    cases: u32,
    /// Nobody noticed and nothing is missing.
    unnoticed: u32,
    /// A change was refused with an error; all that was answered is there.
    refused: u32,
    /// The store does not open, or reading a message is an error; the place is named.
    named: u32,
    /// Changes before the end of the log are gone without a word: what docs/durability.md does not promise.
    lost: u32,
}

impl Row {
    fn count(&mut self, refused: bool, verdict: &Verdict) {
        self.cases += 1;
        match verdict {
            Verdict::Whole if refused => self.refused += 1,
            Verdict::Whole => self.unnoticed += 1,
            Verdict::Closed(_) | Verdict::Unreadable(_) => self.named += 1,
            Verdict::Lost(_) => self.lost += 1,
        }
    }

    fn print(&self, name: &str) {
        let Row { cases, unnoticed, refused, named, lost } = self;
        println!("| {name} | {cases} | {unnoticed} | {refused} | {named} | {lost} |");
    }
}

/// What strikes during a run.
#[derive(Clone, Copy, Debug)]
enum Strike {
    Call(Fault),
    Read,
    PowerLoss,
    Full,
}

fn strike(sim: &SimDisk, strike: Strike, at: u64) {
    match strike {
        Strike::Call(fault) => sim.fail_at(at, fault),
        Strike::Read => sim.fail_read_at(at),
        Strike::PowerLoss => sim.crash_at(at),
        Strike::Full => sim.fill_at(at),
    }
}

/// One run on a disk with strikes, then a restart or a power loss: what was refused, and what is there.
fn one(sim: &SimDisk, shape: &Shape, power_fails: bool, case: &str) -> (bool, Verdict) {
    let mut promise = Promise::default();
    let refused = run(sim, shape, &mut promise, !power_fails);
    let off = sim.list(Path::new("")).is_err();
    let after = if power_fails || off { sim.crash() } else { sim.reboot() };
    after.set_free_bytes(u64::MAX);
    (refused, inspect(&(Arc::new(after) as Arc<dyn Disk>), shape, &promise, case))
}

/// The strike at every call (or every read) of the workload, with a restart and with a power loss after it.
fn at_every_call(name: &str, what: Strike, silent: bool) {
    let shape = Shape::default();
    let quiet = SimDisk::new(0);
    run(&quiet, &shape, &mut Promise::default(), true);
    let calls = if matches!(what, Strike::Read) { quiet.reads() } else { quiet.ops() };
    assert!(calls > 20, "{calls} calls say something");
    let mut row = Row::default();
    for at in 0..calls {
        for power_fails in [false, true] {
            let sim = SimDisk::new(at);
            strike(&sim, what, at);
            let case = format!("{name} at {at} of {calls}, power fails: {power_fails}");
            let (refused, verdict) = one(&sim, &shape, power_fails, &case);
            assert!(silent || matches!(verdict, Verdict::Whole), "{case}: {verdict:?}");
            if !matches!(verdict, Verdict::Whole | Verdict::Closed(_)) {
                println!("{verdict:?}");
            }
            row.count(refused, &verdict);
        }
    }
    row.print(&format!("{name}, at every call"));
}

#[test]
fn faults_power_loss_at_every_call() {
    at_every_call("the power fails", Strike::PowerLoss, false);
}

#[test]
fn faults_eio_at_every_call() {
    at_every_call("EIO on any call", Strike::Call(Fault::Io), false);
}

#[test]
fn faults_short_write_at_every_call() {
    at_every_call("EIO after a part of a write", Strike::Call(Fault::ShortWrite), false);
}

#[test]
fn faults_failed_sync_at_every_call() {
    at_every_call("a sync fails and its pages are lost", Strike::Call(Fault::SyncFails), false);
}

#[test]
fn faults_no_space_at_every_call() {
    at_every_call("ENOSPC once", Strike::Call(Fault::NoSpace), false);
}

#[test]
fn faults_full_from_every_call_on() {
    at_every_call("ENOSPC from there on", Strike::Full, false);
}

#[test]
fn faults_eio_at_every_read() {
    at_every_call("EIO on a read", Strike::Read, false);
}

/// Reads fail during a start or after it: an error that names the place, or another try that succeeds; the next start has everything.
fn at_every_read_of_a_start(name: &str, strike: fn(&SimDisk, u64)) {
    let shape = Shape::default();
    let sim = SimDisk::new(0);
    let mut promise = Promise::default();
    run(&sim, &shape, &mut promise, false);
    let sim = sim.crash();
    let quiet = sim.reboot();
    inspect(&(Arc::new(quiet.clone()) as Arc<dyn Disk>), &shape, &promise, "a quiet disk");
    let (mut row, reads) = (Row::default(), quiet.reads());
    assert!(reads > 30, "{reads} reads say something");
    for at in 0..reads {
        let failing = sim.reboot();
        strike(&failing, at);
        let case = format!("{name} at read {at} of {reads}");
        row.count(false, &inspect(&(Arc::new(failing.clone()) as Arc<dyn Disk>), &shape, &promise, &case));
        let again = Arc::new(failing.reboot()) as Arc<dyn Disk>;
        assert!(matches!(inspect(&again, &shape, &promise, &case), Verdict::Whole), "{case}, then a start without it");
    }
    assert!(row.lost == 0 && row.named > 10, "a failed read is told");
    row.print(&format!("{name}, at every read of a start and of all mail"));
}

#[test]
fn faults_eio_once_at_every_read_of_a_start() {
    at_every_read_of_a_start("EIO once", SimDisk::fail_read_at);
}

#[test]
fn faults_eio_from_every_read_of_a_start_on() {
    at_every_read_of_a_start("EIO from there on", SimDisk::fail_reads_from);
}

#[test]
fn faults_lost_write_at_every_call() {
    at_every_call("a write is lost without a word", Strike::Call(Fault::LostWrite), true);
}

#[test]
fn faults_misdirected_write_at_every_call() {
    at_every_call("a write lands elsewhere", Strike::Call(Fault::Misdirected), true);
}

fn rounds() -> Option<u64> {
    std::env::var("POSTHOUSE_FAULT_ROUNDS")
        .ok()
        .map(|rounds| rounds.parse().expect("POSTHOUSE_FAULT_ROUNDS is a number"))
}

fn files(disk: &dyn Disk) -> Vec<PathBuf> {
    let mut all = vec![PathBuf::from("STORE")];
    for dir in disk.list_dirs(Path::new("shards")).expect("shards") {
        let dir = Path::new("shards").join(dir);
        all.extend(disk.list(&dir).expect("a shard").into_iter().map(|name| dir.join(name)));
    }
    all
}

/// A bit of the closed store changes: of every byte in a long run, else of some.
#[test]
fn faults_bit_flips_at_rest() {
    let shape = Shape::default();
    let sim = SimDisk::new(0);
    let mut promise = Promise::default();
    assert!(!run(&sim, &shape, &mut promise, true));
    let step = if rounds().is_some() { 1 } else { 37 };
    let (mut row, mut at) = (Row::default(), 0);
    for path in files(&sim) {
        let len = sim.open(&path).and_then(|file| file.len()).expect("a file");
        // What is begun and never finished by a start is put back with the byte.
        while at < len {
            let rotten = sim.reboot();
            rotten.flip(&path, at, 1 << (at % 8)).expect("a byte");
            let case = format!("{} byte {at}", path.display());
            row.count(false, &inspect(&(Arc::new(rotten) as Arc<dyn Disk>), &shape, &promise, &case));
            at += step;
        }
        at -= len;
    }
    assert!(row.lost == 0 && row.named > 0, "a clean stop leaves nothing that can be lost without a word");
    row.print("a bit changes at rest after a clean stop");
}

/// Several strikes at random calls of a workload of random shape, some of them on a slow disk.
fn random(seed: u64, row: &mut Row) {
    println!("POSTHOUSE_SEED={seed}");
    let mut random = Random::new(seed);
    let shape = Shape::random(&mut random);
    let sim = SimDisk::new(random.bits());
    let mut silent = false;
    for _ in 0..1 + random.below(4) {
        let at = random.below(400);
        let what = match random.below(9) {
            0 => Strike::Call(Fault::Io),
            1 => Strike::Call(Fault::ShortWrite),
            2 => Strike::Call(Fault::SyncFails),
            3 => Strike::Call(Fault::NoSpace),
            4 => Strike::Call(Fault::LostWrite),
            5 => Strike::Call(Fault::Misdirected),
            6 => Strike::Read,
            7 => Strike::Full,
            _ => Strike::PowerLoss,
        };
        silent |= matches!(what, Strike::Call(Fault::LostWrite | Fault::Misdirected));
        strike(&sim, what, at);
    }
    sim.set_latency_us_max([0, 0, 0, 40][random.below(4) as usize]);
    let case = format!("seed {seed}");
    let (refused, verdict) = one(&sim, &shape, random.chance(50), &case);
    assert!(silent || matches!(verdict, Verdict::Whole), "{case}: {verdict:?}");
    row.count(refused, &verdict);
}

#[test]
fn faults_random_mixtures() {
    let mut row = Row::default();
    match std::env::var("POSTHOUSE_SEED") {
        Ok(seed) => random(seed.parse().expect("POSTHOUSE_SEED is a number"), &mut row),
        Err(_) => {
            let start = crate::seeds::first();
            (0..rounds().unwrap_or(300)).for_each(|at| random(start.wrapping_add(at), &mut row));
        }
    }
    row.print("1 to 4 of all these, on workloads of random shape, a quarter on a slow disk");
}
