//! A file that is mapped and cannot be read any more is an error for who asks for what was in it, never a signal. Each case runs in a process of
//! its own, which would not survive one.
use crate::help::message;
use posthouse_engine::base::{AccountId, Error, Flags, MailboxId, SimClock};
use posthouse_engine::delivery::{Delivery, Place, Target};
use posthouse_engine::disk::StdDisk;
use posthouse_engine::index::Entry;
use posthouse_engine::{Engine, Options};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

/// Set for the process that shortens a file under itself: its data directory.
const CHILD: &str = "POSTHOUSE_TEST_SHORTENED";
const NAME: &str = "shortened::a_segment_that_is_shortened_under_its_map_is_an_error";
const ACCOUNT: AccountId = AccountId(1);

fn open(root: &Path) -> Arc<Engine> {
    let options = Options {
        disk: Arc::new(StdDisk::new(root).expect("a directory")),
        clock: Arc::new(SimClock::at_ms(1_700_000_000_000)),
        shards: 1,
        segment_bytes_max: 512 << 10,
        checkpoint_log_bytes: 1 << 30,
        workers: 1,
    };
    Engine::open(options).expect("opens").0
}

fn child(root: &Path) {
    let engine = open(root);
    // Each is a sync of a real disk: few and large ones.
    for number in 0..200 {
        let staged = engine.stage(Vec::new(), message(number, 30_000)).wait().expect("staged");
        let target = Target { account: ACCOUNT, place: Place::Inbox, flags: Flags::NONE, bound: None };
        let outcome = engine.deliver(Delivery { staged, targets: vec![target], queue: Vec::new() }).wait();
        outcome.targets[0].as_ref().expect("delivered");
    }
    let view = engine.mailbox(ACCOUNT, MailboxId::INBOX).expect("INBOX");
    let entries: Vec<Entry> = view.entries.range(0..view.entries.len()).map(|entry| entry.expect("readable")).collect();
    // The segment is mapped by the first of its messages. The last ones, which nobody has read yet, are far behind the place where it will end.
    let of_first: Vec<&Entry> = entries.iter().filter(|entry| entry.locator.segment.0 == 1).collect();
    let (first, last) = (of_first[0], of_first[of_first.len() - 1]);
    assert_eq!(engine.message(ACCOUNT, first).wait().expect("read").len(), first.size_bytes as usize);
    let file = std::fs::OpenOptions::new().write(true).open(root.join("shards/00000/seg-0000000001.phl"));
    file.and_then(|file| file.set_len(8192)).expect("shortened");
    for answer in [
        engine.message(ACCOUNT, last).wait().map(drop),
        engine.message_here(ACCOUNT, last).map(drop),
        engine.summary(ACCOUNT, last).map(drop),
        engine.checksum(ACCOUNT, last).map(drop),
    ] {
        assert!(matches!(answer, Err(Error::Corrupt { .. } | Error::Io { .. })), "{answer:?}");
    }
    engine.message(ACCOUNT, first).wait().expect("what is there is read");
    assert!(of_first.len() < entries.len(), "there is a second segment");
    engine.message(ACCOUNT, &entries[entries.len() - 1]).wait().expect("other segments are read");
}

#[test]
fn a_segment_that_is_shortened_under_its_map_is_an_error() {
    if let Some(root) = std::env::var_os(CHILD) {
        return child(&PathBuf::from(root));
    }
    let root = std::env::temp_dir().join(format!("posthouse-shortened-{}", std::process::id()));
    let run =
        Command::new(std::env::current_exe().expect("this program")).args([NAME, "--exact"]).env(CHILD, &root).output();
    let _ = std::fs::remove_dir_all(&root);
    let run = run.expect("started");
    assert!(run.status.success(), "{}\n{}", run.status, String::from_utf8_lossy(&run.stdout));
}
