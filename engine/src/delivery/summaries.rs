//! Reads the summaries of messages one after the other, as FETCH does for a mailbox: the segment, its map and the dictionary that neighbours share
//! are looked for once, and all of them are decompressed into the same memory. Proves what comes out. Waits for the disk.
use super::Dictionary;
use super::read::MessageReader;
use super::unstage::{summary_behind, summary_in_block};
use crate::base::{Error, Locator, Result};
use crate::format::{MESSAGE_HEAD_BYTES, MessageHead};
use crate::log::{Near, Stored};
use std::ops::Range;
use std::sync::Arc;

/// Bytes read at once for a summary: holds nearly every one, so the tail needs one positioned read.
const SUMMARY_READ_BYTES: usize = 2048;

/// See above.
pub struct Summaries<'a> {
    reader: &'a MessageReader,
    near: Near,
    dictionary: Option<(u16, Arc<Dictionary>)>,
    /// Where the summary that was found last stands in what was read, if it stands there as it is.
    plain: Option<Range<usize>>,
    /// It, where it was compressed.
    grown: Vec<u8>,
}

impl<'a> Summaries<'a> {
    pub(super) fn new(reader: &'a MessageReader) -> Summaries<'a> {
        Summaries { reader, near: Near::default(), dictionary: None, plain: None, grown: Vec::new() }
    }

    /// The encoded summary (`index::mime::SummaryRef::decode`) of the message at `at`.
    ///
    /// # Errors
    /// As [`MessageReader::message`].
    pub fn get(&mut self, at: Locator) -> Result<&[u8]> {
        let segments = &self.reader.segments;
        let corrupt = |why: String| Error::corrupt(segments.file_name(at.segment), at.offset.into(), why);
        let front = segments.read_front(&mut self.near, at, SUMMARY_READ_BYTES);
        match front.map_err(|why| self.reader.missing(at, why))? {
            Some(header) => {
                let head = MessageHead::decode(self.near.bytes()).map_err(|why| corrupt(why.to_string()))?;
                if head.body_start() > self.near.bytes().len() {
                    self.near.keep(segments.read_part(at, 0..head.body_start())?);
                }
                self.grow(header.dictionary, header.flags, &head).map_err(corrupt)?;
            }
            None => self.get_stored(at)?,
        }
        Ok(match &self.plain {
            Some(range) => &self.near.bytes()[range.clone()],
            None => &self.grown,
        })
    }

    pub(super) fn into_vec(self) -> Vec<u8> {
        match self.plain {
            Some(range) => self.near.bytes()[range].to_vec(),
            None => self.grown,
        }
    }

    fn get_stored(&mut self, at: Locator) -> Result<()> {
        match self.reader.segments.stored(at)? {
            Stored::Frame(frame) => {
                let why = |why: String| Error::corrupt(format!("message {at}"), 0, why);
                let head = MessageHead::decode(frame.payload()).map_err(|wrong| why(wrong.to_string()))?;
                let (dictionary, flags) = (frame.dictionary, frame.flags);
                self.near.keep(frame.into_bytes());
                self.grow(dictionary, flags, &head).map_err(why)
            }
            Stored::InBlock { block, index, .. } => {
                self.know(block.dictionary)?;
                let dictionary = known(&self.dictionary, block.dictionary);
                let found = summary_in_block(block.payload(), index as usize, dictionary);
                self.grown = found.map_err(|why| block.corrupt(&why))?;
                self.plain = None;
                Ok(())
            }
        }
    }

    /// What was read last is the front of a message frame's payload, which begins with `head`.
    fn grow(&mut self, dictionary: u16, flags: u8, head: &MessageHead) -> Result<(), String> {
        self.know(dictionary).map_err(|why| why.to_string())?;
        let dictionary = known(&self.dictionary, dictionary);
        let packed = summary_behind(&mut self.grown, head, self.near.bytes(), flags, dictionary)?;
        self.plain = (!packed).then(|| MESSAGE_HEAD_BYTES..head.body_start());
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
}

fn known(last: &Option<(u16, Arc<Dictionary>)>, id: u16) -> Option<&Dictionary> {
    last.as_ref().filter(|(known, _)| *known == id).map(|(_, found)| &**found)
}
