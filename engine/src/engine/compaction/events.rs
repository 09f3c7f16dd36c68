//! The events of the segments that are compacted, in their order: all that is still true of the past, packed. Of a delivery whose entry is gone
//! only the numbers that it used stay. A rebuild from what comes out gives the same mailboxes.
use super::live::Entries;
use super::plan::Group;
use super::{Compaction, Pace, Work};
use crate::base::{Error, Locator, Result};
use crate::delivery;
use crate::format::packed::Packer;
use crate::format::{Event, FrameKind};
use crate::log::Compacting;

/// Bytes of transactions that are packed together.
const PACKED_BYTES: usize = 256 << 10;

/// What a new file has besides messages.
pub(super) struct Written {
    /// Transactions whose events were packed.
    pub(super) transactions: u64,
    /// Over all of them, in order.
    pub(super) hash: u32,
    /// Each dictionary's place in the log, its number, and a hash of its payload.
    pub(super) dictionaries: Vec<(Locator, u16, u32)>,
}

impl Work {
    /// Writes what the events of the group come to, and its dictionaries; says what was written, for the proof.
    pub(super) fn move_events(
        &self,
        group: &Group,
        out: &mut Compacting,
        run: &Compaction,
        pace: &mut Pace,
    ) -> Result<Written> {
        let (mut packer, mut entries) = (Packer::default(), Entries::new(self));
        let (mut count, mut hash, mut dictionaries) = (0, crc32fast::Hasher::new(), Vec::new());
        for file in self.segments.files().into_iter().filter(|file| group.holds(file.id)) {
            let footer = self.segments.footer(file.id)?;
            let table = footer.as_ref().into_iter().flat_map(|footer| footer.table.iter());
            for (offset, kind) in table {
                let frame = match kind {
                    FrameKind::Events | FrameKind::Dictionary => self.segments.read_in_file(file.id, offset)?,
                    _ => continue,
                };
                frame.check()?;
                run.step(pace, frame.payload().len() as u64)?;
                if kind == FrameKind::Dictionary {
                    let at = self.shared.dictionaries.place(frame.dictionary);
                    let at = at.ok_or_else(|| frame.corrupt("a dictionary that the shard knows expected"))?;
                    let moved = out.push(FrameKind::Dictionary, frame.flags, frame.dictionary, &[frame.payload()])?;
                    out.moved(at, moved, None);
                    dictionaries.push((at, frame.dictionary, crc32fast::hash(frame.payload())));
                    continue;
                }
                let all = delivery::transactions(frame.lsn, frame.flags, frame.payload());
                for (lsn, events) in all.map_err(|why| frame.corrupt(&why))? {
                    let events = still_true(&events, &mut entries).map_err(|why| frame.corrupt(&why.to_string()))?;
                    hash.update(&lsn.0.to_le_bytes());
                    hash.update(&events);
                    count += 1;
                    packer.push(lsn, &events);
                    if packer.len_bytes() >= PACKED_BYTES {
                        flush(&mut packer, out)?;
                    }
                }
            }
        }
        flush(&mut packer, out)?;
        Ok(Written { transactions: count, hash: hash.finalize(), dictionaries })
    }
}

fn flush(packer: &mut Packer, out: &mut Compacting) -> Result<()> {
    if packer.len_bytes() == 0 {
        return Ok(());
    }
    let packed = delivery::pack(packer).ok_or_else(|| Error::Limit("no memory to pack events".into()))?;
    out.push(FrameKind::Events, packed.1, 0, &[&packed.0]).map(drop)
}

/// A transaction's events without the entries that are gone.
fn still_true(events: &[u8], entries: &mut Entries<'_>) -> Result<Vec<u8>> {
    let decoded = Event::decode_all(events).map_err(|why| Error::Invalid(why.to_string()))?;
    let mut out = Vec::with_capacity(events.len());
    for event in decoded {
        let Event::Delivered { guid, locator, size_bytes, internal_date, save_date, to } = event else {
            event.encode(&mut out);
            continue;
        };
        // An entry's number must stay used in its place in the order, so that no later event finds it free or too high.
        let mut kept = Vec::with_capacity(to.len());
        let mut skipped = Vec::new();
        for copy in to {
            if entries.has(copy.account, copy.mailbox, copy.uid)? {
                kept.push(copy);
            } else {
                skipped.push(copy);
            }
        }
        let all_kept = skipped.is_empty();
        for copy in &skipped {
            let after = kept
                .iter()
                .any(|kept| (kept.account, kept.mailbox) == (copy.account, copy.mailbox) && kept.uid < copy.uid);
            // Two entries in one mailbox from one event, the first alive: the event stays as it was.
            if after {
                kept.push(copy.clone());
                continue;
            }
            let (account, mailbox, uid, modseq) = (copy.account, copy.mailbox, copy.uid, copy.modseq);
            Event::Skipped { account, mailbox, uid, modseq }.encode(&mut out);
        }
        if !all_kept {
            kept.sort_by_key(|copy| (copy.account, copy.mailbox, copy.uid));
        }
        if !kept.is_empty() {
            Event::Delivered { guid, locator, size_bytes, internal_date, save_date, to: kept }.encode(&mut out);
        }
    }
    Ok(out)
}
