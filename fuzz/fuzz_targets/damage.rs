//! A whole store with damage as the input says, or with a frame that lies under right crcs. It opens or is refused, and what it gives out is
//! what was put in; verify and salvage get to their ends; after a repair of damage it opens, is clean, and takes mail.
#![no_main]
use posthouse_engine::base::{Error, Guid, Result, SimClock};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::format::frame::{FRAME_HEADER_BYTES, FrameHeader, salted_crc};
use posthouse_engine::format::segment::SEGMENT_HEADER_BYTES;
use posthouse_engine::format::{FrameKind, SegmentHeader};
use posthouse_engine::rescue::{Finding, Range, Repair, Salvaged, Severity, Told, Tools, inspect, salvage, verify};
use posthouse_fuzz::Take;
use posthouse_fuzz::damage::{self, Files, Stores, append, open, read};
use std::path::PathBuf;
use std::sync::Arc;

posthouse_fuzz::target!(run, seeds: seeds());

const EDITS_MAX: usize = 6;

fn run(data: &[u8]) {
    let mut take = Take(data);
    let stores = damage::stores();
    let mut files = stores.files[usize::from(take.u8()) % stores.files.len()].clone();
    let (mut edits, mut lies) = (0, false);
    while !take.is_empty() && edits < EDITS_MAX && !files.is_empty() {
        edits += 1;
        lies |= edit(&mut take, &mut files);
    }
    look(&files, stores, lies);
    let disk = damage::disk(&files);
    if !lies {
        mend(&disk, stores);
    } else if repair(&disk).is_ok() {
        let _ = open(&disk);
    }
}

/// One change; whether it is a lie that no crc can tell from the truth.
fn edit(take: &mut Take<'_>, files: &mut Files) -> bool {
    let pick = |take: &mut Take<'_>| files.keys().nth(usize::from(take.u8()) % files.len()).cloned();
    let (Some(path), Some(other)) = (pick(take), pick(take)) else { return false };
    let (what, at) = (take.u8(), usize::from(take.u16()));
    let Some(bytes) = files.get_mut(&path) else { return false };
    let at = at % bytes.len().max(1);
    match what % 7 {
        0 | 1 if at < bytes.len() => bytes[at] ^= take.u8().max(1),
        2 => {
            let new = take.bytes(64);
            let end = bytes.len().min(at + new.len());
            bytes[at..end].copy_from_slice(&new[..end - at]);
        }
        3 => bytes.truncate(at),
        4 => drop(files.remove(&path)),
        5 => swap(files, &path, &other),
        _ => return lie(bytes, take, at),
    }
    false
}

fn swap(files: &mut Files, one: &PathBuf, other: &PathBuf) {
    if let (Some(a), Some(b)) = (files.get(one).cloned(), files.get(other).cloned()) {
        files.insert(one.clone(), b);
        files.insert(other.clone(), a);
    }
}

/// Puts bytes of the input into the payload of the frame that stands at `at` or after it, and right crcs over it.
fn lie(bytes: &mut [u8], take: &mut Take<'_>, at: usize) -> bool {
    let Ok(header) = SegmentHeader::decode(bytes) else { return false };
    let mut offset = SEGMENT_HEADER_BYTES;
    let mut found = None;
    while let Some(Ok(frame)) = bytes.get(offset..).map(|rest| FrameHeader::decode(rest, header.salt)) {
        if frame.kind != FrameKind::Footer {
            found = Some((offset, frame));
        }
        if offset >= at {
            break;
        }
        offset += frame.frame_bytes();
    }
    let Some((offset, frame)) = found else { return false };
    let start = offset + FRAME_HEADER_BYTES;
    let Some(payload) = bytes.get_mut(start..start + frame.payload_len as usize) else { return false };
    let within = usize::from(take.u16()) % payload.len().max(1);
    let new = take.bytes(48);
    let end = payload.len().min(within + new.len());
    payload[within..end].copy_from_slice(&new[..end - within]);
    let payload_crc = salted_crc(0, payload);
    let encoded = FrameHeader { payload_crc, ..frame }.encode(header.salt);
    bytes[offset..start].copy_from_slice(&encoded);
    true
}

/// What verify finds; `None`: there is no store.
fn checked(disk: &SimDisk) -> Option<Vec<Finding>> {
    let mut scratch = || Ok(Arc::new(SimDisk::new(3)) as Arc<dyn Disk>);
    let mut damages = Vec::new();
    let mut watch = |told: Told<'_>| match told {
        Told::Finding(finding) if finding.severity == Severity::Damage => damages.push(finding.clone()),
        _ => {}
    };
    match verify(disk, false, &mut scratch, &mut watch) {
        Ok(_) => Some(damages),
        Err(Error::NotFound(_)) => None,
        Err(why) => panic!("verify: {why}"),
    }
}

/// Looks in every way that changes nothing but torn ends.
fn look(files: &Files, stores: &Stores, lies: bool) {
    let disk = damage::disk(files);
    checked(&disk);
    for path in files.keys() {
        // What is no file of ours is refused; what is damaged is a line.
        let _ = inspect(&disk, path, Range::default(), &mut |_| {});
    }
    let mut scratch = || Ok(Arc::new(SimDisk::new(3)) as Arc<dyn Disk>);
    let mut give = |item: Salvaged<'_>| {
        if let Salvaged::Message { bytes, .. } = item {
            assert!(lies || stores.messages.values().any(|message| message == bytes), "salvage made a message up");
        }
        Ok(())
    };
    match salvage(&disk, &mut scratch, &mut |_| {}, &mut give) {
        Ok(_) | Err(Error::NotFound(_)) => {}
        Err(why) => panic!("salvage: {why}"),
    }
    match open(&disk) {
        Ok(engine) => right(&read(&engine), stores, lies),
        Err(Error::Corrupt { .. } | Error::NotFound(_) | Error::Invalid(_)) => {}
        Err(why) => panic!("opening: {why}"),
    }
}

fn right(found: &[(Guid, Result<Vec<u8>>)], stores: &Stores, lies: bool) {
    for (guid, message) in found {
        match message {
            Ok(bytes) => assert!(lies || stores.messages.get(guid) == Some(bytes), "another message than was put in"),
            Err(Error::Corrupt { .. } | Error::NotFound(_)) => {}
            Err(why) => panic!("reading: {why}"),
        }
    }
}

fn repair(disk: &SimDisk) -> Result<()> {
    let mut scratch = || Ok(Arc::new(SimDisk::new(3)) as Arc<dyn Disk>);
    let clock = Arc::new(SimClock::at_ms(1_700_000_009_000));
    let mut tools = Tools { disk: Arc::new(disk.clone()), clock, scratch: &mut scratch };
    Repair::plan(&mut tools, &mut |_| {})?.apply(&mut tools, &mut |_| {}).map(drop)
}

/// Accidents are mended, whatever they were.
fn mend(disk: &SimDisk, stores: &Stores) {
    match repair(disk) {
        Ok(()) => {}
        // Nothing of a store is left, or a header says that a newer program wrote the file.
        Err(Error::NotFound(_) | Error::Corrupt { .. }) => return,
        Err(why) => panic!("repair: {why}"),
    }
    let engine = open(disk).unwrap_or_else(|why| panic!("after a repair: {why}"));
    let found = read(&engine);
    assert!(found.iter().all(|(_, message)| message.is_ok()), "after a repair every entry has its message");
    right(&found, stores, false);
    let account = engine.directory(|all| all.members(Default::default()).next().map(|one| one.id));
    if let Some(account) = account {
        engine.open_account(account).wait().expect("opened");
        append(&engine, account, b"Subject: new\r\n\r\n".to_vec()).expect("it takes mail");
    }
    engine.close().expect("closes");
    drop(engine);
    assert_eq!(checked(disk), Some(Vec::new()), "clean after a repair");
}

fn seeds() -> Vec<Vec<u8>> {
    let edit = |store: u8, file: u8, what: u8, at: u16, rest: &[u8]| {
        [&[store, file, 1, what], &at.to_le_bytes()[..], rest].concat()
    };
    let stores = 0..damage::stores().files.len() as u8;
    let each = stores.flat_map(|store| (0..8).flat_map(move |file| (0..7).map(move |what| (store, file, what))));
    each.map(|(store, file, what)| edit(store, file, what, 200 + 90 * u16::from(what), &[7, 0, 1, 2, 3])).collect()
}
