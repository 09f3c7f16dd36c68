//! Random histories: commits, sealing, dropped groups, restarts, power losses, failing calls and a full disk, mixed as a seed says, against a
//! model that knows only what was acknowledged. Seeds are printed; `POSTHOUSE_SEED` replays one.
use crate::support::{Opened, Wanted, commit, frames, group, open};
use posthouse_engine::base::{Error, Lsn};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::{Fault, Random, SimDisk};
use posthouse_engine::log::FrameKind;
use std::sync::Arc;

const SEGMENT_BYTES_MAX: u32 = 9_000;
const STEPS: u32 = 120;

/// One run: the disk, the log when it is open, and the groups with whether they were acknowledged.
struct History {
    seed: u64,
    random: Random,
    disk: SimDisk,
    log: Option<Opened>,
    told: Vec<(Vec<Wanted>, bool)>,
    /// A log end that was acknowledged, and how many groups lie before it.
    checkpoint: (Lsn, usize),
    groups: u32,
}

impl History {
    fn new(seed: u64) -> History {
        let (random, disk) = (Random::new(seed ^ 0xabcd), SimDisk::new(seed));
        History { seed, random, disk, log: None, told: Vec::new(), checkpoint: (Lsn(0), 0), groups: 0 }
    }

    /// Opens the log, again after a failure that was ordered, and holds what it says against the model.
    fn reopen(&mut self) {
        self.log = None;
        for attempt in 0.. {
            if self.is_off() {
                self.disk = self.disk.crash();
            }
            let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
            match open(&disk, SEGMENT_BYTES_MAX, self.checkpoint.0) {
                Ok(log) => {
                    self.check(&log);
                    self.log = Some(log);
                    return;
                }
                Err(Error::Io { .. } | Error::NoSpace) if attempt < 20 => self.disk.set_free_bytes(u64::MAX),
                Err(error) => panic!("seed {}: {error}", self.seed),
            }
        }
    }

    fn check(&mut self, log: &Opened) {
        let found = frames(&log.segments).unwrap_or_else(|error| panic!("seed {}: {error}", self.seed));
        let mut rest = &found[..];
        let seed = self.seed;
        self.told.retain(|(group, acknowledged)| match rest.strip_prefix(&group[..]) {
            Some(after) => {
                rest = after;
                true
            }
            None => {
                assert!(!acknowledged, "seed {seed}: an acknowledged group is missing");
                false
            }
        });
        assert!(rest.is_empty(), "seed {seed}: something that was never committed");
        // Whatever an open log has shown stays.
        self.told.iter_mut().for_each(|(_, acknowledged)| *acknowledged = true);
        let events = |group: &[Wanted]| group.iter().filter(|frame| frame.kind == FrameKind::Events).count();
        let expected: usize = self.told[self.checkpoint.1..].iter().map(|(group, _)| events(group)).sum();
        assert_eq!(log.replayed.len(), expected, "seed {seed}: events after the checkpoint");
        for file in log.segments.files() {
            log.segments.verify(file.id).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        }
    }

    fn step(&mut self) {
        let Some(mut log) = self.log.take() else { return self.reopen() };
        match self.random.below(100) {
            0..70 => {
                self.groups += 1;
                let group = group(self.groups, self.seed);
                match commit(&mut log.writer, &group) {
                    Ok(_) => self.told.push((group, true)),
                    Err(Error::NoSpace) => self.disk.set_free_bytes(u64::MAX),
                    Err(Error::Latched { .. }) => {
                        self.told.push((group, false));
                        return self.after_failure(log);
                    }
                    Err(error) => panic!("seed {}: {error}", self.seed),
                }
            }
            70..75 => match log.writer.seal() {
                Ok(()) | Err(Error::NoSpace) => {}
                Err(Error::Latched { .. }) => return self.after_failure(log),
                Err(error) => panic!("seed {}: {error}", self.seed),
            },
            75..80 => match log.writer.push(FrameKind::Message, 0, 0, &[b"dropped"]) {
                Err(Error::Latched { .. }) => return self.after_failure(log),
                _ => log.writer.abort(),
            },
            80..85 => self.checkpoint = (log.writer.end(), self.told.len()),
            85..90 => {
                let faults = [Fault::Io, Fault::NoSpace, Fault::ShortWrite, Fault::SyncFails];
                let fault = faults[self.random.below(4) as usize];
                self.disk.fail_at(self.disk.ops() + self.random.below(8), fault);
            }
            90..92 => self.disk.set_free_bytes(self.random.below(6_000)),
            92..94 => return self.reopen(),
            94..97 => self.disk.crash_at(self.disk.ops() + self.random.below(12)),
            _ => return self.power_loss(),
        }
        self.log = Some(log);
    }

    /// The log has closed itself, by a fault or because the machine is off.
    fn after_failure(&mut self, log: Opened) {
        drop(log);
        if self.is_off() || self.random.chance(50) { self.power_loss() } else { self.reopen() }
    }

    fn is_off(&self) -> bool {
        self.disk.list(std::path::Path::new("")).is_err()
    }

    fn power_loss(&mut self) {
        self.log = None;
        self.disk = self.disk.crash();
        // Sometimes the power fails again while the log recovers.
        while self.random.chance(40) {
            self.disk.crash_at(self.random.below(12));
            let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
            let _ = open(&disk, SEGMENT_BYTES_MAX, self.checkpoint.0);
            self.disk = self.disk.crash();
        }
        self.reopen();
    }
}

#[test]
fn what_was_acknowledged_holds_through_any_history() {
    let start = crate::seeds::first().wrapping_add(149);
    let seeds: Vec<u64> = match std::env::var("POSTHOUSE_SEED") {
        Ok(seed) => vec![seed.parse().expect("POSTHOUSE_SEED is a number")],
        // 7610: a cut whose sync failed was not made durable by the next open.
        Err(_) => (0..150).chain([7610]).chain((0..50).map(|number| start.wrapping_add(number))).collect(),
    };
    println!("seeds 0..150 and 50 from {start}");
    let mut groups = 0;
    for seed in seeds {
        let mut history = History::new(seed);
        (0..STEPS).for_each(|_| history.step());
        history.power_loss();
        groups += history.told.len();
    }
    println!("{groups} groups were acknowledged");
}
