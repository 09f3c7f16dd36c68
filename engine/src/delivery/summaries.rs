//! Reads the summaries of messages one after the other, as FETCH does for a mailbox: the segment and the dictionary that neighbours share are
//! looked for once, and all of them are decompressed into the same memory. Proves what comes out. Waits for the disk.
use super::Dictionary;
use super::read::{Found, MessageReader};
use super::unstage::{summary_behind, summary_in_block};
use crate::base::{Error, Locator, Result};
use crate::format::{MESSAGE_HEAD_BYTES, MessageHead};
use crate::log::{FrameBytes, Near, Stored};
use std::ops::Range;
use std::sync::Arc;

/// Bytes read at once for a summary: holds nearly every one, so the tail needs one positioned read.
const SUMMARY_READ_BYTES: usize = 2048;

/// See above.
pub struct Summaries<'a> {
    reader: &'a MessageReader,
    near: Near,
    dictionary: Option<(u16, Arc<Dictionary>)>,
    /// The frame with the summary that was found last, where it stands there as it is.
    frame: Option<(FrameBytes, Range<usize>)>,
    /// It, where it was compressed.
    grown: Vec<u8>,
}

impl<'a> Summaries<'a> {
    pub(super) fn new(reader: &'a MessageReader) -> Summaries<'a> {
        Summaries { reader, near: Near::default(), dictionary: None, frame: None, grown: Vec::new() }
    }

    /// The encoded summary (`index::mime::SummaryRef::decode`) of the message at `at`.
    ///
    /// # Errors
    /// As [`MessageReader::message`].
    pub fn get(&mut self, at: Locator) -> Result<&[u8]> {
        self.find(at)?;
        Ok(match &self.frame {
            Some((frame, range)) => &frame[range.clone()],
            None => &self.grown,
        })
    }

    /// Finds the one at `at`, to be taken by `into_found`.
    pub(super) fn find(&mut self, at: Locator) -> Result<()> {
        let segments = &self.reader.segments;
        let corrupt = |what: &str| Error::corrupt(segments.file_name(at.segment), at.offset.into(), what);
        let front = segments.read_front_near(&mut self.near, at, 0..SUMMARY_READ_BYTES);
        let Some(mut bytes) = front.map_err(|why| self.reader.missing(at, why))? else {
            return self.find_stored(at);
        };
        let head = MessageHead::decode(&bytes).map_err(|why| corrupt(&why.to_string()))?;
        if head.body_start() > bytes.len() {
            bytes = segments.read_part(at, 0..head.body_start())?;
        }
        self.find_in_frame(bytes, &head).map_err(|why| corrupt(&why))
    }

    pub(super) fn into_found(self) -> Found {
        match self.frame {
            Some((frame, range)) => Found::InFrame(frame, range),
            None => Found::Owned(self.grown),
        }
    }

    fn find_stored(&mut self, at: Locator) -> Result<()> {
        match self.reader.segments.stored(at)? {
            Stored::Frame(frame) => {
                let why = |why: String| Error::corrupt(format!("message {at}"), 0, why);
                let head = MessageHead::decode(frame.payload()).map_err(|wrong| why(wrong.to_string()))?;
                self.find_in_frame(frame.into_bytes(), &head).map_err(why)
            }
            Stored::InBlock { block, index, .. } => {
                self.know(block.dictionary)?;
                let found = summary_in_block(block.payload(), index as usize, self.dictionary(block.dictionary));
                self.grown = found.map_err(|why| block.corrupt(&why))?;
                self.frame = None;
                Ok(())
            }
        }
    }

    /// `bytes` are the front of a message frame's payload, which begins with `head`.
    fn find_in_frame(&mut self, bytes: FrameBytes, head: &MessageHead) -> Result<(), String> {
        let header = *bytes.header();
        self.know(header.dictionary).map_err(|why| why.to_string())?;
        let mut grown = std::mem::take(&mut self.grown);
        let packed = summary_behind(&mut grown, head, &bytes, header.flags, self.dictionary(header.dictionary));
        self.grown = grown;
        self.frame = (!packed?).then(|| (bytes, MESSAGE_HEAD_BYTES..head.body_start()));
        Ok(())
    }

    /// Looks for a dictionary, unless it is the one that was used last.
    fn know(&mut self, id: u16) -> Result<()> {
        if id != 0 && self.dictionary.as_ref().is_none_or(|(known, _)| *known != id) {
            let found = self.reader.dictionaries.get(&self.reader.segments, id)?;
            self.dictionary = found.map(|found| (id, found));
        }
        Ok(())
    }

    fn dictionary(&self, id: u16) -> Option<&Dictionary> {
        self.dictionary.as_ref().filter(|(known, _)| *known == id).map(|(_, found)| &**found)
    }
}
