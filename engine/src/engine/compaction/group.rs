//! Rewrites one group of segments: live messages in blocks of their kind, events packed; reads every frame of the new file back, compares, and
//! only then puts it in place.
use super::events::Written;
use super::plan::Group;
use super::sort_key::sort_key;
use super::{Compaction, Pace, Work};
use crate::base::{Error, Locator, Result};
use crate::delivery::{
    BLOCK_TEXT_BYTES, BlockBuilder, ColdEncoder, ColdMessage, Dictionary, summary_in_block, transactions,
};
use crate::format::block::Block;
use crate::format::{FrameKind, PartHash};
use crate::log::{Compacting, Sealed, Stored};
use std::collections::HashMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::Arc;

/// To read a message back takes this part of the time that it takes to move it.
const READ_BACK_OF: u64 = 4;

/// What messages are known by when they are read back: their places, and a keyed hash over guid and bytes, whose key nobody can know. Their crcs
/// are looked at besides, by whoever puts a message together.
#[derive(Default)]
struct Moved {
    key: RandomState,
    all: Vec<(Locator, u64)>,
}

impl Moved {
    fn digest(&self, guid: &[u8; 16], whole: &[u8]) -> u64 {
        let mut hash = self.key.build_hasher();
        hash.write(guid);
        hash.write(whole);
        hash.finish()
    }
}

/// The block that is being filled, and what is moved into it.
struct Filling<'a> {
    out: &'a mut Compacting,
    builder: BlockBuilder,
    waiting: Vec<Locator>,
    parts: HashMap<PartHash, u32>,
    dictionary: Option<(u16, Arc<Dictionary>)>,
    encoder: Option<ColdEncoder>,
}

impl Work {
    pub(super) fn compact_group(
        &self,
        group: &Group,
        live: Vec<Locator>,
        run: &Compaction,
        pace: &mut Pace,
    ) -> Result<()> {
        let mut out = Compacting::create(&self.segments, &*self.clock, &self.log, group.first, group.last)?;
        let written = self.move_events(group, &mut out, run, pace)?;
        out.push_head()?;
        let dictionary = self.shared.dictionaries.newest_up_to(&self.segments, group.last)?;
        let moved = self.move_messages(live, dictionary.clone(), &mut out, run, pace)?;
        let sealed = out.finish()?;
        sealed.check_header()?;
        self.prove_frames(&sealed, &written, dictionary.as_ref().map(|(_, dictionary)| &**dictionary), run, pace)?;
        self.prove_messages(&sealed, &moved, run, pace)?;
        let before = self.file_bytes(group);
        let after = sealed.len_bytes();
        sealed.install()?;
        run.note(|progress| {
            progress.segments_done += u64::from(group.last.0 - group.first.0) + 1;
            progress.bytes_before += before;
            progress.bytes_after += after;
        });
        Ok(())
    }

    fn move_messages(
        &self,
        live: Vec<Locator>,
        dictionary: Option<(u16, Arc<Dictionary>)>,
        out: &mut Compacting,
        run: &Compaction,
        pace: &mut Pace,
    ) -> Result<Moved> {
        let mut keyed = Vec::with_capacity(live.len());
        let mut summaries = self.reader.summaries();
        for at in live {
            keyed.push((sort_key(summaries.get(at)?), at));
            run.step(pace, 0)?;
        }
        keyed.sort_unstable();
        // Without memory for it blocks are stored as they are.
        let encoder = ColdEncoder::new(dictionary.as_ref().map(|(_, dictionary)| &**dictionary));
        let (builder, waiting, parts) = (BlockBuilder::default(), Vec::new(), HashMap::new());
        let mut filling = Filling { out, builder, waiting, parts, dictionary, encoder };
        let mut moved = Moved::default();
        for (_, at) in keyed {
            let (guid, whole) = self.reader.put_together(self.segments.stored(at)?, at)?;
            let bytes = whole.len() as u64;
            moved.all.push((at, moved.digest(&guid.0, &whole)));
            let message = ColdMessage::new(guid, whole, filling.encoder.as_mut());
            filling.push(at, message)?;
            run.note(|progress| {
                progress.messages += 1;
                progress.message_bytes += bytes;
            });
            run.step(pace, bytes)?;
        }
        filling.flush()?;
        Ok(moved)
    }

    /// Every frame of the new file is sound; its transactions are those that were packed, in order, its dictionaries those that were moved,
    /// and each summary can be read.
    fn prove_frames(
        &self,
        sealed: &Sealed,
        wanted: &Written,
        dictionary: Option<&Dictionary>,
        run: &Compaction,
        pace: &mut Pace,
    ) -> Result<()> {
        let (mut count, mut hash) = (0, crc32fast::Hasher::new());
        for (offset, kind) in sealed.frames()? {
            let frame = sealed.frame(offset)?;
            run.step(pace, frame.payload().len() as u64 / READ_BACK_OF)?;
            match kind {
                FrameKind::Events => {
                    let all = transactions(frame.lsn, frame.flags, frame.payload());
                    for (lsn, events) in all.map_err(|why| frame.corrupt(&why))? {
                        hash.update(&lsn.0.to_le_bytes());
                        hash.update(&events);
                        count += 1;
                    }
                }
                FrameKind::Block => {
                    let block = Block::decode(frame.payload()).map_err(|why| frame.corrupt(&why.to_string()))?;
                    for index in 0..block.rows.len() {
                        let read = summary_in_block(frame.payload(), index, dictionary);
                        read.map_err(|why| frame.corrupt(&why))?;
                    }
                }
                _ => {}
            }
        }
        if (count, hash.finalize()) != (wanted.transactions, wanted.hash) {
            return Err(differs("the events that were packed"));
        }
        for (at, number, hash) in &wanted.dictionaries {
            let same = match sealed.stored(*at)? {
                Stored::Frame(frame) => {
                    frame.kind == FrameKind::Dictionary
                        && frame.dictionary == *number
                        && crc32fast::hash(frame.payload()) == *hash
                }
                Stored::InBlock { .. } => false,
            };
            if !same {
                return Err(differs(&format!("dictionary {number}")));
            }
        }
        Ok(())
    }

    /// Every message that was moved is where the address table says, with its guid and all its bytes: so count, bytes and content of each
    /// mailbox are what they were.
    fn prove_messages(&self, sealed: &Sealed, moved: &Moved, run: &Compaction, pace: &mut Pace) -> Result<()> {
        for (at, wanted) in &moved.all {
            let (guid, whole) = self.reader.put_together(sealed.stored(*at)?, *at)?;
            if moved.digest(&guid.0, &whole) != *wanted {
                return Err(differs(&format!("message {at}")));
            }
            run.note(|progress| progress.proven += 1);
            run.step(pace, whole.len() as u64 / READ_BACK_OF)?;
        }
        Ok(())
    }
}

impl Filling<'_> {
    fn push(&mut self, at: Locator, message: ColdMessage) -> Result<()> {
        if !self.builder.is_empty() && self.builder.text_bytes() + message.text_bytes() > BLOCK_TEXT_BYTES {
            self.flush()?;
        }
        let mut offsets = Vec::with_capacity(message.parts().len());
        for part in message.parts() {
            offsets.push(match self.parts.get(&part.hash) {
                Some(offset) => *offset,
                None => {
                    let offset = self.out.push(FrameKind::Part, part.flags, 0, &[&part.payload])?;
                    self.parts.insert(part.hash, offset);
                    offset
                }
            });
        }
        self.builder.push(message, self.out.stood(at), &offsets);
        self.waiting.push(at);
        Ok(())
    }

    fn flush(&mut self) -> Result<()> {
        if self.builder.is_empty() {
            return Ok(());
        }
        let ([head, summaries, text], flags) = self.builder.finish(self.encoder.as_mut());
        let id = self.dictionary.as_ref().map_or(0, |(id, _)| *id);
        let offset = self.out.push(FrameKind::Block, flags, id, &[&head, &summaries, &text])?;
        for (index, at) in self.waiting.drain(..).enumerate() {
            self.out.moved(at, offset, Some(index as u32));
        }
        Ok(())
    }
}

fn differs(what: &str) -> Error {
    Error::corrupt("the compacted segment", 0, format!("{what} differ from what was read; nothing was replaced"))
}
