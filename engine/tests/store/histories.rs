//! Random histories of everything that callers may ask, against the plain truth: without failures, and with every failure that the
//! simulated disk knows. Seeds are printed; `POSTHOUSE_SEED` replays one, `POSTHOUSE_RANDOM` takes others (checkpoints run beside it, so failures may strike elsewhere).
use crate::actions::Action;
use crate::history::{History, PEOPLE};
use posthouse_engine::base::{FlagMode, Uid, UidSet};
use posthouse_engine::disk::sim::Random;

const NAMES: [&str; 12] =
    ["INBOX", "Junk", "a", "a/b", "a/b/c", "b", "b/c", "INBOX/x", "c/d/e", "项目", "a/x", "Archive/2026"];
const WORDS: [&str; 6] = ["$Forwarded", "Work", "work", "WORK", "later", "$MDNSent"];

fn uids(random: &mut Random) -> UidSet {
    let ranges = (0..1 + random.below(3)).map(|_| {
        let first = 1 + random.below(40) as u32;
        (first, if random.chance(10) { u32::MAX } else { first + random.below(6) as u32 })
    });
    UidSet::from_ranges(ranges.collect::<Vec<_>>())
}

fn words(random: &mut Random) -> Vec<String> {
    (0..random.below(3)).map(|_| WORDS[random.below(WORDS.len() as u64) as usize].to_owned()).collect()
}

fn name(random: &mut Random) -> &'static str {
    NAMES[random.below(NAMES.len() as u64) as usize]
}

fn action(random: &mut Random, number: u32) -> Action {
    let to = random.below(PEOPLE as u64) as usize;
    let mailbox = 1 + (random.below(9) * random.below(2)) as u32;
    let mail = |random: &mut Random, at| (number * 8 + at, 40 + random.below(900) as usize);
    match random.below(20) {
        0..=6 => {
            let count = if random.chance(30) { random.below(6) } else { 1 };
            let place = |random: &mut Random| if random.chance(25) { Some(name(random)) } else { None };
            let to = (0..count).map(|_| (random.below(PEOPLE as u64) as usize, place(random))).collect();
            Action::Deliver { mail: mail(random, 0), to, queue: random.chance(15) }
        }
        7 | 8 => {
            let mails = (0..1 + random.below(3) as u32).map(|at| mail(random, at)).collect();
            Action::Append { to, mailbox, mails, flags: random.below(32) as u16, keywords: words(random) }
        }
        9..=11 => {
            let mode = [FlagMode::Replace, FlagMode::Add, FlagMode::Remove][random.below(3) as usize];
            let since = random.chance(30).then(|| random.below(40));
            let (uids, flags, keywords) = (uids(random), random.below(32) as u16, words(random));
            Action::Store { to, mailbox, uids, mode, flags, keywords, since }
        }
        12 | 13 => {
            let into = 1 + random.below(9) as u32;
            Action::Copy { to, from: mailbox, into, uids: uids(random), moves: random.chance(50) }
        }
        14 => Action::Expunge { to, mailbox, uids: random.chance(50).then(|| uids(random)) },
        15 => Action::Remove { to, mailbox, uids: UidSet::range(Uid(1), Uid(1 + random.below(9) as u32)) },
        16 => Action::Create { to, name: name(random) },
        17 if random.chance(50) => Action::Delete { to, name: name(random) },
        17 => Action::Subscribe { to, name: name(random), on: random.chance(60) },
        18 => Action::Rename { to, from: name(random), name: name(random) },
        _ if random.chance(50) => Action::Claim { to, mailbox },
        _ if random.chance(30) => Action::Train,
        _ if random.chance(70) => Action::Compact { all: random.chance(60), keep: random.chance(50) },
        _ => Action::QueueRemove { at: random.below(3) as usize },
    }
}

fn seeds(count: u64) -> Vec<u64> {
    match std::env::var("POSTHOUSE_SEED") {
        Ok(seed) => vec![seed.parse().expect("POSTHOUSE_SEED is a number")],
        Err(_) => {
            let start = crate::seeds::first();
            (0..count).map(|at| start.wrapping_add(at)).collect()
        }
    }
}

fn run(seed: u64, steps: u32, faults: bool) {
    println!("POSTHOUSE_SEED={seed}");
    let shards = if seed.is_multiple_of(2) { 1 } else { 3 };
    let mut history = History::new(seed, shards);
    for number in 0..steps {
        match history.random.below(100) {
            0..=2 => {
                history.restart();
                history.check();
            }
            3..=5 => history.set_quota(),
            6..=20 if faults => history.fault(),
            _ => {}
        }
        let action = action(&mut history.random, number);
        history.act(&action);
    }
    history.restart();
    history.check();
}

#[test]
fn random_histories_are_what_the_plain_truth_says() {
    seeds(24).into_iter().for_each(|seed| run(seed, 250, false));
}

#[test]
fn random_failures_lose_nothing_that_was_answered() {
    seeds(60).into_iter().for_each(|seed| run(seed, 120, true));
}
