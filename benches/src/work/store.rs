//! Work of the engine alone: frames, parsing, staging. No socket, no thread.
use super::mails::mail;
use super::{Done, repeat};
use posthouse_engine::base::{Guid, Lsn, ShardId, SimClock};
use posthouse_engine::delivery::{self, Dictionary, Origin, Samples};
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::index::mime;
use posthouse_engine::log::{self, FrameKind, LogOptions};
use std::path::PathBuf;
use std::sync::Arc;

/// Frames of a group before it is given up.
const GROUP_FRAMES: usize = 8;
/// Mails that are taken in turn.
const MAILS: usize = 16;
/// Mails to learn a dictionary from.
const SAMPLES: usize = 64;

/// Frames put into the open group, which is never committed: the disk is no part of this. Bytes in all.
pub fn frames(times: usize) -> Done {
    let disk = Arc::new(SimDisk::new(1));
    let dir = PathBuf::from("shards/00000");
    let options = LogOptions { shard: ShardId(0), dir, segment_bytes_max: 64 << 20, epoch: 1, writes_ahead: false };
    let opened = log::open(disk, Arc::new(SimClock::at_ms(1)), options, Lsn(0), &mut |_, _| Ok(()));
    let (mut writer, _, _) = opened.expect("an empty log opens");
    let (front, body) = (vec![7; 200], vec![9; 1800]);
    repeat(times, |at| {
        let before = writer.group_bytes();
        writer.push(FrameKind::Message, 0, 0, &[&front, &body]).expect("it fits the group");
        let bytes = writer.group_bytes() - before;
        if at % GROUP_FRAMES == GROUP_FRAMES - 1 {
            writer.abort();
        }
        bytes
    })
}

/// Summaries made; their bytes.
pub fn parse(times: usize) -> Done {
    let mails: Vec<Vec<u8>> = (0..MAILS).map(mail).collect();
    let mut out = Vec::new();
    repeat(times, |at| {
        out.clear();
        mime::summarize(&mails[at % MAILS]).encode(&mut out);
        out.len()
    })
}

/// Mails staged; the bytes that they would take.
pub fn stage(times: usize) -> Done {
    let mut samples = Samples::default();
    (MAILS..MAILS + SAMPLES).for_each(|number| samples.push(&mail(number)));
    let dictionary = Dictionary::train(&samples, Guid([1; 16]), 1).map(Arc::new);
    assert!(dictionary.is_some(), "so many mails teach something");
    let mails: Vec<Vec<u8>> = (0..MAILS).map(mail).collect();
    repeat(times, |at| {
        let origin = Origin { guid: Guid([2; 16]), received: 1, dictionary: dictionary.clone() };
        let trace = b"Return-Path: <sender@example.net>\r\n".to_vec();
        delivery::stage(origin, trace, &mails[at % MAILS], |_, _| {}).expect("it is small").stored_bytes()
    })
}
