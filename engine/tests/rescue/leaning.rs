//! Mail that cannot be read by itself: compressed with a dictionary, or with parts that stand in frames of their own. It is as good as any other
//! mail to every tool; and when what it leans on is lost, it is told as lost and no byte of it is cut.
use crate::repair::{apply, plan};
use crate::salvage::run as salvaged;
use crate::verify::findings;
use crate::world::{Files, address, answers, disk, files, open, options, same};
use posthouse_engine::Engine;
use posthouse_engine::base::Flags;
use posthouse_engine::delivery::{Delivery, Place, Target};
use posthouse_engine::directory::{Change, Quota};
use posthouse_engine::disk::sim::{Random, SimDisk};
use posthouse_engine::rescue::Act;
use std::path::PathBuf;
use std::sync::Arc;

/// Kinds of frames, as docs/format.md numbers them.
const MESSAGE: u8 = 1;
const DICTIONARY: u8 = 4;
const PART: u8 = 5;

fn base64(seed: u64, bytes: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut random = Random::new(seed);
    let text: Vec<u8> = (0..bytes / 3 * 4).map(|_| ALPHABET[random.below(64) as usize]).collect();
    text.chunks(76).flat_map(|line| [line, b"\r\n"].concat()).map(char::from).collect()
}

fn with_part(number: u64) -> Vec<u8> {
    format!(
        "Subject: part {number}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nhello {number}\r\n\
         --b\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n\r\n{}--b--\r\n",
        base64(number % 2, 18_000)
    )
    .into_bytes()
}

/// A closed store with a dictionary and with two parts that several messages share.
fn store() -> Files {
    let sim = SimDisk::new(5);
    let start = || {
        let options = posthouse_engine::Options { segment_bytes_max: 96 << 10, ..options(Arc::new(sim.clone()), 2) };
        Engine::open(options).expect("opens").0
    };
    let engine = start();
    let mut changes = vec![
        Change::TenantAdd { name: "acme".into(), title: String::new(), accounts_max: None },
        Change::DomainAdd { tenant: "acme".into(), domain: "acme.test".into() },
    ];
    changes.extend((0..4).map(|at| Change::MemberAdd {
        address: address(&format!("m{at}@acme.test")),
        name: String::new(),
        password_hash: None,
        vip: true,
        quota: Quota::Default,
    }));
    engine.change_directory(changes).wait().into_iter().for_each(|answer| answer.expect("a good change"));
    let ids = crate::world::ids(&engine);
    let deliver = |engine: &Engine, mail: Vec<u8>, number: usize| {
        let staged = engine.stage(Vec::new(), mail).wait().expect("staged");
        let account = ids[number % 2];
        let targets = vec![Target { account, place: Place::Inbox, flags: Flags::NONE, bound: None }];
        let done = engine.deliver(Delivery { staged, targets, queue: Vec::new() }).wait();
        assert!(done.targets[0].is_ok(), "{:?}", done.targets[0]);
    };
    (0..60).for_each(|number| deliver(&engine, crate::world::message(number, 900), number as usize));
    assert!(engine.train_dictionary(), "sixty mails of one kind have something in common");
    for number in 60..90 {
        deliver(&engine, crate::world::message(number, 900), number as usize);
        if number % 3 == 0 {
            deliver(&engine, with_part(u64::from(number)), number as usize / 3);
        }
    }
    engine.close().expect("closes");
    drop(engine);
    let found = files(&sim);
    let kinds: Vec<u8> = frames(&found).into_iter().map(|frame| frame.1).collect();
    for kind in [DICTIONARY, PART] {
        assert!(kinds.contains(&kind), "a frame of kind {kind} in the store");
    }
    found
}

/// Every frame of an account shard: file, kind, dictionary, offset, payload bytes.
pub fn frames(files: &Files) -> Vec<(PathBuf, u8, u16, usize, usize)> {
    let mut all = Vec::new();
    for (path, bytes) in files {
        if path.extension().is_none_or(|end| end != "phl") || path.starts_with("shards/control") {
            continue;
        }
        let mut at = 64;
        while bytes.get(at..at + 4) == Some(b"PHF1") {
            let number = |from: usize, len: usize| {
                bytes[from..from + len].iter().rev().fold(0, |sum, byte| sum << 8 | usize::from(*byte))
            };
            let len = number(at + 8, 4);
            all.push((path.clone(), bytes[at + 4], number(at + 6, 2) as u16, at, len));
            at = (at + 32 + len).next_multiple_of(8);
        }
    }
    all
}

fn ask(files: &Files) -> Vec<String> {
    let (engine, notices) = open(&disk(files)).expect("opens");
    assert_eq!(notices, Vec::<String>::new());
    answers(&engine).expect("answers")
}

#[test]
fn whole_it_is_whole_to_every_tool() {
    let whole = store();
    let (report, found) = findings(&whole);
    assert_eq!((report.damages, report.notes), (0, 0), "{found:#?}");
    assert_eq!(plan(&disk(&whole)).expect("plans"), Vec::new());
    let out = salvaged(&whole);
    assert_eq!((out.report.lost, out.report.damages), (0, 0));
    assert_eq!(out.report.messages, report.entries);
    let good = ask(&whole);
    let sim = disk(&whole);
    let done = crate::rebuild::run(&sim).expect("rebuilds");
    assert_eq!(done.different, Vec::<String>::new());
    same(&ask(&files(&sim)), &good, "after a rebuild");
}

#[test]
fn one_changed_byte_of_any_frame_loses_nothing() {
    let whole = store();
    let good = ask(&whole);
    for (path, kind, dictionary, offset, len) in frames(&whole) {
        let random = Random::new(offset as u64).below(len as u64 + 32) as usize;
        // Frames by themselves are tried elsewhere.
        if kind == MESSAGE && dictionary == 0 && len < 2_000 {
            continue;
        }
        for at in [offset + 5, offset + 32, offset + random] {
            let mut damaged = whole.clone();
            damaged.get_mut(&path).expect("there")[at] ^= 0x11;
            let case = format!("kind {kind}, byte {at} of {}", path.display());
            let sim = disk(&damaged);
            let done = apply(&sim).unwrap_or_else(|why| panic!("{case}: {why}"));
            assert!(
                !done.steps.is_empty() && done.steps.iter().all(|step| !step.act.is_loss()),
                "{case}: {:#?}",
                done.steps
            );
            let after = files(&sim);
            let (report, found) = findings(&after);
            assert_eq!(report.damages, 0, "{case}: {found:#?}");
            same(&ask(&after), &good, &case);
        }
    }
}

#[test]
fn what_it_leans_on_is_lost() {
    let whole = store();
    let good = salvaged(&whole);
    for (path, kind, _, offset, len) in frames(&whole) {
        if kind != DICTIONARY && kind != PART {
            continue;
        }
        let mut damaged = whole.clone();
        damaged.get_mut(&path).expect("there")[offset + 40..offset + 32 + len.min(400)].fill(0x77);
        let case = format!("kind {kind} at {offset} of {}", path.display());
        let (_, found) = findings(&damaged);
        assert!(found.iter().any(|one| one.who.is_some()), "{case}: nobody is told: {found:#?}");
        let out = salvaged(&damaged);
        assert!(out.report.lost > 0, "{case}");
        assert_eq!(out.report.lost + out.report.messages, good.report.messages, "{case}");
        let sim = disk(&damaged);
        let steps = apply(&sim).unwrap_or_else(|why| panic!("{case}: {why}")).steps;
        let cut: Vec<_> = steps.iter().filter(|step| step.act == Act::Cut).collect();
        assert!(cut.len() == 1 && cut[0].offset == Some(offset as u64), "{case}: only the lost frame is cut: {cut:#?}");
        let raised = steps.iter().any(|step| matches!(step.act, Act::Raise | Act::Restore));
        assert!(!raised, "{case}: no events are lost: {steps:#?}");
        let removed = steps.iter().filter(|step| step.act == Act::Remove).count();
        assert_eq!(removed as u64, out.report.lost, "{case}");
        let (report, found) = findings(&files(&sim));
        assert_eq!(report.damages, 0, "{case}: {found:#?}");
        ask(&files(&sim));
    }
}
