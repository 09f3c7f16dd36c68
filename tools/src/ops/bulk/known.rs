//! What a mailbox holds already, so that bringing the same mail again adds nothing. Counts copies: a source with two equal messages gets
//! two. Two messages count as equal when every byte is.
use posthouse_engine::base::{AccountId, Result, Uid};
use posthouse_engine::index::Mailbox;
use posthouse_engine::{Checksum, Engine};

/// A mailbox's messages by size and crc, as they were when the first message for it came. Twelve bytes each.
pub(super) struct Known {
    rows: Vec<Row>,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    sum: Checksum,
    /// Zero: a message of the source has been matched with it.
    uid: u32,
}

impl Known {
    pub(super) fn of(engine: &Engine, account: AccountId, view: &Mailbox) -> Result<Known> {
        let mut rows = Vec::with_capacity(view.entries.len());
        for entry in view.entries.range(0..view.entries.len()) {
            let entry = entry?;
            // A message that cannot be read is none that the source need not bring.
            if let Ok(sum) = engine.checksum(account, &entry) {
                rows.push(Row { sum, uid: entry.uid.0 });
            }
        }
        rows.sort_unstable();
        Ok(Known { rows })
    }

    /// The message's uid if the mailbox holds it; it is then used up, so that the next equal one is another.
    pub(super) fn take(&mut self, engine: &Engine, account: AccountId, view: &Mailbox, message: &[u8]) -> Option<Uid> {
        let sum = Checksum::of(message)?;
        let from = self.rows.partition_point(|row| row.sum < sum);
        for row in self.rows[from..].iter_mut().take_while(|row| row.sum == sum).filter(|row| row.uid != 0) {
            let found = view.entries.position(Uid(row.uid)).ok().flatten();
            let entry = found.and_then(|at| view.entries.get(at).ok());
            let stored = entry.and_then(|entry| engine.message_here(account, &entry).ok());
            if stored.is_some_and(|stored| *stored == *message) {
                return Some(Uid(std::mem::take(&mut row.uid)));
            }
        }
        None
    }
}
