//! Which accounts a message has reached, for as long as it is in the queue for others: an account gets it once, however many groups lead to it and wherever
//! a crash falls between two shards. Decides nothing.
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{AccountId, Guid, QueueId};
use std::collections::BTreeMap;
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
    accounts: Vec<AccountId>,
}

/// Cloning copies a pointer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reached {
    by_origin: Arc<BTreeMap<Guid, Vec<Note>>>,
    accounts: usize,
}

impl Reached {
    pub(super) fn add(&mut self, origin: Guid, by: By, when: i64, accounts: &[AccountId]) {
        let mut accounts = accounts.to_vec();
        accounts.sort_unstable();
        self.accounts += accounts.len();
        Arc::make_mut(&mut self.by_origin).entry(origin).or_default().push(Note { by, when, accounts });
    }

    pub(super) fn forget(&mut self, origin: Guid) {
        if !self.knows(origin) {
            return;
        }
        let gone = Arc::make_mut(&mut self.by_origin).remove(&origin).unwrap_or_default();
        self.accounts -= gone.iter().map(|note| note.accounts.len()).sum::<usize>();
    }

    pub(super) fn knows(&self, origin: Guid) -> bool {
        self.by_origin.contains_key(&origin)
    }

    pub(super) fn by(&self, origin: Guid, account: AccountId) -> Option<By> {
        let notes = self.by_origin.get(&origin)?;
        notes.iter().find(|note| note.accounts.binary_search(&account).is_ok()).map(|note| note.by)
    }

    /// Accounts over all messages.
    pub(super) fn accounts(&self) -> usize {
        self.accounts
    }

    /// The messages, each with the time of its last note.
    pub(super) fn origins(&self) -> impl Iterator<Item = (Guid, i64)> + '_ {
        let last = |notes: &Vec<Note>| notes.iter().map(|note| note.when).max().unwrap_or(0);
        self.by_origin.iter().map(move |(origin, notes)| (*origin, last(notes)))
    }

    /// Notes over all messages.
    pub(super) fn len(&self) -> usize {
        self.by_origin.values().map(Vec::len).sum()
    }

    /// The notes as a checkpoint has them: what stands before an item is its number, which is never 0.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for (origin, note) in
            self.by_origin.iter().flat_map(|(origin, notes)| notes.iter().map(move |one| (origin, one)))
        {
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
