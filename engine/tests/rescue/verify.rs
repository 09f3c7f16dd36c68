//! verify finds every changed byte, names the file and the place, and says whom it concerns; on a whole store it finds nothing and counts right.
use crate::world::{Files, PEOPLE, closed, crashed, disk, files, ids, open};
use posthouse_engine::base::MailboxId;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::rescue::{Finding, Kind, Report, Severity, Told, verify};
use std::path::Path;
use std::sync::Arc;

pub fn findings(files: &Files) -> (Report, Vec<Finding>) {
    let disk = disk(files);
    let mut found = Vec::new();
    let mut watch = |told: Told<'_>| {
        if let Told::Finding(finding) = told {
            found.push(finding.clone());
        }
    };
    let mut scratch = || Ok(Arc::new(SimDisk::new(3)) as Arc<dyn posthouse_engine::disk::Disk>);
    let report = verify(&disk, false, &mut scratch, &mut watch).expect("damage is no error");
    (report, found)
}

#[test]
fn a_whole_store_is_clean_and_counted() {
    for files in [closed(), crashed()] {
        let (report, found) = findings(&files);
        assert_eq!((report.damages, report.notes), (0, 0), "{found:#?}");
        let (engine, _) = open(&disk(&files)).expect("opens");
        let accounts: Vec<_> = ids(&engine).into_iter().map(|id| engine.account(id).expect("there")).collect();
        assert_eq!(report.accounts, PEOPLE as u64);
        assert_eq!(report.entries, accounts.iter().map(|account| account.messages).sum::<u64>());
        assert_eq!(report.used_bytes, accounts.iter().map(|account| account.used_bytes).sum::<u64>());
        assert_eq!(report.mailboxes, accounts.iter().map(|account| account.mailboxes.len() as u64).sum::<u64>());
        assert_eq!(report.queued, engine.queue().len() as u64);
        let segments = files.keys().filter(|path| path.extension().is_some_and(|end| end == "phl"));
        assert_eq!(report.segments, segments.count() as u64);
        assert!(report.messages > 20 && report.events > 40, "{report:?}");
    }
}

#[test]
fn every_changed_byte_is_found_where_it_is() {
    let files = closed();
    let (mut unseen, mut parts) = (0, 0);
    for (path, bytes) in files.iter().filter(|(path, _)| !path.ends_with("LOCK")) {
        let is_part = path.extension().is_some_and(|end| end == "phi");
        for at in (0..bytes.len()).filter(|at| at % 3 == 0 || at % 512 < 16) {
            let mut damaged = files.clone();
            damaged.get_mut(path).expect("it is there")[at] ^= 1 << (at % 8);
            let (report, found) = findings(&damaged);
            parts += usize::from(is_part);
            if is_part && report.damages == 0 {
                // Chunks and records that newer parts have replaced are read by nobody.
                unseen += 1;
                continue;
            }
            let named = found.iter().find(|finding| finding.file.ends_with(&path.display().to_string()));
            let named = named.unwrap_or_else(|| panic!("byte {at} of {}: {found:#?}", path.display()));
            assert_eq!(named.severity, Severity::Damage);
            if let (false, Some(offset), Some(bytes)) = (is_part, named.offset, named.bytes) {
                assert!((offset..offset + bytes).contains(&(at as u64)), "byte {at}: {named:?}");
            }
        }
    }
    println!("{unseen} of {parts} bytes of index parts are read by nobody");
    assert!(unseen * 4 < parts);
}

#[test]
fn a_lost_message_is_told_for_whom() {
    let mut files = closed();
    let disk = disk(&files);
    let (engine, _) = open(&disk).expect("opens");
    let id = ids(&engine)[0];
    let view = engine.mailbox(id, MailboxId::INBOX).expect("INBOX");
    let entry = view.entries.get(0).expect("an entry");
    drop(engine);
    let path = Path::new("shards/00001").join(format!("seg-{:010}.phl", entry.locator.segment.0));
    assert_eq!(id.0 % 2, 1);
    let bytes = files.get_mut(&path).expect("its segment");
    // Bytes of the body, more than can be mended.
    let start = entry.locator.offset as usize + 32 + 150;
    bytes[start..start + 40].fill(0);
    let (_, found) = findings(&files);
    let lost = found.iter().filter(|finding| finding.kind == Kind::Reference).find_map(|finding| {
        let who = finding.who.clone()?;
        (who.uid == Some(entry.uid) && who.mailbox.as_deref() == Some("INBOX")).then_some(who)
    });
    let who = lost.unwrap_or_else(|| panic!("{found:#?}"));
    assert_eq!(who.address.as_deref(), Some("m0@acme.test"));
    let message = who.message.expect("the summary is whole");
    assert!(message.starts_with('<') && message.contains("@example.test> \"number "), "{message}");
}

#[test]
fn a_torn_tail_is_a_note() {
    let mut files = crashed();
    let tail =
        files.keys().rfind(|path| path.starts_with("shards/00000") && path.extension().is_some_and(|end| end == "phl"));
    let tail = tail.expect("a tail").clone();
    files.get_mut(&tail).expect("there").extend([7; 100]);
    let (report, found) = findings(&files);
    assert_eq!((report.damages, report.notes), (0, 1), "{found:#?}");
    // With the zeros that were written ahead.
    assert!(found[0].kind == Kind::TornTail && found[0].bytes > Some(100), "{found:#?}");
}

#[test]
fn looking_changes_nothing() {
    let before = crashed();
    let disk = disk(&before);
    let mut scratch = || panic!("nothing this small needs scratch files");
    let report = verify(&disk, false, &mut scratch, &mut |_| {}).expect("runs");
    assert_eq!((report.damages, report.notes), (0, 0));
    assert_eq!(files(&disk), before);
}
