//! Floor 2: how structures lie in bytes (docs/format.md is the text to it). Pure: no I/O, no clock; nothing panics on any input.
pub mod addresses;
pub mod block;
pub mod dictionary;
pub mod event;
pub mod footer;
pub mod frame;
pub mod mending;
pub mod message;
pub mod packed;
pub mod part;
pub mod recipe;
pub mod segment;

pub use dictionary::DictionaryHead;
pub use event::{DeliveredTo, Event, Tried};
pub use footer::{Footer, FrameTable, TableBuilder};
pub use frame::{FRAME_FLAG_RECIPE, FRAME_FLAG_SUMMARY_ZSTD, FRAME_FLAG_ZSTD, FrameHeader, FrameKind, FrameRef};
pub use mending::Mending;
pub use message::{MESSAGE_HEAD_BYTES, MessageHead};
pub use part::{PART_HEAD_BYTES, PartHash, PartHead};
pub use segment::{Covers, SegmentHeader, Trailer};
