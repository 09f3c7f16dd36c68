//! Which frames stand in place of bytes that are lost: whole groups of fillers that fit exactly between what is good. Pure.
use crate::base::Lsn;
use crate::base::limits::FRAME_PAYLOAD_BYTES_MAX;
use crate::format::frame::{FRAME_FLAG_GROUP_END, FRAME_HEADER_BYTES, frame_bytes};
use crate::format::mending::filler_payload;
use crate::format::{FrameHeader, FrameKind};
use crate::rescue::groups::Stretch;
use crate::rescue::hole::Hole;
use crate::rescue::layout::Laid;

/// A frame that says that something stood here.
#[derive(Clone, Debug)]
pub(super) struct Filler {
    pub(super) offset: u64,
    len: u64,
    group: u64,
    ends_group: bool,
    /// Whether events may have stood here.
    lost: bool,
}

impl Filler {
    /// Where positions of the log contradict each other a hole may be shorter than a frame: nothing fits then, and the proof of the image says so.
    fn payload_len(&self) -> usize {
        (self.len as usize).saturating_sub(FRAME_HEADER_BYTES)
    }

    pub(super) fn payload(&self) -> Vec<u8> {
        filler_payload(self.payload_len(), self.lost)
    }

    pub(super) fn header(&self, first_lsn: Lsn, payload: &[u8]) -> FrameHeader {
        FrameHeader {
            kind: FrameKind::Events,
            flags: if self.ends_group { FRAME_FLAG_GROUP_END } else { 0 },
            dictionary: 0,
            payload_len: payload.len() as u32,
            payload_crc: crc32fast::hash(payload),
            lsn: Lsn(first_lsn.0 + self.offset),
            group_back: (self.offset - self.group) as u32,
        }
    }
}

/// The fillers of every hole between `stretches`, which are in the file's order.
pub(super) fn fillers(stretches: &[Stretch<'_>]) -> Vec<Filler> {
    let mut out = Vec::new();
    let (mut open, mut run): (Option<u64>, Option<Hole>) = (None, None);
    for stretch in stretches {
        match stretch {
            Stretch::Hole(hole) => join(&mut run, hole),
            Stretch::Frame(frame) => {
                if let Some(hole) = run.take() {
                    one(&hole, open, group_of(frame), &mut out);
                }
                open = if frame.header.ends_group() { None } else { group_of(frame) };
            }
        }
    }
    if let Some(hole) = run {
        one(&hole, open, None, &mut out);
    }
    out
}

/// Holes that touch are one.
fn join(run: &mut Option<Hole>, hole: &Hole) {
    match run {
        None => *run = Some(hole.clone()),
        Some(run) => {
            run.range.end = hole.range.end;
            run.lost.extend_from_slice(&hole.lost);
            run.complete &= hole.complete;
        }
    }
}

fn group_of(frame: &Laid) -> Option<u64> {
    frame.offset.checked_sub(u64::from(frame.header.group_back))
}

/// Fills one hole. `open` is the group that the frames before left unfinished, `next` the group of the frame behind.
fn one(hole: &Hole, open: Option<u64>, next: Option<u64>, out: &mut Vec<Filler>) {
    let (start, end) = (hole.range.start, hole.range.end);
    match next {
        // The group goes on behind the hole.
        Some(group) if Some(group) == open => stretch(hole, start, end, group, false, out),
        // The next group begins in the hole or at its end.
        Some(group) if group >= start && group <= end => {
            stretch(hole, start, group, open.unwrap_or(start), true, out);
            stretch(hole, group, end, group, false, out);
        }
        _ => stretch(hole, start, end, open.unwrap_or(start), true, out),
    }
}

/// Fillers from `start` to `end`, one for each frame that is known to have stood there.
fn stretch(hole: &Hole, start: u64, end: u64, group: u64, ends: bool, out: &mut Vec<Filler>) {
    let first = out.len();
    let mut at = start;
    while at < end {
        let known = hole.lost.iter().filter(|_| hole.complete);
        let next = known.map(|(offset, _)| *offset).find(|offset| *offset > at && end.saturating_sub(*offset) > 0);
        let len = match next {
            Some(next) => next - at,
            None => longest(end - at),
        };
        let was = hole.lost.iter().find(|(offset, _)| *offset == at).map(|(_, kind)| *kind);
        let lost = !hole.complete || was.is_none_or(|kind| kind == FrameKind::Events);
        out.push(Filler { offset: at, len, group, ends_group: false, lost });
        at += len;
    }
    if ends && let Some(last) = out[first..].last_mut() {
        last.ends_group = true;
    }
}

/// The longest filler for so many bytes that leaves room for another behind it, or none at all.
fn longest(bytes: u64) -> u64 {
    let max = frame_bytes(FRAME_PAYLOAD_BYTES_MAX) as u64;
    if bytes <= max { bytes } else { max.min(bytes - 64) }
}
