//! Which accounts a message has reached, for as long as it is in the queue for others: an account gets it once, however many groups lead to it and wherever
//! a crash falls between two shards. Decides nothing.
use super::tree::Tree;
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{AccountId, Guid, QueueId};
use std::sync::Arc;

/// By which recipient of which item a message has come to accounts. The default: it came to them from a client, not from the queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct By {
    /// The item.
    pub id: QueueId,
    /// Its recipient's place in it.
    pub recipient: u32,
}

/// See above.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Note {
    by: By,
    /// Seconds since 1970 UTC.
    when: i64,
    /// Ascending.
    accounts: Arc<[AccountId]>,
}

/// What the notes of a message have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Noted {
    notes: u32,
    /// The time of the last one, seconds since 1970 UTC.
    last: i64,
}

/// Cloning copies pointers.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reached {
    origins: Tree<Guid, Noted>,
    /// By their place among the notes of the message, from 0.
    notes: Tree<(Guid, u32), Note>,
    /// The messages by the time of their last note.
    ages: Tree<(i64, Guid), ()>,
    accounts: usize,
}

impl Reached {
    pub(super) fn add(&mut self, origin: Guid, by: By, when: i64, accounts: &[AccountId]) {
        let mut accounts: Arc<[AccountId]> = accounts.into();
        Arc::make_mut(&mut accounts).sort_unstable();
        self.accounts += accounts.len();
        let before = self.origins.get(&origin).copied();
        let place = before.map_or(0, |noted| noted.notes);
        let last = before.map_or(when, |noted| noted.last.max(when));
        self.origins.insert(origin, Noted { notes: place + 1, last });
        self.notes.insert((origin, place), Note { by, when, accounts });
        if before.is_none_or(|noted| noted.last != last) {
            before.map(|noted| self.ages.remove(&(noted.last, origin)));
            self.ages.insert((last, origin), ());
        }
    }

    pub(super) fn forget(&mut self, origin: Guid) {
        let Some(noted) = self.origins.remove(&origin) else { return };
        self.ages.remove(&(noted.last, origin));
        for place in 0..noted.notes {
            let note = self.notes.remove(&(origin, place));
            self.accounts -= note.map_or(0, |note| note.accounts.len());
        }
    }

    pub(super) fn knows(&self, origin: Guid) -> bool {
        self.origins.get(&origin).is_some()
    }

    pub(super) fn by(&self, origin: Guid, account: AccountId) -> Option<By> {
        let mut notes = (0..self.origins.get(&origin)?.notes).filter_map(|place| self.notes.get(&(origin, place)));
        notes.find(|note| note.accounts.binary_search(&account).is_ok()).map(|note| note.by)
    }

    /// Accounts over all messages.
    pub(super) fn accounts(&self) -> usize {
        self.accounts
    }

    /// The messages, each with the time of its last note.
    pub(super) fn origins(&self) -> impl Iterator<Item = (Guid, i64)> + '_ {
        self.origins.iter().map(|(origin, noted)| (*origin, noted.last))
    }

    /// The message whose last note is the oldest.
    pub(super) fn oldest(&self) -> Option<Guid> {
        self.ages.first().map(|((_, origin), ())| *origin)
    }

    /// Notes over all messages.
    pub(super) fn len(&self) -> usize {
        self.notes.len()
    }

    /// The notes as a checkpoint has them: what stands before an item is its number, which is never 0.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for ((origin, _), note) in self.notes.iter() {
            out.put_varint(0);
            out.put(&origin.0);
            out.put_varint(note.by.id.0);
            out.put_varint(u64::from(note.by.recipient));
            out.put_i64(note.when);
            out.put_varint(note.accounts.len() as u64);
            note.accounts.iter().for_each(|account| out.put_varint(account.0));
        }
        out
    }

    /// Reads a note behind its 0.
    pub(super) fn decode_one(&mut self, reader: &mut Reader<'_>) -> Result<(), DecodeError> {
        let origin = Guid(reader.array()?);
        let by = By { id: QueueId(reader.varint()?), recipient: reader.varint_u32()? };
        let when = reader.i64()?;
        let accounts: Vec<AccountId> =
            (0..reader.count()?).map(|_| reader.varint().map(AccountId)).collect::<Result<_, _>>()?;
        self.add(origin, by, when, &accounts);
        Ok(())
    }
}
