//! Reads messages and summaries of a shard's log: finds the frame, its dictionary and its parts, and proves what comes out. Waits for the disk.
use super::{Dictionaries, summary, unstage};
use crate::base::{Error, Locator, Result};
use crate::format::{MESSAGE_HEAD_BYTES, MessageHead};
use crate::log::{Frame, FrameBytes, FrameKind, Segments};
use std::ops::Range;
use std::sync::Arc;

/// Bytes read at once for a summary: holds nearly every one, so the tail needs one positioned read.
const SUMMARY_READ_BYTES: usize = 2048;

/// What is needed to read the messages of a shard. Cheap to clone.
#[derive(Clone)]
pub struct MessageReader {
    segments: Arc<Segments>,
    dictionaries: Arc<Dictionaries>,
}

/// A summary as it was found: in a frame as it is, or decompressed.
pub(crate) enum Found {
    InFrame(FrameBytes, Range<usize>),
    Owned(Vec<u8>),
}

impl MessageReader {
    /// A reader of that log.
    pub fn new(segments: Arc<Segments>, dictionaries: Arc<Dictionaries>) -> MessageReader {
        MessageReader { segments, dictionaries }
    }

    /// The message at `at`: read, proven, put together.
    ///
    /// # Errors
    /// `NotFound`: no such dictionary. `Corrupt`: no such segment or message frame, or it is not what was written.
    pub fn message(&self, at: Locator) -> Result<Vec<u8>> {
        let frame = self.segments.read(at).map_err(|why| self.missing(at, why))?;
        if frame.kind != FrameKind::Message {
            return Err(frame.corrupt("a message frame expected"));
        }
        self.message_in(&frame, at)
    }

    /// The message in a frame that was read at `at`.
    pub fn message_in(&self, frame: &Frame, at: Locator) -> Result<Vec<u8>> {
        let dictionary = self.dictionaries.get(&self.segments, frame.dictionary)?;
        let part_at = |offset| self.part(Locator { offset, ..at });
        let whole = unstage(frame.payload(), frame.flags, dictionary.as_deref(), &part_at);
        whole.map_err(|why: String| frame.corrupt(&why))
    }

    fn part(&self, at: Locator) -> Result<(FrameBytes, u8), String> {
        let frame = self.segments.read(at).map_err(|why| why.to_string())?;
        frame.check().map_err(|why| why.to_string())?;
        if frame.kind != FrameKind::Part {
            return Err(format!("a part frame at byte {} expected", at.offset));
        }
        let flags = frame.flags;
        Ok((frame.into_bytes(), flags))
    }

    /// The encoded summary of the message at `at`. Errors as `message`.
    pub(crate) fn summary(&self, at: Locator) -> Result<Found> {
        let corrupt = |what: &str| Error::corrupt(self.segments.file_name(at.segment), at.offset.into(), what);
        let mut bytes = self.segments.read_part(at, 0..SUMMARY_READ_BYTES).map_err(|why| self.missing(at, why))?;
        let head = MessageHead::decode(&bytes).map_err(|why| corrupt(&why.to_string()))?;
        if head.body_start() > bytes.len() {
            bytes = self.segments.read_part(at, 0..head.body_start())?;
        }
        let header = *bytes.header();
        let dictionary = self.dictionaries.get(&self.segments, header.dictionary)?;
        let decompressed = summary(&bytes, header.flags, dictionary.as_deref()).map_err(|why| corrupt(&why))?;
        Ok(match decompressed {
            Some(summary) => Found::Owned(summary),
            None => Found::InFrame(bytes, MESSAGE_HEAD_BYTES..head.body_start()),
        })
    }

    /// An entry's segment that is not there is damage, and not a wrong question.
    fn missing(&self, at: Locator, why: Error) -> Error {
        match why {
            Error::NotFound(_) => {
                let name = self.segments.file_name(at.segment);
                Error::corrupt(name, at.offset.into(), "a message expected; the file is missing")
            }
            why => why,
        }
    }

    /// Whether reading `bytes` of the frame at `at` would not wait for the disk; a hint.
    pub fn is_resident(&self, at: Locator, bytes: usize) -> bool {
        self.segments.is_resident(at, bytes)
    }
}
