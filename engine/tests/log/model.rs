//! The log against a plain list of groups: whatever is appended, dropped, sealed, torn by a power loss and opened again, it holds what was
//! acknowledged, in order, at the places that were told, and replays the events behind any place.
use crate::cases;
use crate::support::{Opened, Wanted, frames, open};
use posthouse_engine::base::{Locator, Lsn};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::log::FrameKind;
use proptest::collection::vec;
use proptest::prelude::*;
use std::sync::Arc;

const SEGMENT_BYTES_MAX: u32 = 4_000;

#[derive(Clone, Debug)]
enum Step {
    /// Frames of these kinds and sizes, made durable together.
    Commit(Vec<(bool, usize)>),
    /// The same, given up before the commit.
    Drop(Vec<(bool, usize)>),
    Seal,
    /// Gives back the room in front of the log.
    Trim,
    /// The power fails in the midst of the next commit, `1` calls after its first.
    Crash(Vec<(bool, usize)>, u64),
    /// Closed and opened; events are replayed from the group of this number on.
    Reopen(prop::sample::Index),
}

fn group() -> impl Strategy<Value = Vec<(bool, usize)>> {
    vec((any::<bool>(), prop_oneof![4 => 0..200usize, 1 => 200..2_500usize]), 1..5)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => group().prop_map(Step::Commit),
        1 => group().prop_map(Step::Drop),
        1 => Just(Step::Seal),
        1 => Just(Step::Trim),
        2 => (group(), 0..6u64).prop_map(|(group, call)| Step::Crash(group, call)),
        2 => any::<prop::sample::Index>().prop_map(Step::Reopen),
    ]
}

/// A group that was acknowledged.
#[derive(Clone, Debug)]
struct Group {
    /// Where the log ended before it.
    from: Lsn,
    frames: Vec<Wanted>,
    places: Vec<Locator>,
}

struct Case {
    disk: SimDisk,
    log: Option<Opened>,
    groups: Vec<Group>,
    number: u32,
}

impl Case {
    fn wanted(&mut self, shape: &[(bool, usize)]) -> Vec<Wanted> {
        let frame = |(at, (events, size)): (usize, &(bool, usize))| {
            let kind = if *events { FrameKind::Events } else { FrameKind::Message };
            let mut payload = format!("group {} frame {at} ", self.number).into_bytes();
            let seed = self.number.wrapping_mul(31).wrapping_add(at as u32);
            payload.extend((0..*size as u32).map(|byte| byte.wrapping_mul(seed).to_le_bytes()[1]));
            Wanted { kind, payload }
        };
        let frames = shape.iter().enumerate().map(frame).collect();
        self.number += 1;
        frames
    }

    fn push(log: &mut Opened, frames: &[Wanted]) -> Option<Vec<Locator>> {
        let push = |frame: &Wanted| log.writer.push(frame.kind, 0, 0, &[&frame.payload]).ok();
        frames.iter().map(push).collect()
    }

    fn take(&mut self, step: &Step) {
        let mut log = self.log.take().expect("open");
        match step {
            Step::Commit(shape) => {
                let frames = self.wanted(shape);
                let places = Case::push(&mut log, &frames).expect("room");
                let end = log.writer.commit().expect("a sound disk");
                self.acknowledge(&log, frames, places);
                assert_eq!((log.writer.end(), log.segments.durable_end()), (end, end));
            }
            Step::Drop(shape) => {
                let frames = self.wanted(shape);
                Case::push(&mut log, &frames).expect("room");
                log.writer.abort();
            }
            Step::Seal => log.writer.seal().expect("sealed"),
            Step::Trim => log.writer.trim().expect("trimmed"),
            Step::Crash(shape, call) => {
                self.disk.crash_at(self.disk.ops() + call);
                let frames = self.wanted(shape);
                let places = Case::push(&mut log, &frames);
                match places.filter(|_| log.writer.commit().is_ok()) {
                    Some(places) => self.acknowledge(&log, frames, places),
                    // It may be there after all; nobody was told.
                    None => self.groups.push(Group { from: Lsn(u64::MAX), frames, places: Vec::new() }),
                }
                drop(log);
                self.disk = self.disk.crash();
                return self.reopen(0);
            }
            Step::Reopen(from) => {
                drop(log);
                return self.reopen(if self.groups.is_empty() { 0 } else { from.index(self.groups.len()) });
            }
        }
        self.log = Some(log);
        self.check();
    }

    fn acknowledge(&mut self, log: &Opened, frames: Vec<Wanted>, places: Vec<Locator>) {
        let first = log.segments.read(places[0]).expect("readable").lsn;
        self.groups.push(Group { from: first, frames, places });
    }

    fn reopen(&mut self, from: usize) {
        let disk: Arc<dyn Disk> = Arc::new(self.disk.clone());
        let unsure = self.groups.last().is_some_and(|group| group.places.is_empty());
        let start = self.groups.get(from).filter(|_| from > 0).map_or(Lsn(0), |group| group.from);
        let log = open(&disk, SEGMENT_BYTES_MAX, start).expect("opens");
        let found = frames(&log.segments).expect("readable");
        if unsure {
            let group = self.groups.pop().expect("the last one");
            let before: usize = self.groups.iter().map(|group| group.frames.len()).sum();
            // Wholly or not at all; from here on it stays.
            if found.len() > before {
                let late = log.segments.frames(Lsn(0)).skip(before).map(|frame| frame.expect("a frame"));
                let (lsns, places): (Vec<Lsn>, Vec<Locator>) = late.map(|(lsn, at, _)| (lsn, at)).unzip();
                self.groups.push(Group { from: lsns[0], places, ..group });
            }
        }
        let behind = self.groups.iter().skip(from).flat_map(|group| &group.frames);
        let events: Vec<&[u8]> =
            behind.filter(|frame| frame.kind == FrameKind::Events).map(|frame| &frame.payload[..]).collect();
        let replayed: Vec<&[u8]> = log.replayed.iter().map(|(_, payload)| &payload[..]).collect();
        assert_eq!(replayed, events, "the events from group {from} on");
        self.log = Some(log);
        self.check();
    }

    fn check(&self) {
        let segments = &self.log.as_ref().expect("open").segments;
        let expected: Vec<Wanted> = self.groups.iter().flat_map(|group| group.frames.clone()).collect();
        assert_eq!(frames(segments).expect("readable"), expected);
        for group in &self.groups {
            for (place, wanted) in group.places.iter().zip(&group.frames) {
                let frame = segments.read(*place).expect("readable");
                assert_eq!((frame.kind, frame.payload()), (wanted.kind, &wanted.payload[..]), "at {place}");
            }
        }
        for file in segments.files() {
            segments.verify(file.id).expect("whole");
        }
    }
}

#[test]
fn the_log_is_a_list_of_groups() {
    let cases = (vec(step(), 1..40), any::<u64>());
    cases::check(150, cases, |(steps, seed)| {
        let mut case = Case { disk: SimDisk::new(seed), log: None, groups: Vec::new(), number: 0 };
        case.reopen(0);
        steps.iter().for_each(|step| case.take(step));
    });
}
