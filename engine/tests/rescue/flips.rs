//! One file after the other is damaged: byte by byte, cut, emptied, zeroed, taken away, swapped with its like. Whatever happens, an open
//! store answers as before or with an error that names the file; it never panics and never answers wrongly.
use crate::world::{Files, answers, closed, crashed, disk, ids, message, open, same};
use posthouse_engine::base::{Error, Flags, Result};
use posthouse_engine::delivery::{Delivery, Place, Target};
use std::collections::HashSet;
use std::path::{Path, PathBuf};

/// What became of one damage.
#[derive(Debug, PartialEq)]
pub enum Fate {
    Same,
    Told(String),
}

pub fn ask(files: &Files) -> Result<Vec<String>> {
    let (engine, _) = open(&disk(files))?;
    answers(&engine)
}

/// The fate of a store with these files; panics when it answers wrongly or with an error that names nothing.
pub fn fate(files: &Files, good: &[String], case: &str) -> Fate {
    match ask(files) {
        Ok(found) => {
            same(&found, good, case);
            Fate::Same
        }
        Err(error) => {
            named(&error, case);
            Fate::Told(error.to_string())
        }
    }
}

fn named(error: &Error, case: &str) {
    let named = matches!(error, Error::Corrupt { file, .. } if file.starts_with("sim:"));
    assert!(named, "{case}: an error that names a file and a place: {error:?}");
}

/// A start, a mail for each member, a stop, and another start: if it answers, then with all that was there and with what was taken since.
fn goes_on(files: &Files, good: &[String], case: &str) {
    let sim = disk(files);
    let Ok((engine, _)) = open(&sim) else { return };
    let mut taken = 0;
    for account in ids(&engine) {
        let staged = engine.stage(Vec::new(), message(account.0 as u32 + 900, 300)).wait().expect("staged");
        let target = Target { account, place: Place::Inbox, flags: Flags::NONE, bound: None };
        let outcome = engine.deliver(Delivery { staged, targets: vec![target], queue: Vec::new() }).wait();
        taken += usize::from(outcome.targets[0].is_ok());
    }
    // The last checkpoint cannot be written when what it is made of is damaged.
    let _ = engine.close();
    drop(engine);
    let found = match open(&sim).and_then(|(engine, _)| answers(&engine)) {
        Ok(found) => found,
        Err(error) => return named(&error, case),
    };
    let entries =
        |lines: &[String]| -> Vec<String> { lines.iter().filter(|line| line.starts_with("Entry ")).cloned().collect() };
    let (found, good) = (entries(&found), entries(good));
    assert_eq!(found.len(), good.len() + taken, "{case}: {taken} mails were taken");
    let there: HashSet<&String> = found.iter().collect();
    let gone = good.iter().find(|line| !there.contains(line));
    assert_eq!(gone, None, "{case}: an entry that was there before");
}

fn name(path: &Path) -> String {
    path.display().to_string()
}

#[test]
fn every_byte_of_every_file() {
    let files = closed();
    let good = ask(&files).expect("a whole store");
    let (mut told, mut same) = (0, 0);
    for (path, bytes) in &files {
        for at in 0..bytes.len() {
            let mut damaged = files.clone();
            damaged.get_mut(path).expect("it is there")[at] ^= 1 << ((at * 5 + at / 8) % 8);
            let case = format!("byte {at} of {}", name(path));
            let is_part = path.extension().is_some_and(|end| end == "phi");
            if at % if is_part { 3 } else { 31 } == 0 || (is_part && at + 60 > bytes.len()) {
                goes_on(&damaged, &good, &case);
            }
            match fate(&damaged, &good, &case) {
                Fate::Same => same += 1,
                Fate::Told(_) => told += 1,
            }
        }
    }
    println!("{told} told, {same} the same");
    assert!(told > 10_000 && same > 100);
}

/// Nothing proves that the last group before a crash was synced: it may be cut, and that is told. Every other byte is held to the rule.
#[test]
fn after_a_crash_only_the_last_group_may_go_and_that_is_told() {
    let files = crashed();
    let good = ask(&files).expect("a whole store");
    let (mut cut, mut told) = (0, 0);
    for (path, bytes) in files.iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "phl")) {
        for at in (0..bytes.len()).filter(|at| at % 3 == 0 || at + 600 > bytes.len()) {
            let mut damaged = files.clone();
            damaged.get_mut(path).expect("it is there")[at] ^= 1 << (at % 8);
            let notices = open(&disk(&damaged)).map(|(_, notices)| notices).unwrap_or_default();
            if notices.iter().any(|line| line.contains("cut ")) {
                cut += 1;
                assert!(notices.iter().any(|line| line.starts_with(&format!("sim:/{}", name(path)))), "{notices:?}");
                continue;
            }
            told += usize::from(fate(&damaged, &good, &format!("byte {at} of {}", name(path))) != Fate::Same);
        }
    }
    println!("{cut} cut, {told} told");
    assert!(cut > 100 && told > 2 * cut);
}

#[test]
fn files_cut_emptied_zeroed_or_gone() {
    let files = closed();
    let good = ask(&files).expect("a whole store");
    for (path, bytes) in &files {
        let shown = name(path);
        for len in [0, 1, 63, 64, bytes.len() / 2, bytes.len().saturating_sub(1)] {
            let mut damaged = files.clone();
            damaged.insert(path.clone(), bytes[..len.min(bytes.len())].to_vec());
            fate(&damaged, &good, &format!("{shown} cut at {len}"));
            goes_on(&damaged, &good, &format!("{shown} cut at {len}"));
        }
        for start in (0..bytes.len()).step_by(512) {
            let mut damaged = files.clone();
            let end = bytes.len().min(start + 512);
            damaged.get_mut(path).expect("it is there")[start..end].fill(0);
            fate(&damaged, &good, &format!("{shown} zeroed from {start}"));
            goes_on(&damaged, &good, &format!("{shown} zeroed from {start}"));
        }
        let mut damaged = files.clone();
        damaged.remove(path);
        fate(&damaged, &good, &format!("{shown} gone"));
        goes_on(&damaged, &good, &format!("{shown} gone"));
    }
}

#[test]
fn files_in_each_others_place() {
    let files = closed();
    let good = ask(&files).expect("a whole store");
    let paths: Vec<&PathBuf> = files.keys().filter(|path| path.starts_with("shards")).collect();
    for (at, one) in paths.iter().enumerate() {
        for other in &paths[at + 1..] {
            let mut damaged = files.clone();
            damaged.insert((*one).clone(), files[*other].clone());
            fate(&damaged, &good, &format!("{} as a copy of {}", name(one), name(other)));
            damaged.insert((*other).clone(), files[*one].clone());
            fate(&damaged, &good, &format!("{} and {} swapped", name(one), name(other)));
            goes_on(&damaged, &good, &format!("{} and {} swapped", name(one), name(other)));
        }
    }
}

#[test]
fn whole_shards_gone() {
    let files = closed();
    let good = ask(&files).expect("a whole store");
    for shard in ["00000", "00001", "control"] {
        let mut damaged = files.clone();
        damaged.retain(|path, _| !path.starts_with(format!("shards/{shard}")));
        assert!(matches!(fate(&damaged, &good, &format!("shard {shard} gone")), Fate::Told(_)));
    }
}
