//! Compacted segments under damage: noticed, named, mended; one bad block loses its own messages and no others, and as long as what was
//! replaced is kept nothing is lost at all.
use crate::flips::{Fate, ask, fate};
use crate::repair::{lost, mend, removed_by, see};
use crate::verify::findings;
use crate::world::{Files, closed, compacted, compacted_from, disk, files, ids, open, same};
use posthouse_engine::Compact;
use posthouse_engine::base::{MailboxId, Uid, UidSet};
use posthouse_engine::rescue::{Act, Severity, undo};
use std::path::PathBuf;

fn colds(files: &Files) -> Vec<PathBuf> {
    let cold = |path: &&PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("cold-"));
    files.keys().filter(cold).cloned().collect()
}

#[test]
fn a_compacted_store_is_clean_and_needs_nothing() {
    let before = closed();
    let good = ask(&before).expect("whole");
    for keep in [true, false] {
        let whole = compacted_from(&before, keep);
        assert!(colds(&whole).len() > 1);
        let (report, found) = findings(&whole);
        assert_eq!((report.damages, report.notes), (0, 0), "{found:#?}");
        assert!(report.messages > 20, "{report:?}");
        same(&ask(&whole).expect("whole"), &good, "compacted");
        assert_eq!(crate::repair::plan(&disk(&whole)).expect("plans"), Vec::new());
    }
}

/// A compacted store whose machine was switched off before the next checkpoint; what was expunged before the compaction is still in the last.
fn compacted_behind_a_checkpoint() -> (Files, Vec<String>) {
    let disk = disk(&closed());
    let (engine, _) = open(&disk).expect("opens");
    for id in ids(&engine) {
        engine.remove(id, MailboxId::INBOX, UidSet::range(Uid(1), Uid(4))).wait().expect("removed");
    }
    let all =
        Compact { cold_after_ms: 0, dead_percent: 1, bytes_per_second: 0, keep_ms: i64::MAX, leave_free_bytes: 0 };
    let done = engine.compact(all).wait().expect("compacted");
    assert!(done.segments_done > 0, "{done:?}");
    let good = crate::world::answers(&engine).expect("whole");
    let found = files(&disk.crash());
    drop(engine);
    (found, good)
}

#[test]
fn a_checkpoint_from_before_a_compaction_needs_no_repair() {
    let (whole, good) = compacted_behind_a_checkpoint();
    let (report, found) = findings(&whole);
    assert_eq!(report.damages, 0, "{found:#?}");
    assert_eq!(crate::repair::plan(&disk(&whole)).expect("plans"), Vec::new());
    same(&ask(&whole).expect("whole"), &good, "after the crash");
    let mut rebuilt = whole.clone();
    rebuilt.retain(|path, _| path.extension().is_none_or(|end| end != "phi"));
    same(&ask(&rebuilt).expect("whole"), &good, "from the segments alone");
}

#[test]
fn every_byte_is_the_same_or_told() {
    let whole = compacted(false);
    let good = ask(&whole).expect("a whole store");
    let (mut told, mut kept) = (0, 0);
    for path in colds(&whole) {
        for at in 0..whole[&path].len() {
            let mut damaged = whole.clone();
            damaged.get_mut(&path).expect("there")[at] ^= 1 << ((at * 5 + at / 8) % 8);
            match fate(&damaged, &good, &format!("byte {at} of {}", path.display())) {
                Fate::Same => kept += 1,
                Fate::Told(_) => told += 1,
            }
        }
    }
    println!("{told} told, {kept} the same");
    assert!(told > 2000, "{told} told, {kept} the same");
}

#[test]
fn verify_finds_every_changed_byte_where_it_is() {
    let whole = compacted(false);
    for path in colds(&whole) {
        for at in (0..whole[&path].len()).filter(|at| at % 3 == 0) {
            let mut damaged = whole.clone();
            damaged.get_mut(&path).expect("there")[at] ^= 1 << (at % 8);
            let (_, found) = findings(&damaged);
            let named = found.iter().find(|finding| finding.file.ends_with(&path.display().to_string()));
            let named = named.unwrap_or_else(|| panic!("byte {at} of {}: {found:#?}", path.display()));
            assert_eq!(named.severity, Severity::Damage);
        }
    }
}

#[test]
fn one_changed_byte_loses_nothing() {
    let whole = compacted(false);
    let good = see(&disk(&whole), "whole");
    for path in colds(&whole) {
        for at in (0..whole[&path].len()).filter(|at| at % 13 == 0) {
            let mut damaged = whole.clone();
            damaged.get_mut(&path).expect("there")[at] ^= 1 << (at % 8);
            let case = format!("byte {at} of {}", path.display());
            let (seen, steps) = mend(&damaged, &good, &case);
            same(&seen.lines, &good.lines, &case);
            assert!(!steps.is_empty() && steps.iter().all(|step| !step.act.is_loss()), "{case}: {steps:#?}");
        }
    }
}

#[test]
fn a_bad_block_loses_only_its_own_messages_each_named() {
    let whole = compacted(false);
    let good = see(&disk(&whole), "whole");
    let (mut removed, mut nothing) = (0, 0);
    for path in colds(&whole) {
        for start in (0..whole[&path].len()).step_by(256) {
            let mut damaged = whole.clone();
            let bytes = damaged.get_mut(&path).expect("there");
            let end = bytes.len().min(start + 512);
            bytes[start..end].fill(0);
            let case = format!("{} zeroed from {start} to {end}", path.display());
            let (seen, steps) = mend(&damaged, &good, &case);
            let lost = lost(&good, &seen);
            assert_eq!(lost, removed_by(&steps), "{case}: the plan names what is lost");
            removed += lost.len();
            nothing += usize::from(lost.is_empty());
        }
    }
    assert!(removed > 20 && nothing > 2, "{removed} {nothing}");
}

#[test]
fn files_gone_or_cut() {
    let whole = compacted(false);
    let good = see(&disk(&whole), "whole");
    for path in colds(&whole) {
        let shown = path.display();
        let mut damaged = whole.clone();
        damaged.remove(&path);
        let (_, steps) = mend(&damaged, &good, &format!("{shown} gone"));
        assert!(steps.iter().any(|step| step.act == Act::Make), "{steps:#?}");
        for len in [0, 10, 64, 100, whole[&path].len() / 2, whole[&path].len() - 1, whole[&path].len() - 300] {
            let mut damaged = whole.clone();
            damaged.get_mut(&path).expect("there").truncate(len);
            mend(&damaged, &good, &format!("{shown} cut at {len}"));
        }
    }
}

#[test]
fn what_was_replaced_stands_in_for_what_is_damaged() {
    let whole = compacted(true);
    let good = see(&disk(&whole), "whole");
    for path in colds(&whole) {
        for start in (0..whole[&path].len()).step_by(400) {
            let mut damaged = whole.clone();
            let bytes = damaged.get_mut(&path).expect("there");
            let end = bytes.len().min(start + 400);
            bytes[start..end].fill(0x5a);
            let case = format!("{} filled from {start}", path.display());
            let (seen, steps) = mend(&damaged, &good, &case);
            same(&seen.lines, &good.lines, &case);
            assert!(steps.iter().all(|step| !step.act.is_loss()), "{case}: {steps:#?}");
        }
    }
}

#[test]
fn salvage_loses_only_what_stood_in_the_damage() {
    let whole = compacted(false);
    let all = crate::salvage::run(&whole);
    assert_eq!((all.report.lost, all.report.damages), (0, 0));
    let mut lost = 0;
    for path in colds(&whole) {
        for start in (0..whole[&path].len()).step_by(300) {
            for checkpoint in [true, false] {
                let mut damaged = whole.clone();
                damaged.retain(|path, _| checkpoint || path.extension().is_none_or(|end| end != "phi"));
                let bytes = damaged.get_mut(&path).expect("there");
                let end = bytes.len().min(start + 300);
                bytes[start..end].fill(0x5a);
                let out = crate::salvage::run(&damaged);
                let got = out.report.messages + out.report.lost;
                assert!(!checkpoint || got >= all.report.messages, "{} at {start}: {:?}", path.display(), out.report);
                assert!(out.report.messages > 0);
                lost += out.report.lost;
            }
        }
    }
    assert!(lost > 20, "{lost}");
}

#[test]
fn undo_gives_the_former_files_back() {
    let whole = compacted(true);
    let good = ask(&whole).expect("whole");
    let disk = disk(&whole);
    let done = undo(&disk, 5).expect("undone");
    assert_eq!(done.undone.len(), colds(&whole).len());
    assert!(done.final_ones.is_empty());
    assert!(colds(&files(&disk)).iter().all(|path| path.extension().is_some_and(|end| end == "undone")));
    let (engine, _) = open(&disk).expect("opens");
    same(&crate::world::answers(&engine).expect("answers"), &good, "undone");
    engine.close().expect("closes");
    drop(engine);
    let kept: Files = files(&disk);
    assert_eq!(findings(&kept).0.damages, 0);
    let fixed = compacted(false);
    let none = undo(&crate::world::disk(&fixed), 5).expect("runs");
    assert_eq!((none.undone.len(), none.final_ones.len()), (0, colds(&fixed).len()));
}

#[test]
fn a_damaged_header_of_what_was_replaced_is_told_and_needs_no_repair() {
    let whole = compacted(true);
    let good = ask(&whole).expect("whole");
    let replaced: Vec<PathBuf> = whole
        .keys()
        .filter(|path| {
            path.display().to_string().contains("seg-0000000001.phl") && !path.display().to_string().contains("control")
        })
        .cloned()
        .collect();
    assert!(!replaced.is_empty());
    for path in replaced {
        for at in [1, 40, 62] {
            let mut damaged = whole.clone();
            damaged.get_mut(&path).expect("there")[at] ^= 1;
            let (report, found) = findings(&damaged);
            assert_eq!((report.damages, report.notes), (0, 1), "{found:#?}");
            assert!(found[0].what.contains("no undo any more"), "{found:#?}");
            assert_eq!(crate::repair::plan(&disk(&damaged)).expect("plans"), Vec::new());
            same(&ask(&damaged).expect("opens"), &good, "a replaced file is damaged");
        }
    }
}
