//! Compaction against a plain map: random histories of deliveries, flags, copies, moves, expunges, compactions, undos, crashes and starts. After each
//! step that touches files every mailbox is what the map says, each message byte for byte. What fails is shrunk by proptest.
use crate::help::{deliver, ids, message, people};
use posthouse_engine::base::{AccountId, FlagMode, Flags, MailboxId, SimClock, Uid, UidSet};
use posthouse_engine::directory::Quota;
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::rescue::undo;
use posthouse_engine::{Compact, Engine, Options, Store};
use proptest::prelude::*;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

const PEOPLE: usize = 2;
/// INBOX, Drafts and Trash.
const BOXES: [u32; 3] = [1, 2, 5];

#[derive(Clone, Debug)]
enum Step {
    /// So many messages, to one or both.
    Deliver {
        count: u8,
        both: bool,
        bytes: u16,
    },
    Seen {
        who: usize,
        at: usize,
        first: u8,
        on: bool,
    },
    Copy {
        who: usize,
        from: usize,
        to: usize,
        first: u8,
        moves: bool,
    },
    Expunge {
        who: usize,
        at: usize,
        first: u8,
        len: u8,
    },
    Train,
    Compact {
        all: bool,
        keep: bool,
    },
    /// With the store closed.
    Undo,
    Restart {
        crash: bool,
        derived: bool,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let (who, at) = (0..PEOPLE, 0..BOXES.len());
    prop_oneof![
        6 => (1u8..6, any::<bool>(), 40u16..3000).prop_map(|(count, both, bytes)| Step::Deliver { count, both, bytes }),
        2 => (who.clone(), at.clone(), 0u8..30, any::<bool>()).prop_map(|(who, at, first, on)| Step::Seen { who, at, first, on }),
        3 => (who.clone(), at.clone(), at.clone(), 0u8..30, any::<bool>())
            .prop_map(|(who, from, to, first, moves)| Step::Copy { who, from, to, first, moves }),
        3 => (who, at, 0u8..30, 1u8..20).prop_map(|(who, at, first, len)| Step::Expunge { who, at, first, len }),
        1 => Just(Step::Train),
        3 => (any::<bool>(), any::<bool>()).prop_map(|(all, keep)| Step::Compact { all, keep }),
        2 => Just(Step::Undo),
        3 => (any::<bool>(), any::<bool>()).prop_map(|(crash, derived)| Step::Restart { crash, derived }),
    ]
}

/// What is known of one entry: what its message was made from, and whether it is seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Known {
    number: u32,
    bytes: usize,
    seen: bool,
}

#[derive(Debug)]
struct Mailbox {
    next: u32,
    entries: BTreeMap<u32, Known>,
}

struct Model {
    disk: SimDisk,
    engine: Option<Arc<Engine>>,
    people: Vec<AccountId>,
    boxes: BTreeMap<(usize, usize), Mailbox>,
    number: u32,
    compacted: u64,
    undone: usize,
}

/// Up to six uids from there on.
fn some(first: u8, len: u8) -> UidSet {
    UidSet::range(Uid(u32::from(first) + 1), Uid(u32::from(first) + u32::from(len)))
}

/// Small segments, so that short histories have many.
fn start(disk: &SimDisk) -> Arc<Engine> {
    let options = Options {
        disk: Arc::new(disk.clone()),
        clock: Arc::new(SimClock::at_ms(1_700_000_000_000)),
        shards: 1,
        segment_bytes_max: 3 << 10,
        checkpoint_log_bytes: 4 << 10,
        workers: 1,
    };
    Engine::open(options).expect("opens").0
}

impl Model {
    fn new() -> Model {
        let disk = SimDisk::new(9);
        let engine = start(&disk);
        let people = people(&engine, PEOPLE, Quota::Unlimited);
        people.iter().for_each(|id| drop(engine.open_account(*id).wait().expect("opened")));
        let places = (0..PEOPLE).flat_map(|who| (0..BOXES.len()).map(move |at| (who, at)));
        let boxes = places.map(|place| (place, Mailbox { next: 1, entries: BTreeMap::new() })).collect();
        Model { disk, engine: Some(engine), people, boxes, number: 0, compacted: 0, undone: 0 }
    }

    fn engine(&self) -> &Engine {
        self.engine.as_ref().expect("open")
    }

    fn add(&mut self, who: usize, at: usize, known: Known) -> u32 {
        let mailbox = self.boxes.get_mut(&(who, at)).expect("known");
        mailbox.entries.insert(mailbox.next, known);
        mailbox.next += 1;
        mailbox.next - 1
    }

    fn run(&mut self, step: &Step) {
        match *step {
            Step::Deliver { count, both, bytes } => (0..count).for_each(|_| self.deliver(both, usize::from(bytes))),
            Step::Seen { who, at, first, on } => self.seen(who, at, &some(first, 6), on),
            Step::Copy { who, from, to, first, moves } => self.copy((who, from, to), &some(first, 6), moves),
            Step::Expunge { who, at, first, len } => {
                let uids = some(first, len);
                self.engine().remove(self.people[who], MailboxId(BOXES[at]), uids.clone()).wait().expect("removed");
                let mailbox = self.boxes.get_mut(&(who, at)).expect("known");
                mailbox.entries.retain(|uid, _| !uids.contains(Uid(*uid)));
            }
            Step::Train => {
                self.engine().train_dictionary();
            }
            Step::Compact { all, keep } => {
                let cold_after_ms = if all { 0 } else { i64::MAX };
                let keep_ms = if keep { i64::MAX } else { -1 };
                let request =
                    Compact { cold_after_ms, dead_percent: 20, bytes_per_second: 0, keep_ms, leave_free_bytes: 0 };
                let done = self.engine().compact(request).wait().expect("compacted");
                assert_eq!(done.proven, done.messages);
                self.compacted += done.segments_done;
                self.check();
            }
            Step::Undo => {
                self.close();
                self.undone +=
                    undo(&self.disk, i64::from(self.number)).expect("undone or nothing to undo").undone.len();
                self.open();
            }
            Step::Restart { crash, derived } => {
                match crash {
                    true => self.crash(),
                    false => self.close(),
                }
                if derived {
                    self.remove_derived();
                }
                self.open();
            }
        }
    }

    fn deliver(&mut self, both: bool, bytes: usize) {
        self.number += 1;
        let people = if both { self.people.clone() } else { vec![self.people[self.number as usize % PEOPLE]] };
        for (answer, id) in deliver(self.engine(), &people, self.number, bytes).targets.iter().zip(&people) {
            let who = self.people.iter().position(|known| known == id).expect("known");
            let uid = self.add(who, 0, Known { number: self.number, bytes, seen: false });
            assert_eq!(answer.as_ref().expect("delivered").uid, Uid(uid));
        }
    }

    fn seen(&mut self, who: usize, at: usize, uids: &UidSet, on: bool) {
        let mode = if on { FlagMode::Add } else { FlagMode::Remove };
        let store = Store { uids: uids.clone(), mode, flags: Flags::SEEN, keywords: Vec::new(), unchanged_since: None };
        self.engine().store(self.people[who], MailboxId(BOXES[at]), store).wait().expect("stored");
        let entries = self.boxes.get_mut(&(who, at)).expect("known").entries.iter_mut();
        entries.filter(|(uid, _)| uids.contains(Uid(**uid))).for_each(|(_, known)| known.seen = on);
    }

    fn copy(&mut self, (who, from, to): (usize, usize, usize), uids: &UidSet, moves: bool) {
        let (id, source, target) = (self.people[who], MailboxId(BOXES[from]), MailboxId(BOXES[to]));
        let copied = match moves {
            true => self.engine().move_entries(id, source, uids.clone(), target).wait(),
            false => self.engine().copy(id, source, uids.clone(), target).wait(),
        };
        let copied = copied.expect("copied");
        let mailbox = self.boxes.get_mut(&(who, from)).expect("known");
        let found: Vec<(u32, Known)> = mailbox
            .entries
            .iter()
            .filter(|(uid, _)| uids.contains(Uid(**uid)))
            .map(|(uid, known)| (*uid, *known))
            .collect();
        if moves {
            mailbox.entries.retain(|uid, _| !uids.contains(Uid(*uid)));
        }
        let made: Vec<u32> = found.iter().map(|(_, known)| self.add(who, to, *known)).collect();
        assert_eq!(copied.to.iter().map(|uid| uid.0).collect::<Vec<_>>(), made);
    }

    fn close(&mut self) {
        let engine = self.engine.take().expect("open");
        engine.close().expect("closes");
    }

    /// The power fails while nothing is under way.
    fn crash(&mut self) {
        let after = self.disk.crash();
        let engine = self.engine.take().expect("open");
        let _ = engine.close();
        drop(engine);
        self.disk = after;
    }

    fn remove_derived(&self) {
        for shard in ["shards/00000", "shards/control"].map(Path::new) {
            let names = self.disk.list(shard).expect("listed");
            for name in names.iter().filter(|name| name.starts_with("idx-")) {
                self.disk.remove(&shard.join(name)).expect("removed");
            }
        }
    }

    fn open(&mut self) {
        self.engine = Some(start(&self.disk));
        assert_eq!(ids(self.engine(), PEOPLE), self.people);
        self.check();
    }

    fn check(&self) {
        for (who, id) in self.people.iter().enumerate() {
            let account = self.engine().account(*id).expect("readable");
            let mut used = 0;
            for (at, number) in BOXES.iter().enumerate() {
                let (known, mailbox) = (&self.boxes[&(who, at)], account.mailbox(MailboxId(*number)).expect("there"));
                assert_eq!(mailbox.uid_next, Uid(known.next), "mailbox {number} of {who}");
                let mut found = BTreeMap::new();
                for entry in mailbox.entries.range(0..mailbox.entries.len()) {
                    let entry = entry.expect("readable");
                    let known = known.entries.get(&entry.uid.0).copied();
                    let known = known.unwrap_or_else(|| panic!("uid {} of {number} of {who} is too much", entry.uid));
                    let whole =
                        self.engine().message(*id, &entry).wait().unwrap_or_else(|why| panic!("{entry:?}: {why}"));
                    let sent = [&b"Return-Path: <>\r\n"[..], &message(known.number, known.bytes)].concat();
                    assert!(
                        whole[..] == sent,
                        "uid {} of {number} of {who} is not message {}",
                        entry.uid,
                        known.number
                    );
                    used += u64::from(entry.size_bytes);
                    found.insert(entry.uid.0, Known { seen: entry.flags.contains(Flags::SEEN), ..known });
                }
                assert_eq!(found, known.entries, "mailbox {number} of {who}");
            }
            assert_eq!(account.used_bytes, used, "what {who} uses");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn compaction_is_what_a_plain_map_says(steps in proptest::collection::vec(step(), 1..60)) {
        let mut model = Model::new();
        steps.iter().for_each(|step| model.run(step));
        model.check();
        model.close();
        model.remove_derived();
        model.open();
    }
}

/// The model reaches what it is made for.
#[test]
fn a_history_with_all_of_it() {
    let mut model = Model::new();
    let more = Step::Deliver { count: 5, both: true, bytes: 2500 };
    for round in 0..6u8 {
        (0..4).for_each(|_| model.run(&more));
        model.run(&Step::Train);
        model.run(&Step::Copy { who: 0, from: 0, to: 1, first: round * 7, moves: round % 2 == 0 });
        model.run(&Step::Seen { who: 1, at: 0, first: round * 3, on: true });
        model.run(&Step::Expunge { who: usize::from(round) % 2, at: 0, first: round * 9, len: 12 });
        model.run(&Step::Restart { crash: round % 2 == 0, derived: round == 3 });
        model.run(&Step::Restart { crash: false, derived: false });
        model.run(&Step::Compact { all: true, keep: round != 4 });
        if round % 3 == 1 {
            model.run(&Step::Undo);
        }
        model.run(&Step::Expunge { who: 0, at: 1, first: 0, len: 3 });
        model.run(&Step::Restart { crash: true, derived: round == 5 });
    }
    assert!(model.compacted > 20 && model.undone > 0, "{} segments, {} undone", model.compacted, model.undone);
}
