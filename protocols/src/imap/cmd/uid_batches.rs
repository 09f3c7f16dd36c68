//! UIDBATCHES (RFC 10022): uid ranges that cut the selected mailbox into batches of a size, from the newest message down. Each batch costs two
//! look-ups, so that asking again is not refused.
use crate::imap::answer::Answer;
use crate::imap::out;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::limits;
use posthouse_engine::base::Result;
use posthouse_engine::directory::Rights;
use posthouse_engine::index::EntryTable;
use std::ops::Range;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let size = args.nz_number()?;
        let mut asked = (1, u32::MAX);
        if !args.is_end() {
            args.space()?;
            let first = args.nz_number()?;
            args.need(":")?;
            asked = (first, args.nz_number()?);
        }
        args.end()?;
        if asked.0 > asked.1 {
            return Ok(Answer::bad("[CLIENTBUG] The first batch comes before the last"));
        }
        if size < limits::IMAP_UID_BATCH_MESSAGES_MIN {
            let min = limits::IMAP_UID_BATCH_MESSAGES_MIN;
            return Ok(Answer::no(format!("[TOOFEW] A batch has {min} messages at least")));
        }
        session.need_selected(Rights::READ)?;
        let entries = &session.selected()?.view.entries;
        let batches = batches(entries.len(), size, asked);
        if batches.len() > limits::IMAP_UID_BATCHES_MAX {
            let max = limits::IMAP_UID_BATCHES_MAX;
            return Ok(Answer::no(format!("[TOOMANY] At most {max} batches at a time; take larger ones or name some")));
        }
        let mut line = b"* UIDBATCHES (TAG ".to_vec();
        out::string(&mut line, request.tag.as_bytes());
        line.push(b')');
        for (count, batch) in batches.enumerate() {
            line.push(if count == 0 { b' ' } else { b',' });
            let (highest, lowest) = uids(entries, batch)?;
            out::number(&mut line, highest.into());
            line.push(b':');
            out::number(&mut line, lowest.into());
        }
        line.extend_from_slice(b"\r\n");
        session.stream.output().append(&mut line);
        Ok(request.completed())
    })
}

/// The positions of those of the batches, numbered from 1, that were asked for and exist.
fn batches(len: usize, size: u32, (first, last): (u32, u32)) -> impl ExactSizeIterator<Item = Range<usize>> {
    let size = size as usize;
    let last = (last as usize).min(len.div_ceil(size));
    (first as usize - 1..last).map(move |batch| len.saturating_sub((batch + 1) * size)..len - batch * size)
}

/// The ends of a batch. One batch begins where the other ends, and the last one ends with 1 (section 3.1.4).
fn uids(entries: &EntryTable, batch: Range<usize>) -> Result<(u32, u32)> {
    let highest = match batch.end {
        end if end == entries.len() => entries.get(end - 1)?.uid.0,
        end => entries.get(end)?.uid.0 - 1,
    };
    let lowest = if batch.start == 0 { 1 } else { entries.get(batch.start)?.uid.0 };
    Ok((highest, lowest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_count_from_the_newest_message() {
        let found = |len, size, asked| batches(len, size, asked).collect::<Vec<_>>();
        assert_eq!(found(6823, 2000, (1, u32::MAX)), [4823..6823, 2823..4823, 823..2823, 0..823]);
        assert_eq!(found(6000, 2000, (1, u32::MAX)), [4000..6000, 2000..4000, 0..2000]);
        assert_eq!(found(100_000, 2000, (10, 11)), [80_000..82_000, 78_000..80_000]);
        assert!(found(7000, 2000, (6, 8)).is_empty() && found(0, 500, (1, u32::MAX)).is_empty());
        assert_eq!(found(10, u32::MAX, (1, u32::MAX)).first(), Some(&(0..10)));
    }
}
