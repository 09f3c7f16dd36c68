//! Work on bytes alone: what a client sends becomes data, commands, sets of numbers, texts to search in. No store, no session.
use super::mails::mail;
use super::{Done, repeat};
use posthouse_engine::base::UidSet;
use posthouse_engine::search::text::{contains_text, fold};
use posthouse_protocols::wire::{DotReader, write_dot_stuffed};
use std::hint::black_box;

/// Mails that are taken in turn.
const MAILS: usize = 16;
/// A receive of a ring brings so much at most.
const PIECE_BYTES: usize = 16 << 10;
/// Ranges of a set of numbers.
const RANGES: u32 = 500;

fn mails() -> Vec<Vec<u8>> {
    (0..MAILS).map(mail).collect()
}

/// Mails out of their dot-stuffing; bytes.
pub fn unstuff(times: usize) -> Done {
    let stuffed: Vec<Vec<u8>> = mails()
        .iter()
        .map(|mail| {
            let mut out = Vec::new();
            write_dot_stuffed(mail, &mut out);
            out
        })
        .collect();
    let mut data = Vec::new();
    repeat(times, |at| {
        data.clear();
        let mut reader = DotReader::new(u64::MAX);
        let ended = stuffed[at % MAILS].chunks(PIECE_BYTES).any(|piece| reader.step(piece, &mut data).end.is_some());
        assert!(ended, "the mail ends with a dot");
        data.len()
    })
}

/// Mails into their dot-stuffing, as RETR and a sender to other hosts do it; bytes.
pub fn stuff(times: usize) -> Done {
    let mails = mails();
    let mut out = Vec::new();
    repeat(times, |at| {
        out.clear();
        write_dot_stuffed(&mails[at % MAILS], &mut out);
        out.len()
    })
}

/// IMAP commands found in bytes, tag, name and arguments taken apart; how many.
pub fn imap_parse(times: usize) -> Done {
    let commands = super::session::IMAP_COMMANDS.map(|command| format!("{command}\r\n").into_bytes());
    repeat(times, |at| posthouse_protocols::imap::fuzz_parse(black_box(&commands[at % commands.len()])))
}

/// Sets of 500 ranges made from what a client names in any order, and one of them taken out of another; ranges.
pub fn sets(times: usize) -> Done {
    // Stepping by a number that has no divisor in common with their count names each once, in no order.
    let ranges =
        |shift: u32| (0..RANGES).map(move |n| (n * 7 % RANGES) * 40 + shift).map(|first| (first + 1, first + 19));
    let other = UidSet::from_ranges(ranges(10));
    repeat(times, |_| UidSet::from_ranges(black_box(ranges(0))).without(&other).ranges().len())
}

/// A word looked for in the decoded text of mails; in how many it was.
pub fn contains(times: usize) -> Done {
    let (mails, needle) = (mails(), fold("yesterday because"));
    repeat(times, |at| usize::from(contains_text(&mails[at % MAILS], &needle, false)))
}
