//! A store whose STORE, whose checkpoint's state or whose checkpoints are any bytes: it opens with all its mail or is refused as corrupt. A
//! checkpoint of whatever content, with right crcs, keeps no store closed unless it says that the log should be longer.
#![no_main]
use posthouse_engine::base::Lsn;
use posthouse_engine::base::{Error, MailboxId, Result, ShardId};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::index::{Accounts, PartWriter};
use posthouse_engine::{Engine, Options};
use posthouse_fuzz::{state, store};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

posthouse_fuzz::target!(run, seeds: seeds());

const SHARD: &str = "shards/00000";

fn run(data: &[u8]) {
    let Some((what, bytes)) = data.split_first() else { return };
    match what % 4 {
        0 => {
            let _ = open("STORE", bytes);
        }
        1 => checkpoint(SHARD, ShardId(0), bytes),
        2 => checkpoint("shards/control", ShardId::CONTROL, bytes),
        // Bytes that are no index part at all.
        _ => check(open(&format!("{SHARD}/idx-0000000009.phi"), bytes)),
    }
}

/// A whole part of no accounts that says these bytes are the state where the log begins.
fn checkpoint(dir: &str, shard: ShardId, state: &[u8]) {
    let mut part = Vec::new();
    let mut sink = |bytes: &[u8]| -> Result<()> {
        part.extend_from_slice(bytes);
        Ok(())
    };
    let mut writer = PartWriter::new(shard, 9, BTreeSet::new(), &mut sink).expect("a sink that takes all");
    Accounts::default().take_dirty().iter().for_each(|account| writer.account(account).expect("written"));
    writer.finish(Lsn(64), [state], &[]).expect("written");
    let opened = open(&format!("{dir}/idx-0000000009.phi"), &part);
    match opened {
        // A state that can be read and is not the log's is believed: that is what crcs are for.
        Ok(engine) => drop(engine.status()),
        Err(why) => assert!(matches!(why, Error::Corrupt { .. }), "{why}"),
    }
}

fn check(opened: Result<Arc<Engine>>) {
    let engine = opened.expect("what is no checkpoint is passed over");
    let members: Vec<_> = engine.directory(|all| all.members(Default::default()).map(|member| member.id).collect());
    let view = engine.mailbox(members[0], MailboxId::INBOX).expect("INBOX");
    assert_eq!(view.entries.len(), 3);
}

/// The files of a small store whose machine was switched off.
fn files() -> &'static [(PathBuf, Vec<u8>)] {
    static FILES: OnceLock<Vec<(PathBuf, Vec<u8>)>> = OnceLock::new();
    FILES.get_or_init(|| {
        let disk = store::small();
        let dirs = ["", SHARD, "shards/control"];
        let list = |dir: &str| disk.list(Path::new(dir)).expect("listed");
        let all = dirs.iter().flat_map(|dir| list(dir).into_iter().map(|name| Path::new(*dir).join(name)));
        let read = |path: PathBuf| (path.clone(), disk.map(&path).expect("read").to_vec());
        all.filter(|path| path.extension().is_none_or(|suffix| suffix == "phl")).map(read).collect()
    })
}

/// Opens the store with one file put in or in another's place.
fn open(name: &str, bytes: &[u8]) -> Result<Arc<Engine>> {
    let disk = SimDisk::new(1);
    for dir in [SHARD, "shards/control"] {
        disk.create_dir(Path::new(dir)).expect("made");
    }
    let others = files().iter().filter(|(path, _)| path != Path::new(name));
    for (path, bytes) in others.map(|(path, bytes)| (path.as_path(), &bytes[..])).chain([(Path::new(name), bytes)]) {
        disk.create(path).expect("made").write_at(bytes, 0).expect("written");
    }
    let options: Options = store::options(Arc::new(disk));
    Engine::open(options).map(|(engine, _)| engine)
}

fn seeds() -> Vec<Vec<u8>> {
    let tagged = |tag: u8, bytes: &[u8]| [&[tag], bytes].concat();
    let store = files().iter().find(|(path, _)| path == Path::new("STORE")).expect("STORE");
    let queue_and_no_dictionaries = [0, 0];
    let mut directory = Vec::new();
    posthouse_engine::directory::Directory::default().encode_snapshot(&mut directory);
    vec![
        tagged(0, &store.1),
        tagged(1, &queue_and_no_dictionaries),
        tagged(1, &[0, 1, 1, 1, 64]),
        tagged(2, &directory),
        tagged(3, &state::part()),
    ]
}
