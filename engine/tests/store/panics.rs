//! A panic in the engine's own threads: a stop still ends, status says why, and a restart has all that was answered.
use crate::help::{deliver, ids, message, open, people};
use posthouse_engine::Engine;
use posthouse_engine::base::{Error, MailboxId};
use posthouse_engine::directory::Quota;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::disk::{Disk, File, Lock, Map};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;

/// A disk on which the thread that names a checkpoint, or the one that makes a segment, panics once it is armed.
struct Fragile {
    disk: SimDisk,
    suffix: &'static str,
    armed: Arc<AtomicBool>,
}

impl Fragile {
    fn touch(&self, path: &Path) {
        let hit = path.to_string_lossy().ends_with(self.suffix) && path.starts_with("shards/00000");
        assert!(!(hit && self.armed.load(Ordering::SeqCst)), "a panic that was ordered");
    }
}

impl Disk for Fragile {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.touch(path);
        self.disk.create(path)
    }
    fn open(&self, path: &Path) -> io::Result<Arc<dyn File>> {
        self.disk.open(path)
    }
    fn map(&self, path: &Path) -> io::Result<Map> {
        self.disk.map(path)
    }
    fn map_start(&self, path: &Path, len_bytes: usize) -> io::Result<Map> {
        self.disk.map_start(path, len_bytes)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.touch(to);
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }
    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        self.disk.list(path)
    }
    fn list_dirs(&self, path: &Path) -> io::Result<Vec<String>> {
        self.disk.list_dirs(path)
    }
    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.sync_dir(path)
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn Lock>> {
        self.disk.lock(path)
    }
    fn full_path(&self, path: &Path) -> PathBuf {
        self.disk.full_path(path)
    }
}

fn fragile(suffix: &'static str) -> (Arc<dyn Disk>, Arc<dyn Disk>, Arc<AtomicBool>) {
    let (sim, armed) = (SimDisk::new(1), Arc::new(AtomicBool::new(false)));
    let disk: Arc<dyn Disk> = Arc::new(Fragile { disk: sim.clone(), suffix, armed: armed.clone() });
    (disk, Arc::new(sim), armed)
}

/// Closes in a thread of its own: a stop that hangs fails the test instead of holding it up.
fn close(engine: &Arc<Engine>) -> Result<(), Error> {
    let (tell, told) = mpsc::channel();
    let closing = engine.clone();
    std::thread::spawn(move || tell.send(closing.close()));
    told.recv_timeout(Duration::from_secs(60)).expect("the stop ends")
}

fn check(disk: &Arc<dyn Disk>, taken: &[u32]) {
    let engine = open(disk, 1).expect("opens");
    let id = ids(&engine, 1)[0];
    let view = engine.mailbox(id, MailboxId::INBOX).expect("INBOX");
    assert_eq!(view.entries.len(), taken.len());
    for (at, number) in taken.iter().enumerate() {
        let entry = view.entries.get(at).expect("an entry");
        let stored = engine.message(id, &entry).wait().expect("readable");
        assert_eq!(&stored[..], [&b"Return-Path: <>\r\n"[..], &message(*number, 700)].concat());
    }
}

#[test]
fn a_stop_ends_although_the_checkpoint_panics() {
    let (disk, sim, armed) = fragile(".phi");
    let engine = open(&disk, 1).expect("opens");
    let all = people(&engine, 1, Quota::Default);
    armed.store(true, Ordering::SeqCst);
    let taken: Vec<u32> = (0..80).collect();
    for number in &taken {
        deliver(&engine, &all, *number, 700).targets[0].as_ref().expect("mail is taken all the same");
    }
    // The last checkpoint, which the committer writes by itself, panics too.
    let _ = close(&engine);
    drop(engine);
    check(&sim, &taken);
}

#[test]
fn a_panic_of_the_committer_closes_its_shard_and_says_so() {
    let (disk, sim, armed) = fragile(".phl");
    let engine = open(&disk, 1).expect("opens");
    let all = people(&engine, 1, Quota::Default);
    armed.store(true, Ordering::SeqCst);
    let mut taken = Vec::new();
    for number in 0..80 {
        if deliver(&engine, &all, number, 700).targets[0].is_ok() {
            taken.push(number);
        }
    }
    assert!(taken.len() < 80, "a segment was full");
    close(&engine).expect_err("its state is not known any more");
    let latched = engine.status().shards[0].latched.clone().expect("status says why");
    assert!(latched.contains("a panic that was ordered"), "{latched}");
    assert_eq!(engine.mailbox(all[0], MailboxId::INBOX).expect("reading goes on").entries.len(), taken.len());
    drop(engine);
    check(&sim, &taken);
}
