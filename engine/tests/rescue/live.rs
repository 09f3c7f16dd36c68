//! Beside a server that writes: files that come between two looks are no damage, to verify and to the proof of quotas. And a segment that cannot
//! be opened is not one that is lost, to repair.
use crate::world::{closed, disk, fill, open};
use posthouse_engine::base::{Error, SimClock};
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::disk::{Disk, File, Lock, Map};
use posthouse_engine::rescue::{Finding, Repair, Told, Tools, prove_quota, verify};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

/// A disk on which a server does something right after the directory of its last shard was listed for the first time.
struct Busy {
    below: SimDisk,
    server: Mutex<Option<Box<dyn FnOnce() + Send>>>,
    /// Nobody may open this file.
    denied: Option<PathBuf>,
}

impl Disk for Busy {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.below.create(path)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        if self.denied.as_deref() == Some(path) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        self.below.open(path)
    }

    fn map(&self, path: &Path) -> io::Result<Map> {
        self.below.map(path)
    }

    fn map_start(&self, path: &Path, len_bytes: usize) -> io::Result<Map> {
        self.below.map_start(path, len_bytes)
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.below.rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        self.below.remove(path)
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.below.create_dir(path)
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let names = self.below.list(path);
        if path.ends_with("control")
            && let Some(server) = self.server.lock().expect("whole").take()
        {
            server();
        }
        names
    }

    fn list_dirs(&self, path: &Path) -> io::Result<Vec<String>> {
        self.below.list_dirs(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.below.sync_dir(path)
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.below.lock(path)
    }

    fn full_path(&self, path: &Path) -> PathBuf {
        self.below.full_path(path)
    }
}

/// The server takes mail for several segments and writes its checkpoints.
fn busy() -> Busy {
    let below = disk(&closed());
    let sim = below.clone();
    let server = move || {
        let before = sim.list(Path::new("shards/00001")).expect("listed");
        let (engine, _) = open(&sim).expect("opens");
        [90, 120, 150, 180].iter().for_each(|from| fill(&engine, *from));
        engine.close().expect("closes");
        let after = sim.list(Path::new("shards/00001")).expect("listed");
        for ending in [".phl", ".phi"] {
            let new = after.iter().filter(|name| name.ends_with(ending) && !before.contains(name));
            assert!(new.count() > 0, "a new file {ending}");
        }
    };
    Busy { below, server: Mutex::new(Some(Box::new(server))), denied: None }
}

fn scratch() -> posthouse_engine::base::Result<Arc<dyn Disk>> {
    Ok(Arc::new(SimDisk::new(3)))
}

#[test]
fn what_comes_while_verify_looks_is_no_damage() {
    let mut found: Vec<Finding> = Vec::new();
    let mut watch = |told: Told<'_>| {
        if let Told::Finding(finding) = told {
            found.push(finding.clone());
        }
    };
    let report = verify(&busy(), true, &mut scratch, &mut watch).expect("damage is no error");
    assert_eq!(report.damages, 0, "{found:#?}");
}

#[test]
fn what_comes_while_usage_is_proven_is_no_damage() {
    let count = AtomicU32::new(0);
    let mut give = |usage: posthouse_engine::rescue::Usage| {
        assert!(usage.agrees(), "{usage:?}");
        count.fetch_add(1, Ordering::Relaxed);
    };
    prove_quota(&busy(), None, &mut scratch, &mut |_| {}, &mut give).expect("proven");
    assert_eq!(count.into_inner(), crate::world::PEOPLE as u32);
}

#[test]
fn a_segment_that_cannot_be_opened_is_not_made_anew() {
    let denied = Some(PathBuf::from("shards/00001/seg-0000000001.phl"));
    let disk = Busy { below: disk(&closed()), server: Mutex::new(None), denied };
    let mut tools =
        Tools { disk: Arc::new(disk), clock: Arc::new(SimClock::at_ms(1_700_000_009_000)), scratch: &mut scratch };
    match Repair::plan(&mut tools, &mut |_| {}) {
        Err(Error::Invalid(why)) => assert!(why.contains("seg-0000000001.phl"), "{why}"),
        Err(why) => panic!("{why}"),
        Ok(repair) => panic!("{:#?}", repair.steps()),
    }
}
