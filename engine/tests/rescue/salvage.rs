//! salvage gets out every message outside of the damage, under its account, mailbox and uid, and says what it could not read; the source is
//! never changed.
use crate::world::{Files, closed, crashed, disk, files, ids, open};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::{Random, SimDisk};
use posthouse_engine::rescue::{Belongs, Finding, Salvage, Salvaged, Told, salvage};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Account, mailbox, uid.
type Place = (u64, String, u32);
/// Crc of the message, flags, keywords, date.
type Content = (u32, u16, Vec<String>, i64);

#[derive(Default)]
pub struct Out {
    filed: BTreeMap<Place, Content>,
    addresses: BTreeSet<String>,
    unfiled: Vec<u32>,
    queued: Vec<u32>,
    lost: Vec<Belongs>,
    findings: Vec<Finding>,
    pub report: Salvage,
}

pub fn run(damaged: &Files) -> Out {
    let disk = disk(damaged);
    let mut out = Out::default();
    let mut findings = Vec::new();
    let mut scratch = || Ok(Arc::new(SimDisk::new(3)) as Arc<dyn Disk>);
    let mut watch = |told: Told<'_>| {
        if let Told::Finding(finding) = told {
            findings.push(finding.clone());
        }
    };
    let mut give = |item: Salvaged<'_>| {
        match item {
            Salvaged::Message { belongs, bytes } => {
                let crc = crc32fast::hash(bytes);
                match belongs {
                    Belongs::Entry { account, address, mailbox, uid, flags, keywords, internal_date } => {
                        out.addresses.extend(address);
                        out.filed.insert((account.0, mailbox, uid.0), (crc, flags.0, keywords, internal_date));
                    }
                    Belongs::Queue { .. } => out.queued.push(crc),
                    Belongs::Unfiled { .. } => out.unfiled.push(crc),
                }
            }
            Salvaged::Mailbox { .. } | Salvaged::People(_) => {}
            Salvaged::Lost { belongs, .. } => out.lost.push(belongs),
        }
        Ok(())
    };
    out.report = salvage(&disk, &mut scratch, &mut watch, &mut give).expect("damage is no error");
    out.findings = findings;
    assert!(files(&disk) == *damaged, "the source is not changed");
    out
}

/// Bytes of a file of the undamaged store.
type Stretch = (PathBuf, Range<u64>);
/// The stretches that each entry's message needs: its frame, and that of the dictionary it was compressed with.
type Frames = BTreeMap<Place, Vec<Stretch>>;

/// Where the dictionaries of the shards stand.
fn dictionaries(whole: &Files) -> BTreeMap<(PathBuf, u16), Stretch> {
    let all = crate::leaning::frames(whole).into_iter().filter(|frame| frame.1 == 4);
    all.map(|(path, _, id, at, len)| {
        let shard = path.parent().expect("a directory").to_owned();
        ((shard, id), (path, at as u64..(at + 32 + len) as u64))
    })
    .collect()
}

fn frames(whole: &Files) -> Frames {
    let (engine, _) = open(&disk(whole)).expect("opens");
    let (mut all, dictionaries) = (Frames::new(), dictionaries(whole));
    for id in ids(&engine) {
        let account = engine.account(id).expect("there");
        for mailbox in &account.mailboxes {
            for entry in mailbox.entries.range(0..mailbox.entries.len()) {
                let entry = entry.expect("an entry");
                let shard = id.0 % 2;
                let dir = Path::new("shards").join(format!("{shard:05}"));
                let path = dir.join(format!("seg-{:010}.phl", entry.locator.segment.0));
                let at = entry.locator.offset as usize;
                let bytes = &whole[&path];
                let len = u32::from_le_bytes(bytes[at + 8..at + 12].try_into().expect("four bytes"));
                let dictionary = u16::from_le_bytes(bytes[at + 6..at + 8].try_into().expect("two bytes"));
                let mut needs = vec![(path, at as u64..at as u64 + 32 + u64::from(len))];
                needs.extend(dictionaries.get(&(dir, dictionary)).cloned());
                all.insert((id.0, mailbox.name.to_string(), entry.uid.0), needs);
            }
        }
    }
    all
}

#[test]
fn a_whole_store_comes_out_whole() {
    for whole in [closed(), crashed()] {
        let out = run(&whole);
        assert_eq!(out.filed.len(), frames(&whole).len());
        assert_eq!((out.lost.len(), out.unfiled.len(), out.findings.len()), (0, 0, 0), "{:?}", out.findings);
        assert!(!out.queued.is_empty() && out.addresses.len() == 4, "{:?}", out.addresses);
        assert_eq!(out.report.messages as usize, out.filed.len() + out.queued.len());
    }
}

/// A block that is overwritten takes the messages whose bytes it covers, and no other.
#[test]
fn every_message_outside_of_the_damage_comes_out() {
    let whole = closed();
    let (good, places) = (run(&whole), frames(&whole));
    let all: Vec<PathBuf> =
        whole.keys().filter(|path| path.extension().is_some_and(|end| end == "phl")).cloned().collect();
    for path in all {
        for start in (0..whole[&path].len()).step_by(211) {
            for checkpoints in [true, false] {
                let mut damaged = whole.clone();
                if !checkpoints {
                    damaged.retain(|path, _| path.extension().is_none_or(|end| end != "phi"));
                }
                let bytes = damaged.get_mut(&path).expect("there");
                let end = bytes.len().min(start + 211);
                bytes[start..end].fill(0x42);
                let case = format!("{} from {start} to {end}, checkpoints: {checkpoints}", path.display());
                let out = run(&damaged);
                let mut all_messages: Vec<u32> = out.filed.values().map(|found| found.0).collect();
                all_messages.extend(&out.unfiled);
                for (place, needs) in &places {
                    let hit =
                        |(file, range): &Stretch| *file == path && range.start < end as u64 && range.end > start as u64;
                    if needs.iter().any(hit) {
                        continue;
                    }
                    let message = &good.filed[place];
                    if checkpoints {
                        assert_eq!(out.filed.get(place), Some(message), "{case}: {place:?}");
                    } else {
                        assert!(all_messages.contains(&message.0), "{case}: {place:?} is nowhere");
                    }
                }
                let wrong =
                    out.filed.iter().find(|(place, found)| good.filed.get(*place).is_none_or(|it| it.0 != found.0));
                assert!(!checkpoints || wrong.is_none(), "{case}: {wrong:?}");
                assert!(!out.findings.is_empty(), "{case}");
            }
        }
    }
}

#[test]
fn without_footers_parts_store_and_with_a_segment_missing() {
    let whole = closed();
    let good = run(&whole);
    let mut damaged = whole.clone();
    damaged.retain(|path, _| path.extension().is_none_or(|end| end != "phi") && !path.ends_with("STORE"));
    for path in damaged.keys().cloned().collect::<Vec<_>>() {
        if path.ends_with("seg-0000000001.phl") {
            let bytes = damaged.get_mut(&path).expect("there");
            let len = bytes.len();
            bytes[len - 150..].fill(0xee);
            // The header too: the frames tell the salt.
            bytes[..64].fill(0);
        }
    }
    let out = run(&damaged);
    assert_eq!(out.filed, good.filed);
    let gone = PathBuf::from("shards/00000/seg-0000000001.phl");
    damaged.remove(&gone);
    let out = run(&damaged);
    let in_other_shard = |(place, _): &(&Place, &Content)| place.0 % 2 == 1;
    for (place, message) in good.filed.iter().filter(in_other_shard) {
        assert_eq!(out.filed.get(place), Some(message), "{place:?}");
    }
    // What was delivered after the missing segment is still there; made-up mailboxes hold what is not known better.
    let crcs: BTreeSet<u32> = out.filed.values().map(|found| found.0).chain(out.unfiled.iter().copied()).collect();
    for (place, needs) in frames(&whole) {
        if needs.iter().all(|(file, _)| *file != gone) {
            assert!(crcs.contains(&good.filed[&place].0), "{place:?} is nowhere");
        }
    }
}

#[test]
fn random_garbage_is_survived() {
    let whole = crashed();
    let good = run(&whole);
    let known: BTreeSet<u32> = good.filed.values().map(|found| found.0).chain(good.queued.iter().copied()).collect();
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let mut damaged = whole.clone();
        for bytes in damaged.values_mut().filter(|bytes| !bytes.is_empty()) {
            for _ in 0..random.below(4) {
                let at = random.below(bytes.len() as u64) as usize;
                let end = bytes.len().min(at + random.below(400) as usize);
                bytes[at..end].iter_mut().for_each(|byte| *byte = random.bits() as u8);
            }
            if random.chance(10) {
                let cut = random.below(bytes.len() as u64) as usize;
                bytes.truncate(cut);
            }
        }
        damaged.retain(|_, _| !random.chance(8));
        if damaged.keys().all(|path| !path.starts_with("shards")) {
            continue;
        }
        let out = run(&damaged);
        for message in out.filed.values().map(|found| found.0).chain(out.unfiled).chain(out.queued) {
            assert!(known.contains(&message), "seed {seed}: a message that nobody ever wrote");
        }
    }
}
