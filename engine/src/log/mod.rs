//! Floor 3: one shard's append-only log of frames: group commit, reading, recovery. Knows no mail: payloads are bytes to it.
mod found;
mod frame;
mod iter;
mod recovery;
mod replay;
mod scan;
mod segments;
mod settle;
mod tail;
mod verify;
mod writer;

pub use crate::format::{FRAME_FLAG_ZSTD, FrameHeader, FrameKind, FrameRef};
pub use frame::{Frame, FrameBytes};
pub use iter::Frames;
pub use recovery::{Cut, LogOptions, Recovered, open, open_covered};
pub use segments::{SegmentFile, Segments};
pub(crate) use tail::{segment_id, segment_path};
pub use writer::Writer;
