//! The commands that find and mend damage, each through the real binary: words, codes, JSON, and that they refuse what they must.
#[path = "../support/mod.rs"]
mod support;

mod inspect;
mod quota;
mod rebuild;
mod repair;
mod salvage;
mod upgrade;
mod verify;

use posthouse_engine::base::{Flags, MailboxId, SystemClock, Uid, UidSet};
use posthouse_engine::delivery::{Delivery, Place, Target};
use posthouse_engine::directory::{Address, Change, Quota};
use posthouse_engine::disk::StdDisk;
use posthouse_engine::{Engine, Options};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use support::House;

/// Members of every store here.
const MEMBERS: [&str; 3] = ["ann@acme.test", "bob@acme.test", "cyd@acme.test"];

/// A store of small segments in the house's data directory, closed in order.
fn filled() -> House {
    let house = House::new();
    let engine = open(&house.data());
    let mut changes = vec![
        Change::TenantAdd { name: "acme".into(), title: "Acme".into(), accounts_max: None },
        Change::DomainAdd { tenant: "acme".into(), domain: "acme.test".into() },
    ];
    changes.extend(MEMBERS.map(|member| Change::MemberAdd {
        address: address(member),
        name: member.into(),
        password_hash: None,
        vip: false,
        quota: Quota::Default,
    }));
    engine.change_directory(changes).wait().into_iter().for_each(|answer| answer.expect("a good change"));
    let ids = MEMBERS.map(|member| engine.directory(|all| all.account_at(&address(member)).expect("there").id));
    for number in 0..60u32 {
        let to: Vec<_> = if number % 5 == 0 { ids.to_vec() } else { vec![ids[number as usize % 3]] };
        let target = |account| Target {
            account,
            place: if number % 7 == 0 { Place::Named("Projects/项目".into()) } else { Place::Inbox },
            flags: if number % 2 == 0 { Flags::SEEN } else { Flags::NONE },
            bound: None,
        };
        let staged = engine.stage(Vec::new(), message(number)).wait().expect("staged");
        let targets = to.into_iter().map(target).collect();
        let outcome = engine.deliver(Delivery { staged, targets, queue: Vec::new() }).wait();
        outcome.targets.iter().for_each(|answer| assert!(answer.is_ok(), "{answer:?}"));
    }
    let gone = UidSet::range(Uid(2), Uid(3));
    engine.remove(ids[1], MailboxId::INBOX, gone).wait().expect("removed");
    engine.close().expect("closes");
    house
}

fn open(data: &Path) -> Arc<Engine> {
    let options = Options {
        disk: Arc::new(StdDisk::new(data).expect("a directory")),
        clock: Arc::new(SystemClock),
        shards: 2,
        segment_bytes_max: 16 << 10,
        checkpoint_log_bytes: 20 << 10,
        workers: 1,
    };
    Engine::open(options).expect("opens").0
}

fn address(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

fn message(number: u32) -> Vec<u8> {
    let mut seed = number.wrapping_mul(2_654_435_761) | 1;
    let mut text = format!("From: x@else.test\r\nSubject: mail {number}\r\nMessage-ID: <{number}@else.test>\r\n\r\n");
    while text.len() < 900 + number as usize * 13 {
        seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        text.push_str(&format!("{seed:08x} words\r\n"));
    }
    text.into_bytes()
}

/// Every file below a directory but sockets and the lock.
fn files(at: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    fn walk(at: &Path, files: &mut BTreeMap<PathBuf, Vec<u8>>) {
        for entry in std::fs::read_dir(at).expect("a directory").flatten() {
            match entry.file_type().expect("a type") {
                kind if kind.is_dir() => walk(&entry.path(), files),
                kind if kind.is_file() && entry.file_name() != "LOCK" => {
                    files.insert(entry.path(), std::fs::read(entry.path()).expect("read"));
                }
                _ => {}
            }
        }
    }
    let mut found = BTreeMap::new();
    walk(at, &mut found);
    found
}

/// Changes bytes of a file.
fn damage(file: &Path, at: usize, len: usize) {
    let mut bytes = std::fs::read(file).expect("read");
    bytes[at..at + len].iter_mut().for_each(|byte| *byte = byte.wrapping_mul(31).wrapping_add(77));
    std::fs::write(file, bytes).expect("written");
}

fn segment(house: &House, shard: &str, number: u32) -> PathBuf {
    house.data().join("shards").join(shard).join(format!("seg-{number:010}.phl"))
}

/// The frame of the n-th message in a segment: where its payload's body begins. A message's frame has kind 1 at byte 4.
fn message_body(file: &Path, nth: usize) -> usize {
    let bytes = std::fs::read(file).expect("read");
    let mut at = 64;
    let mut left = nth;
    loop {
        assert_eq!(&bytes[at..at + 4], b"PHF1", "a frame at {at}");
        let len = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().expect("four bytes")) as usize;
        if bytes[at + 4] == 1 {
            if left == 0 {
                return at + 32 + 200;
            }
            left -= 1;
        }
        at = (at + 32 + len).next_multiple_of(8);
    }
}

fn json_lines(text: &str) -> Vec<serde_json::Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}"))).collect()
}
