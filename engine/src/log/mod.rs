//! Floor 3: one shard's append-only log of frames: group commit, reading, recovery. Knows no mail: payloads are bytes to it.
mod addressed;
mod compacted;
mod found;
mod frame;
mod iter;
mod names;
mod recovery;
mod replay;
mod scan;
mod segment;
mod segments;
mod settle;
mod tail;
mod verify;
mod writer;

pub use crate::format::{FRAME_FLAG_ZSTD, FrameHeader, FrameKind, FrameRef};
pub use addressed::{InFile, Stored};
pub use compacted::{Compacting, Retired, Sealed};
pub use frame::{Frame, FrameBytes};
pub use iter::Frames;
pub(crate) use names::{Unit, choose_units, segment_path};
pub use recovery::{Cut, LogOptions, Recovered, open, open_covered};
pub use segments::{Near, SegmentFile, Segments};
pub use writer::Writer;
