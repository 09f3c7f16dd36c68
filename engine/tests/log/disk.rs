//! The promise of `Disk`, asked of the machine's disk and of the simulated one alike; and what the simulated one may lose.
use crate::support::TempDir;
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::Arc;

fn on_both(test: fn(Arc<dyn Disk>)) {
    let dir = TempDir::new("disk");
    test(dir.disk());
    test(Arc::new(SimDisk::new(1)));
}

#[test]
fn files_are_made_read_and_listed() {
    on_both(|disk| {
        let path = Path::new("a/b/file");
        assert_eq!(disk.create(path).err().unwrap().kind(), ErrorKind::NotFound);
        disk.create_dir(Path::new("a/b/c")).unwrap();
        disk.create_dir(Path::new("a/b")).unwrap();
        let file = disk.create(path).unwrap();
        assert_eq!(disk.create(path).err().unwrap().kind(), ErrorKind::AlreadyExists);
        assert!(file.is_empty().unwrap() && disk.map(path).unwrap().is_empty());
        file.write_at(b"world", 6).unwrap();
        file.write_at(b"hello ", 0).unwrap();
        file.sync_data().unwrap();
        let mut bytes = [0; 11];
        disk.open(path).unwrap().read_exact_at(&mut bytes, 0).unwrap();
        assert_eq!((&bytes, file.len().unwrap()), (b"hello world", 11));
        assert_eq!(file.read_exact_at(&mut bytes, 1).err().unwrap().kind(), ErrorKind::UnexpectedEof);
        let map = disk.map(path).unwrap();
        assert!(map[..] == *b"hello world" && map.is_resident(0..11) && !map.is_resident(0..12));
        file.set_len(5).unwrap();
        disk.create(Path::new("a/b/another")).unwrap();
        disk.rename(path, Path::new("a/b/renamed")).unwrap();
        disk.sync_dir(Path::new("a/b")).unwrap();
        disk.sync_dir(Path::new("")).unwrap();
        assert_eq!(disk.list(Path::new("a/b")).unwrap(), ["another", "renamed"]);
        assert_eq!(disk.list_dirs(Path::new("a/b")).unwrap(), ["c"]);
        assert_eq!(disk.map(Path::new("a/b/renamed")).unwrap().len(), 5);
        disk.remove(Path::new("a/b/another")).unwrap();
        assert_eq!(disk.remove(Path::new("a/b/another")).err().unwrap().kind(), ErrorKind::NotFound);
        assert_eq!(disk.list(Path::new("nowhere")).err().unwrap().kind(), ErrorKind::NotFound);
    });
}

#[test]
fn nothing_outside_the_root_is_touched() {
    on_both(|disk| {
        for path in ["../outside", "/tmp/outside", "a/../../outside"] {
            assert_eq!(disk.create(Path::new(path)).err().unwrap().kind(), ErrorKind::InvalidInput, "{path}");
            assert_eq!(disk.create_dir(Path::new(path)).err().unwrap().kind(), ErrorKind::InvalidInput, "{path}");
        }
    });
}

#[test]
fn one_holds_the_lock() {
    on_both(|disk| {
        let lock = disk.lock(Path::new("LOCK")).unwrap();
        assert_eq!(disk.lock(Path::new("LOCK")).err().unwrap().kind(), ErrorKind::WouldBlock);
        drop(lock);
        disk.lock(Path::new("LOCK")).unwrap();
    });
}

#[test]
fn only_what_was_synced_must_survive() {
    let mut seen = BTreeSet::new();
    for seed in 0..400 {
        let disk = SimDisk::new(seed);
        let file = disk.create(Path::new("file")).unwrap();
        file.write_at(&[1; 1024], 0).unwrap();
        file.sync_data().unwrap();
        disk.sync_dir(Path::new("")).unwrap();
        file.write_at(&[2; 1024], 512).unwrap();
        disk.create(Path::new("new")).unwrap();
        let after = disk.crash();
        assert!(file.write_at(b"late", 0).is_err(), "the old machine is off");
        let bytes = after.map(Path::new("file")).unwrap();
        assert!(bytes.len() >= 1024 && bytes[..512] == [1; 512], "seed {seed}: synced bytes");
        assert!(
            bytes.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])),
            "seed {seed}: whole sectors"
        );
        let sectors: Vec<u8> = bytes.chunks(512).map(|sector| sector[0]).collect();
        seen.insert((sectors, after.open(Path::new("new")).is_ok()));
    }
    for sectors in [&[1, 1][..], &[1, 2], &[1, 2, 2], &[1, 1, 2], &[1, 1, 0], &[1, 2, 0]] {
        assert!(seen.iter().any(|(seen, _)| seen == sectors), "sectors {sectors:?} are a possible outcome");
    }
    assert!([true, false].iter().all(|kept| seen.iter().any(|(_, seen)| seen == kept)), "a name is kept or lost");
}

#[test]
fn a_rename_shows_the_old_or_the_new_file() {
    let mut seen = BTreeSet::new();
    for seed in 0..100 {
        let disk = SimDisk::new(seed);
        for (name, byte) in [("current", b"old"), ("next", b"new")] {
            let file = disk.create(Path::new(name)).unwrap();
            file.write_at(byte, 0).unwrap();
            file.sync_data().unwrap();
        }
        disk.sync_dir(Path::new("")).unwrap();
        disk.rename(Path::new("next"), Path::new("current")).unwrap();
        seen.insert(disk.crash().map(Path::new("current")).unwrap().to_vec());
    }
    assert_eq!(seen, BTreeSet::from([b"old".to_vec(), b"new".to_vec()]));
}
