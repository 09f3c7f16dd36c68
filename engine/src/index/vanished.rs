//! Which uids have vanished since a client last looked (RFC 7162 section 3.2.10), found some entries at a time: what lies far back is known so
//! coarsely that a whole mailbox may have to be gone through. Keeps no uid.
use super::mailbox::Mailbox;
use crate::base::{ModSeq, Result, Uid, UidSet};

/// A search for them under way.
#[derive(Debug)]
pub struct Vanished {
    /// Uids that may have vanished, as far as they have not been looked at; the last ones first.
    left: Vec<(u32, u32)>,
}

impl Vanished {
    /// Of the uids of `known`, those that were expunged after `modseq`.
    pub fn new(mailbox: &Mailbox, modseq: ModSeq, known: &UidSet) -> Vanished {
        let last = mailbox.uid_next.0.saturating_sub(1);
        let mut left = Vec::new();
        let mut known = known.ranges().iter().copied().peekable();
        for (first, end) in mailbox.expunged.since(modseq) {
            while known.next_if(|range| range.1 < first).is_some() {}
            // A range of `known` may reach into the next range that is gone.
            let mut ahead = known.clone();
            while let Some(range) = ahead.next_if(|range| range.0 <= end) {
                left.push((first.max(range.0), end.min(range.1).min(last)));
            }
        }
        left.reverse();
        Vanished { left }
    }

    /// Goes on through at most so many entries of the same view and adds the uids between them; false when it was the last time.
    pub fn next(&mut self, mailbox: &Mailbox, entries_max: usize, found: &mut UidSet) -> Result<bool> {
        let mut entries = 0;
        while let Some((first, last)) = self.left.pop() {
            let mut from = first;
            let there = UidSet::range(Uid(first), Uid(last.max(first)));
            for entry in mailbox.entries.in_uids(&there).filter(|_| first <= last) {
                let (_, entry) = entry?;
                if entry.uid.0 > from {
                    found.push_range(from, entry.uid.0 - 1);
                }
                from = entry.uid.0.saturating_add(1);
                entries += 1;
                if entries >= entries_max {
                    break;
                }
            }
            if entries >= entries_max {
                if from <= last {
                    self.left.push((from, last));
                }
                return Ok(!self.left.is_empty());
            }
            if from <= last {
                found.push_range(from, last);
            }
        }
        Ok(false)
    }
}
