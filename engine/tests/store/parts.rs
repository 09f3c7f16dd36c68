//! Base64 parts are stored decoded, equal large ones once in a segment, and every message comes back to the byte, whatever its parts look like.
use crate::help::{address, ids, open, people};
use posthouse_engine::base::{AccountId, Error, Flags, MailboxId, SystemClock};
use posthouse_engine::delivery::{Delivery, Place, Target};
use posthouse_engine::directory::Quota;
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::{Random, SimDisk};
use posthouse_engine::{Engine, Options};
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FIRST: &str = "shards/00000/seg-0000000001.phl";

/// A store whose segments are large.
fn open_large(disk: &Arc<dyn Disk>) -> Arc<Engine> {
    let options = Options {
        disk: disk.clone(),
        clock: Arc::new(SystemClock),
        shards: 1,
        segment_bytes_max: 8 << 20,
        checkpoint_log_bytes: 8 << 20,
        workers: 1,
    };
    Engine::open(options).expect("opens").0
}

fn content(seed: u64, bytes: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..bytes).map(|_| random.bits() as u8).collect()
}

/// Base64 by the book, in lines of `chars`.
fn encoded(content: &[u8], chars: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for three in content.chunks(3) {
        let bits = three.iter().fold(0u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        (0..4).for_each(|at| match at <= three.len() {
            true => text.push(char::from(ALPHABET[(bits >> (18 - 6 * at) & 63) as usize])),
            false => text.push('='),
        });
    }
    let lines: Vec<&str> =
        text.as_bytes().chunks(chars).map(|line| std::str::from_utf8(line).expect("ASCII")).collect();
    lines.join("\r\n") + "\r\n"
}

fn mail(subject: &str, parts: &[String]) -> Vec<u8> {
    let mut mail = format!(
        "Subject: {subject}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=\"=_b\"\r\n\r\n--=_b\r\n\r\nSee {subject}.\r\n"
    );
    for part in parts {
        mail += "--=_b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: BASE64\r\n\r\n";
        mail += part;
    }
    (mail + "--=_b--\r\n").into_bytes()
}

fn deliver(engine: &Engine, to: &[AccountId], mail: &[u8]) -> Result<(), Error> {
    let staged = engine.stage(Vec::new(), mail.to_vec()).wait().expect("staged");
    let target =
        |account: &AccountId| Target { account: *account, place: Place::Inbox, flags: Flags::NONE, bound: None };
    let delivery = Delivery { staged, targets: to.iter().map(target).collect(), queue: Vec::new() };
    engine.deliver(delivery).wait().targets.into_iter().try_for_each(|answer| answer.map(drop))
}

fn check(engine: &Engine, account: AccountId, mails: &[Vec<u8>]) {
    let view = engine.mailbox(account, MailboxId::INBOX).expect("INBOX");
    assert_eq!(view.entries.len(), mails.len());
    for (at, mail) in mails.iter().enumerate() {
        let entry = view.entries.get(at).expect("readable");
        assert_eq!(entry.size_bytes as usize, mail.len());
        let found = engine.message(account, &entry).wait().unwrap_or_else(|why| panic!("mail {at}: {why}"));
        assert!(found[..] == mail[..], "mail {at} is what was delivered");
    }
}

fn len(disk: &Arc<dyn Disk>, path: &str) -> usize {
    disk.map(Path::new(path)).map_or(0, |map| map.len())
}

#[test]
fn equal_attachments_take_the_room_of_one() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(31));
    let engine = open_large(&disk);
    let all = people(&engine, 1, Quota::Unlimited);
    let (paper, other) = (content(1, 60_000), content(2, 30_001));
    let mails: Vec<Vec<u8>> = (0..10)
        .map(|number| match number % 3 {
            0 => mail(&format!("paper {number}"), &[encoded(&paper, 76)]),
            1 => mail(&format!("both {number}"), &[encoded(&other, 64), encoded(&paper, 72)]),
            _ => mail(&format!("small {number}"), &[encoded(&content(number, 900), 76)]),
        })
        .collect();
    mails.iter().for_each(|mail| deliver(&engine, &all, mail).expect("delivered"));
    check(&engine, all[0], &mails);
    engine.close().expect("closes");
    let bytes = len(&disk, FIRST);
    assert!((90_001..100_000).contains(&bytes), "{bytes} bytes for 90,001 of two files that do not compress");
    drop(engine);
    for name in disk.list(Path::new("shards/00000")).expect("listed").iter().filter(|name| name.starts_with("idx-")) {
        disk.remove(&PathBuf::from("shards/00000").join(name)).expect("removed");
    }
    let engine = open_large(&disk);
    check(&engine, ids(&engine, 1)[0], &mails);
}

#[test]
fn a_segment_needs_no_other_and_each_shard_has_its_own() {
    let sim = SimDisk::new(32);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let engine = open(&disk, 3).expect("opens");
    let all = people(&engine, 3, Quota::Unlimited);
    // Segments are sealed after 16 KiB, so a part of 20 kB is in every one that needs it.
    let paper = encoded(&content(3, 20_000), 76);
    let mails: Vec<Vec<u8>> = (0..5).map(|number| mail(&format!("{number}"), std::slice::from_ref(&paper))).collect();
    mails.iter().for_each(|mail| deliver(&engine, &all, mail).expect("delivered"));
    all.iter().for_each(|account| check(&engine, *account, &mails));
    engine.close().expect("closes");
    drop(engine);
    for number in 1..=5 {
        let path = format!("shards/00001/seg-{number:010}.phl");
        assert!(len(&disk, &path) > 20_000, "{path} has what its messages need");
    }
    let engine = open(&disk, 3).expect("opens");
    all.iter().for_each(|account| check(&engine, *account, &mails));
}

#[test]
fn what_found_no_room_is_not_referred_to() {
    let sim = SimDisk::new(33);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    let engine = open_large(&disk);
    let all = people(&engine, 1, Quota::Unlimited);
    let paper = encoded(&content(4, 40_000), 76);
    let mails: Vec<Vec<u8>> = (0..3).map(|number| mail(&format!("{number}"), std::slice::from_ref(&paper))).collect();
    sim.set_free_bytes(5_000);
    assert!(matches!(deliver(&engine, &all, &mails[0]), Err(Error::NoSpace)));
    sim.set_free_bytes(u64::MAX);
    mails.iter().for_each(|mail| deliver(&engine, &all, mail).expect("delivered"));
    check(&engine, all[0], &mails);
}

#[test]
fn a_damaged_part_is_an_error_for_every_message_that_needs_it_and_for_no_other() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(34));
    let engine = open_large(&disk);
    let all = people(&engine, 1, Quota::Unlimited);
    let paper = content(5, 40_000);
    deliver(&engine, &all, &mail("first", &[encoded(&paper, 76)])).expect("delivered");
    deliver(&engine, &all, &mail("second", &[encoded(&paper, 60)])).expect("delivered");
    deliver(&engine, &all, &mail("third", &[])).expect("delivered");
    engine.close().expect("closes");
    drop(engine);
    let at = disk.map(Path::new(FIRST)).expect("mapped").windows(8).position(|eight| eight == &paper[20_000..20_008]);
    let file = disk.open(Path::new(FIRST)).expect("opens");
    file.write_at(&[paper[20_000] ^ 1], at.expect("incompressible bytes stand as they are") as u64).expect("written");
    file.sync_data().expect("synced");
    let engine = open_large(&disk);
    let account =
        engine.directory(|all| all.account_at(&address("m0@example.test")).map(|found| found.id)).expect("there");
    let view = engine.mailbox(account, MailboxId::INBOX).expect("INBOX");
    let read = |at| engine.message(account, &view.entries.get(at).expect("readable")).wait();
    assert!(matches!(read(0), Err(Error::Corrupt { .. })) && matches!(read(1), Err(Error::Corrupt { .. })));
    assert_eq!(&read(2).expect("whole")[..], mail("third", &[]));
}
