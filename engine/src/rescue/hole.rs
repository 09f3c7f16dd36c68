//! A stretch of a segment that should be frames and is not, and what is known of what stood there. Pure.
use crate::format::frame::{FRAME_HEADER_BYTES, FrameHeader};
use crate::format::{Footer, FrameKind};
use std::ops::Range;

/// Bytes that should be frames and are not.
#[derive(Clone, Debug)]
pub(super) struct Hole {
    pub(super) range: Range<u64>,
    pub(super) why: String,
    /// The frames that stood there, as far as a header or the footer tells.
    pub(super) lost: Vec<(u64, FrameKind)>,
    /// Whether those are all.
    pub(super) complete: bool,
}

impl Hole {
    /// Whether events may be lost, and not only messages.
    pub(super) fn loses_events(&self) -> bool {
        // An event frame is longer than its header.
        let room = self.range.end - self.range.start > FRAME_HEADER_BYTES as u64;
        room && (!self.complete || self.lost.iter().any(|(_, kind)| *kind == FrameKind::Events))
    }
}

impl Hole {
    /// What stood there, in words.
    pub(super) fn lost_words(&self) -> String {
        if !self.complete {
            return "all messages and events that stood there".into();
        }
        let kinds = [
            (FrameKind::Block, "block of messages", "blocks of messages"),
            (FrameKind::Addresses, "address table", "address tables"),
            (FrameKind::Message, "message", "messages"),
            (FrameKind::Events, "transaction", "transactions"),
            (FrameKind::Part, "part that messages share", "parts that messages share"),
            (FrameKind::Dictionary, "dictionary", "dictionaries"),
        ];
        let count = |kind| self.lost.iter().filter(|(_, lost)| *lost == kind).count();
        let words = kinds.map(|(kind, one, many)| match count(kind) {
            0 => None,
            1 => Some(format!("1 {one}")),
            more => Some(format!("{more} {many}")),
        });
        words.into_iter().flatten().collect::<Vec<_>>().join(", ")
    }
}

impl Hole {
    /// A gap as a hole, with what the footer knows of it.
    pub(super) fn of_gap(range: Range<u64>, why: String, cut: Option<FrameHeader>, footer: Option<&Footer>) -> Hole {
        let mut lost = Vec::new();
        if let Some(footer) = footer {
            let inside = footer.table.iter().filter(|(offset, _)| range.contains(&u64::from(*offset)));
            lost.extend(inside.map(|(offset, kind)| (u64::from(offset), kind)));
        } else if let Some(header) = cut {
            lost.push((range.start, header.kind));
        }
        // A table that does not begin where the gap does is not that of this gap.
        let complete = footer.is_some() && lost.first().is_some_and(|(at, _)| *at == range.start);
        Hole { range, why, lost, complete }
    }
}
