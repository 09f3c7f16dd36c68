//! The rules of groups over a segment's frames: each frame names its group's start, the last one ends it, none spans two segments.
use super::hole::Hole;
use super::layout::{Laid, Layout};

/// A frame or a hole, in the file's order.
pub(super) enum Stretch<'a> {
    Frame(&'a Laid),
    Hole(&'a Hole),
}

impl Stretch<'_> {
    fn start(&self) -> u64 {
        match self {
            Stretch::Frame(frame) => frame.offset,
            Stretch::Hole(hole) => hole.range.start,
        }
    }
}

/// Frames and holes in order.
pub(super) fn stretches(layout: &Layout) -> Vec<Stretch<'_>> {
    let frames = layout.frames.iter().map(Stretch::Frame);
    let mut all: Vec<Stretch<'_>> = frames.chain(layout.holes.iter().map(Stretch::Hole)).collect();
    all.sort_by_key(Stretch::start);
    all
}

/// Each frame that breaks the rules, with what is wrong. Next to a hole nothing is held against a frame that may be right.
pub(super) fn broken(layout: &Layout) -> Vec<(u64, String)> {
    let mut wrong = Vec::new();
    let (mut open, mut hole): (Option<u64>, Option<u64>) = (None, None);
    for stretch in stretches(layout) {
        let frame = match stretch {
            Stretch::Hole(found) => {
                hole = hole.or(Some(found.range.start));
                continue;
            }
            Stretch::Frame(frame) => frame,
        };
        let start = frame.offset.checked_sub(u64::from(frame.header.group_back));
        let right = match (hole, start) {
            (_, None) => false,
            (None, Some(start)) => start == open.unwrap_or(frame.offset),
            (Some(hole), Some(start)) => start >= hole || Some(start) == open,
        };
        if !right {
            wrong.push((frame.offset, format!("the frame names {start:?} as its group's start, which is another's")));
        }
        open = if frame.header.ends_group() { None } else { start };
        hole = None;
    }
    if let (Some(start), None) = (open, hole) {
        wrong.push((start, "the last group has no end".into()));
    }
    wrong
}
