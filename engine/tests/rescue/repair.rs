//! repair says what it will do and does just that: afterwards the store opens, verify is clean, everything outside of the damage is as it was,
//! nothing that was given out is given out again, and every byte that was cut is kept. Without --apply nothing changes.
use crate::verify::findings;
use crate::world::{Files, answers, closed, crashed, deliver, disk, files, ids, open};
use posthouse_engine::base::{Error, MailboxId, Result, SimClock, Uid};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::{Random, SimDisk};
use posthouse_engine::queue::{QueueItem, QueueState};
use posthouse_engine::rescue::{Act, Kind, Repair, Repaired, Step, Tools};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn with<T>(disk: &SimDisk, work: impl FnOnce(&mut Tools<'_>) -> Result<T>) -> Result<T> {
    let mut scratch = || Ok(Arc::new(SimDisk::new(3)) as Arc<dyn Disk>);
    let clock = Arc::new(SimClock::at_ms(1_700_000_009_000));
    work(&mut Tools { disk: Arc::new(disk.clone()), clock, scratch: &mut scratch })
}

pub fn plan(disk: &SimDisk) -> Result<Vec<Step>> {
    with(disk, |tools| Ok(Repair::plan(tools, &mut |_| {})?.steps().to_vec()))
}

pub fn apply(disk: &SimDisk) -> Result<Repaired> {
    with(disk, |tools| Repair::plan(tools, &mut |_| {})?.apply(tools, &mut |_| {}))
}

/// What accounts hold, as far as damage may not change it: (account, mailbox, uid) -> message.
pub type Held = BTreeMap<(u64, String, u32), u32>;

pub struct Seen {
    pub held: Held,
    /// UIDNEXT and highest modseq by (account, UIDVALIDITY).
    counters: BTreeMap<(u64, u32), (u32, u64)>,
    /// Queue items that may be sent.
    queue: BTreeMap<u64, Arc<QueueItem>>,
    pub lines: Vec<String>,
}

pub fn see(disk: &SimDisk, case: &str) -> Seen {
    let (engine, notices) = open(disk).unwrap_or_else(|why| panic!("{case}: it does not open: {why}"));
    assert_eq!(notices, Vec::<String>::new(), "{case}");
    let lines = answers(&engine).unwrap_or_else(|why| panic!("{case}: {why}"));
    let (mut held, mut counters) = (Held::new(), BTreeMap::new());
    let members: Vec<_> = engine.directory(|all| all.members(Default::default()).map(|one| one.id).collect());
    for id in members {
        let Ok(account) = engine.account(id) else { continue };
        for mailbox in &account.mailboxes {
            counters.insert((id.0, mailbox.uid_validity), (mailbox.uid_next.0, mailbox.highest_modseq.0));
            for entry in mailbox.entries.range(0..mailbox.entries.len()) {
                let entry = entry.expect("an entry");
                let message = crc32fast::hash(&engine.message(id, &entry).wait().expect("its message"));
                held.insert((id.0, mailbox.name.to_string(), entry.uid.0), message);
            }
        }
    }
    let queue = engine.queue().into_iter().filter(|item| item.state != QueueState::Hold);
    let queue = queue.map(|item| (item.id.0, item)).collect();
    Seen { held, counters, queue, lines }
}

/// Plans, applies, and proves everything that must hold whatever the damage was. Gives what is there afterwards and the steps.
pub fn mend(damaged: &Files, good: &Seen, case: &str) -> (Seen, Vec<Step>) {
    let disk = disk(damaged);
    let planned = plan(&disk).unwrap_or_else(|why| panic!("{case}: no plan: {why}"));
    let mut untouched = files(&disk);
    untouched.retain(|path, _| path != Path::new("LOCK") || damaged.contains_key(path));
    assert!(untouched == *damaged, "{case}: planning changes nothing");
    let done = apply(&disk).unwrap_or_else(|why| panic!("{case}: {why}\n{planned:#?}"));
    assert_eq!(done.steps, planned, "{case}: what is done is what was planned");
    let after = files(&disk);
    let (report, found) = findings(&after);
    // Mail whose dictionary is lost stays, byte for byte, with nobody who refers to it.
    let only_leaning =
        found.iter().all(|one| one.kind == Kind::Message && one.what.contains("its own bytes are whole"));
    assert!(report.damages == 0 && only_leaning, "{case}: {found:#?}\nafter {planned:#?}");
    assert_eq!(plan(&disk).expect("plans"), Vec::new(), "{case}: nothing is left to do");
    kept(damaged, &after, &done, case);
    let seen = see(&disk, case);
    for (place, message) in &seen.held {
        assert_eq!(good.held.get(place), Some(message), "{case}: another message at {place:?}");
    }
    for (mailbox, (uid_next, modseq)) in &good.counters {
        let Some((now_uid, now_modseq)) = seen.counters.get(mailbox) else { continue };
        assert!(now_uid >= uid_next && now_modseq >= modseq, "{case}: counters of {mailbox:?} went back");
    }
    for (id, item) in &seen.queue {
        assert_eq!(good.queue.get(id), Some(item), "{case}: somebody gets a message again");
    }
    (seen, planned)
}

/// Every byte of a segment that is not where it was is in lost+found.
fn kept(before: &Files, after: &Files, done: &Repaired, case: &str) {
    for (path, bytes) in before.iter().filter(|(path, _)| path.extension().is_some_and(|end| end == "phl")) {
        let empty = Vec::new();
        let now = after.get(path).unwrap_or(&empty);
        let mut covered = vec![false; bytes.len()];
        let stem = path.display().to_string().replace('/', "-");
        for kept in
            done.kept.iter().filter_map(|kept| Some((kept, kept.strip_prefix("lost+found/")?.strip_prefix(&stem)?)))
        {
            let copy = &after[Path::new(kept.0)];
            let start = kept
                .1
                .strip_prefix("-at-")
                .map_or(0, |rest| rest.split('-').next().expect("an offset").parse().expect("a number"));
            let start = start.min(bytes.len());
            let there = &bytes[start..bytes.len().min(start + copy.len())];
            assert!(copy.starts_with(there), "{case}: {} is not what stood there", kept.0);
            covered[start..start + there.len()].fill(true);
        }
        let elsewhere = after.values().any(|other| other == bytes);
        let gone = |at: &usize| now.get(*at) != Some(&bytes[*at]) && !covered[*at];
        let nowhere = (0..bytes.len()).find(gone);
        assert!(elsewhere || nowhere.is_none(), "{case}: byte {nowhere:?} of {} is nowhere", path.display());
    }
}

pub fn lost(good: &Seen, seen: &Seen) -> BTreeSet<(u64, String, u32)> {
    good.held.keys().filter(|place| !seen.held.contains_key(*place)).cloned().collect()
}

/// What the steps of a plan take away, each named: account, mailbox, uid.
pub fn removed_by(steps: &[Step]) -> BTreeSet<(u64, String, u32)> {
    let place = |step: &Step| {
        let who = step.who.clone().expect("for somebody");
        (who.account.0, who.mailbox.expect("a mailbox"), who.uid.expect("an entry").0)
    };
    steps.iter().filter(|step| step.act == Act::Remove).map(place).collect()
}

fn segments(files: &Files) -> Vec<PathBuf> {
    files.keys().filter(|path| path.extension().is_some_and(|end| end == "phl")).cloned().collect()
}

#[test]
fn a_whole_store_needs_nothing() {
    for files in [closed(), crashed()] {
        assert_eq!(plan(&disk(&files)).expect("plans"), Vec::new());
    }
}

#[test]
fn one_changed_byte_loses_nothing() {
    let whole = closed();
    let good = see(&disk(&whole), "whole");
    for path in segments(&whole).iter().chain([&PathBuf::from("STORE")]) {
        for at in (0..whole[path].len()).filter(|at| at % 37 == 0 || at % 1024 < 3) {
            let mut damaged = whole.clone();
            damaged.get_mut(path).expect("there")[at] ^= 1 << (at % 8);
            let case = format!("byte {at} of {}", path.display());
            let (seen, steps) = mend(&damaged, &good, &case);
            crate::world::same(&seen.lines, &good.lines, &case);
            assert!(!steps.is_empty() && steps.iter().all(|step| !step.act.is_loss()), "{case}: {steps:#?}");
        }
    }
}

#[test]
fn a_zeroed_block_loses_what_stood_in_it_and_nothing_else() {
    let whole = closed();
    let good = see(&disk(&whole), "whole");
    let mut removed = 0;
    for path in segments(&whole) {
        for start in (0..whole[&path].len()).step_by(256) {
            let mut damaged = whole.clone();
            let bytes = damaged.get_mut(&path).expect("there");
            let end = bytes.len().min(start + 512);
            bytes[start..end].fill(0);
            let case = format!("{} zeroed from {start} to {end}", path.display());
            let (seen, steps) = mend(&damaged, &good, &case);
            // A checkpoint knows all events: only messages whose bytes are gone are lost.
            let lost = lost(&good, &seen);
            assert_eq!(lost, removed_by(&steps), "{case}: the plan names what is lost");
            removed += lost.len();
            assert_eq!(
                seen.counters.keys().collect::<Vec<_>>(),
                good.counters.keys().collect::<Vec<_>>(),
                "{case}: mailboxes and UIDVALIDITYs"
            );
        }
    }
    assert!(removed > 50, "{removed}");
}

#[test]
fn without_checkpoints_too() {
    let whole = closed();
    let good = see(&disk(&whole), "whole");
    for path in segments(&whole) {
        for start in (0..whole[&path].len()).step_by(300) {
            let mut damaged = whole.clone();
            damaged.retain(|path, _| path.extension().is_none_or(|end| end != "phi"));
            let bytes = damaged.get_mut(&path).expect("there");
            let end = bytes.len().min(start + 300);
            bytes[start..end].fill(0x5a);
            let case = format!("{} filled from {start} to {end}, no checkpoint", path.display());
            let disk = disk(&damaged);
            let planned = plan(&disk).unwrap_or_else(|why| panic!("{case}: no plan: {why}"));
            let done = apply(&disk).unwrap_or_else(|why| panic!("{case}: {why}\n{planned:#?}"));
            assert_eq!(done.steps, planned, "{case}");
            let (report, found) = findings(&files(&disk));
            assert_eq!(report.damages, 0, "{case}: {found:#?}\nafter {planned:#?}");
            let (engine, _) = open(&disk).unwrap_or_else(|why| panic!("{case}: {why}"));
            answers(&engine).unwrap_or_else(|why| panic!("{case}: {why}"));
            // Nothing proves that the last group was synced: it is cut, as by every start.
            if planned.iter().any(|step| step.act == Act::Torn) {
                continue;
            }
            // No uid and no number of an account is given to anybody else.
            for ((account, uid_validity), (uid_next, modseq)) in &good.counters {
                let Ok(account) = engine.account(posthouse_engine::base::AccountId(*account)) else { continue };
                for mailbox in account.mailboxes.iter().filter(|mailbox| mailbox.uid_validity == *uid_validity) {
                    let enough = mailbox.uid_next.0 >= *uid_next && mailbox.highest_modseq.0 >= *modseq;
                    assert!(enough, "{case}: {} {} {}", mailbox.name, mailbox.uid_next, mailbox.highest_modseq);
                }
            }
            let known: BTreeSet<u64> =
                engine.directory(|all| all.members(Default::default()).map(|one| one.id.0).collect());
            assert!(good.counters.keys().all(|(account, _)| known.contains(account)), "{case}: {known:?}");
        }
    }
}

#[test]
fn files_gone_swapped_or_cut() {
    let whole = closed();
    let good = see(&disk(&whole), "whole");
    let all = segments(&whole);
    for path in &all {
        let shown = path.display();
        let mut damaged = whole.clone();
        damaged.remove(path);
        let (_, steps) = mend(&damaged, &good, &format!("{shown} gone"));
        assert!(steps.iter().any(|step| step.act == Act::Make), "{steps:#?}");
        for len in [0, 10, 64, 100, whole[path].len() / 2, whole[path].len() - 1] {
            let mut damaged = whole.clone();
            damaged.get_mut(path).expect("there").truncate(len);
            mend(&damaged, &good, &format!("{shown} cut at {len}"));
        }
        for other in all.iter().filter(|other| *other > path) {
            let mut damaged = whole.clone();
            damaged.insert(path.clone(), whole[other].clone());
            damaged.insert(other.clone(), whole[path].clone());
            let case = format!("{shown} and {} swapped", other.display());
            let (seen, _) = mend(&damaged, &good, &case);
            crate::world::same(&seen.lines, &good.lines, &case);
        }
    }
    for shard in ["00000", "00001", "control"] {
        let mut damaged = whole.clone();
        damaged.retain(|path, _| {
            !path.starts_with(format!("shards/{shard}")) || path.extension().is_some_and(|end| end == "phi")
        });
        let (seen, _) = mend(&damaged, &good, &format!("all segments of {shard} gone"));
        assert_eq!(seen.counters.len(), good.counters.len(), "mailboxes come back from the checkpoint");
    }
}

#[test]
fn derived_files_store_and_whole_shards() {
    let whole = closed();
    let good = see(&disk(&whole), "whole");
    for path in whole.keys().filter(|path| path.extension().is_some_and(|end| end == "phi")) {
        let mut damaged = whole.clone();
        let bytes = damaged.get_mut(path).expect("there");
        for at in (0..bytes.len()).step_by(30) {
            bytes[at] ^= 0xff;
        }
        let (seen, steps) = mend(&damaged, &good, &path.display().to_string());
        crate::world::same(&seen.lines, &good.lines, "an index part");
        assert!(steps.iter().all(|step| step.act == Act::Rebuild), "{steps:#?}");
    }
    let mut damaged = whole.clone();
    damaged.remove(Path::new("STORE"));
    let (seen, steps) = mend(&damaged, &good, "STORE gone");
    crate::world::same(&seen.lines, &good.lines, "STORE");
    assert!(steps.len() == 1 && steps[0].act == Act::Store && steps[0].what.contains("2 shards"), "{steps:#?}");
    for shard in ["00000", "00001", "control"] {
        let mut damaged = whole.clone();
        damaged.retain(|path, _| !path.starts_with(format!("shards/{shard}")));
        let disk = disk(&damaged);
        apply(&disk).expect("applies");
        let (report, found) = findings(&files(&disk));
        assert_eq!(report.damages, 0, "{found:#?}");
        open(&disk).expect("opens");
    }
}

#[test]
fn random_damage_of_every_kind() {
    let start = std::env::var("POSTHOUSE_SEED").ok().map(|seed| seed.parse().expect("POSTHOUSE_SEED is a number"));
    let seeds = match start {
        Some(seed) => seed..seed + 1,
        None => 0..150,
    };
    let wholes = [closed(), crashed()];
    let goods = [see(&disk(&wholes[0]), "whole"), see(&disk(&wholes[1]), "whole")];
    for seed in seeds {
        let mut random = Random::new(seed);
        let which = random.below(2) as usize;
        let mut damaged = wholes[which].clone();
        let paths: Vec<PathBuf> = damaged.keys().filter(|path| path.starts_with("shards")).cloned().collect();
        for _ in 0..1 + random.below(6) {
            let path = &paths[random.below(paths.len() as u64) as usize];
            let Some(bytes) = damaged.get_mut(path).filter(|bytes| !bytes.is_empty()) else { continue };
            let (at, len) = (random.below(bytes.len() as u64) as usize, 1 + random.below(900) as usize);
            let end = bytes.len().min(at + len);
            match random.below(8) {
                0 => bytes.truncate(at),
                1 => drop(damaged.remove(path)),
                2 => bytes[at..end].fill(0),
                3 => bytes[at..end].reverse(),
                4 => bytes.extend(std::iter::repeat_n(7, len)),
                5 => bytes[at..end].iter_mut().for_each(|byte| *byte = random.bits() as u8),
                _ => bytes[at] ^= 1 + random.below(255) as u8,
            }
        }
        let case = format!("POSTHOUSE_SEED={seed}");
        let disk = disk(&damaged);
        let planned = plan(&disk).unwrap_or_else(|why| panic!("{case}: no plan: {why}"));
        let done = apply(&disk).unwrap_or_else(|why| panic!("{case}: {why}\n{planned:#?}"));
        assert_eq!(done.steps, planned, "{case}");
        let (report, found) = findings(&files(&disk));
        assert_eq!(report.damages, 0, "{case}: {found:#?}\nafter {planned:#?}");
        let (engine, _) = open(&disk).unwrap_or_else(|why| panic!("{case}: {why}"));
        answers(&engine).unwrap_or_else(|why| panic!("{case}: {why}"));
        let known = goods[which].held.len();
        assert!(known > 40);
        // It goes on as any store does.
        let first = engine.directory(|all| all.members(Default::default()).map(|one| one.id).next());
        if let Some(id) = first {
            deliver(&engine, &[id], 999, 300, false);
        }
        engine.close().unwrap_or_else(|why| panic!("{case}: {why}"));
    }
}

#[test]
fn a_crash_at_every_operation_can_be_repaired_again() {
    let whole = closed();
    let good = see(&disk(&whole), "whole");
    let mut damaged = whole.clone();
    let path = PathBuf::from("shards/00001/seg-0000000001.phl");
    let bytes = damaged.get_mut(&path).expect("there");
    bytes[600..1400].fill(0);
    let tail = segments(&damaged).into_iter().rfind(|path| path.starts_with("shards/00000")).expect("a tail");
    damaged.get_mut(&tail).expect("there").truncate(300);
    crash_everywhere(&damaged, &good, 40);
}

#[test]
fn a_crash_while_segments_change_places_loses_none() {
    let whole = closed();
    let good = see(&disk(&whole), "whole");
    let paths = ["shards/00000/seg-0000000001.phl", "shards/00001/seg-0000000002.phl"].map(PathBuf::from);
    let mut damaged = whole.clone();
    damaged.insert(paths[0].clone(), whole[&paths[1]].clone());
    damaged.insert(paths[1].clone(), whole[&paths[0]].clone());
    crash_everywhere(&damaged, &good, 10);
}

/// A repair that the machine's end interrupts at any operation ends as one that nothing interrupts, when it is begun again.
fn crash_everywhere(damaged: &Files, good: &Seen, operations_min: u64) {
    let (expected, _) = mend(damaged, good, "without a crash");
    let counted = disk(damaged);
    let start = counted.ops();
    apply(&counted).expect("applies");
    let operations = counted.ops() - start;
    assert!(operations > operations_min, "{operations}");
    for at in 0..operations {
        let sim = disk(damaged);
        sim.crash_at(sim.ops() + at);
        assert!(apply(&sim).is_err(), "operation {at} fails");
        let after = sim.crash();
        let case = format!("crash at {at} of {operations}");
        apply(&after).unwrap_or_else(|why| panic!("{case}: {why}"));
        let (report, found) = findings(&files(&after));
        assert_eq!(report.damages, 0, "{case}: {found:#?}");
        let seen = see(&after, &case);
        assert_eq!(lost(&expected, &seen), BTreeSet::new(), "{case}");
        for (place, message) in &seen.held {
            assert_eq!(good.held.get(place), Some(message), "{case}: another message at {place:?}");
        }
        for (mailbox, (uid_next, modseq)) in &good.counters {
            let now = seen.counters.get(mailbox).unwrap_or_else(|| panic!("{case}: {mailbox:?} is gone"));
            assert!(now.0 >= *uid_next && now.1 >= *modseq, "{case}: counters of {mailbox:?} went back");
        }
    }
}

#[test]
fn in_use_is_refused_and_clients_see_an_expunge() {
    let mut damaged = closed();
    let sim = disk(&damaged);
    let (engine, _) = open(&sim).expect("opens");
    assert!(matches!(plan(&sim), Err(Error::Busy)));
    let id = ids(&engine)[0];
    let view = engine.mailbox(id, MailboxId::INBOX).expect("INBOX");
    let entry = view.entries.get(1).expect("an entry");
    drop(engine);
    let path = Path::new("shards/00001").join(format!("seg-{:010}.phl", entry.locator.segment.0));
    let start = entry.locator.offset as usize + 32 + 150;
    damaged.get_mut(&path).expect("its segment")[start..start + 40].fill(0);
    let sim = disk(&damaged);
    apply(&sim).expect("applies");
    let (engine, _) = open(&sim).expect("opens");
    let now = engine.mailbox(id, MailboxId::INBOX).expect("INBOX");
    let change = posthouse_engine::index::diff(&view, &now).expect("both are whole");
    assert!(change.expunged.contains(entry.uid), "{change:?}");
    assert_eq!(now.entries.position(Uid(entry.uid.0)).expect("read"), None);
    assert_eq!((now.uid_validity, now.uid_next), (view.uid_validity, view.uid_next));
    assert!(now.highest_modseq > view.highest_modseq);
}

#[test]
fn two_segments_in_each_others_place_one_of_them_with_a_damaged_header() {
    let whole = closed();
    let good = see(&disk(&whole), "whole");
    let all = segments(&whole);
    for one in &all {
        for other in all.iter().filter(|other| *other != one) {
            for bytes in [1, 64] {
                let case = format!("{} with {bytes} bytes damaged, and {}", one.display(), other.display());
                let mut damaged = whole.clone();
                damaged.get_mut(one).expect("there")[..bytes].iter_mut().for_each(|byte| *byte ^= 2);
                let (a, b) = (damaged[one].clone(), damaged[other].clone());
                damaged.extend([(one.clone(), b), (other.clone(), a)]);
                // Every byte that was replaced is kept, or stands where it belongs now; `mend` looks for whole files.
                let disk = disk(&damaged);
                let steps = plan(&disk).unwrap_or_else(|why| panic!("{case}: no plan: {why}"));
                assert!(!steps.is_empty() && steps.iter().all(|step| !step.act.is_loss()), "{case}: {steps:#?}");
                apply(&disk).unwrap_or_else(|why| panic!("{case}: {why}"));
                assert_eq!(findings(&files(&disk)).0.damages, 0, "{case}");
                crate::world::same(&see(&disk, &case).lines, &good.lines, &case);
            }
        }
    }
}
