//! MOVE from an account of another shard, as two transactions that come to one: the target's has the messages with a note of the entries
//! that are to go, and these go after it. The note is an annotation of the target's account that no client can name. COPY in several transactions
//! has the same note of its own copies, which go unless its last transaction takes the note away.
use super::{append, expunge};
use crate::base::bytes::Reader;
use crate::base::{AccountId, Bound, Error, Flags, MailboxId, Result, UidSet};
use crate::engine::txn::Txn;
use crate::engine::{Append, Appended, At};
use crate::format::Event;
use crate::index::Account;

/// Clients name entries below `/private` and `/shared` only.
const START: &str = "/moving/";

/// Entries of another account that have moved here and are to go there, or copies here that are to go.
#[derive(Clone)]
pub(in crate::engine) struct Note {
    name: String,
    pub(in crate::engine) from: (AccountId, MailboxId),
    pub(in crate::engine) uids: UidSet,
}

impl Note {
    /// Of copies in a mailbox of the account itself; none of none.
    pub(in crate::engine) fn of_copies((account, mailbox): (AccountId, MailboxId), made: &UidSet) -> Option<Note> {
        let first = made.ranges().first()?.0;
        Some(Note { name: name((account, mailbox), mailbox, first), from: (account, mailbox), uids: made.clone() })
    }

    /// Whether it is of copies: what is moved comes from another shard.
    pub(in crate::engine) fn is_copy_in(&self, account: AccountId) -> bool {
        self.from.0 == account
    }
}

/// `first`, the first new uid, makes the name one that never was.
fn name(from: (AccountId, MailboxId), to: MailboxId, first: u32) -> String {
    format!("{START}{}/{}/{to}/{first}", from.0, from.1)
}

/// The messages and the note, or neither.
pub(in crate::engine) fn receive(
    txn: &mut Txn<'_>,
    at: At,
    messages: &[Append],
    (from, uids): ((AccountId, MailboxId), &UidSet),
    bound: Option<Bound>,
) -> Result<Appended> {
    let appended = append::plan(txn, at, messages, bound)?;
    let first = appended.uids.ranges().first().map_or(0, |range| range.0);
    set(txn, at.account, name(from, at.mailbox, first), Some(uids))?;
    Ok(appended)
}

/// Notes what a COPY has made so far, with what it had made `before`; the last of its transactions takes the note away.
pub(in crate::engine) fn note_copies(
    txn: &mut Txn<'_>,
    place: (AccountId, MailboxId),
    (before, made): (&UidSet, &UidSet),
    is_last: bool,
) -> Result<()> {
    match Note::of_copies(place, made) {
        Some(note) if !is_last => set(txn, place.0, note.name, Some(made)),
        Some(note) if !before.is_empty() => set(txn, place.0, note.name, None),
        _ => Ok(()),
    }
}

/// Some copies of a note go, and with the last ones the note. Nothing when it is gone, or somebody but `own` is making them.
pub(in crate::engine) fn take_back(
    txn: &mut Txn<'_>,
    account: AccountId,
    note: &Note,
    (some, is_last): (&UidSet, bool),
    own: Option<u64>,
) -> Result<()> {
    let is_there = txn.account(account)?.metadata.get(&note.name).is_some();
    if !is_there || txn.promises.check_but(own, note.from, &note.uids).is_err() {
        return Ok(());
    }
    match expunge::plan(txn, note.from.0, note.from.1, Some(some), Flags::NONE) {
        // Where their mailbox is gone, they are gone with it.
        Ok(_) | Err(Error::NotFound(_)) => {}
        Err(error) => return Err(error),
    }
    if is_last { done(txn, account, note) } else { Ok(()) }
}

fn set(txn: &mut Txn<'_>, account: AccountId, name: String, uids: Option<&UidSet>) -> Result<()> {
    let value = uids.map(|uids| {
        let mut value = Vec::new();
        uids.encode(&mut value);
        value
    });
    txn.emit(&Event::MetadataSet { account, mailbox: MailboxId(0), name, value })
}

/// What is still to go. A note that cannot be read is left alone.
pub(in crate::engine) fn notes(account: &Account) -> Vec<Note> {
    let noted = account.metadata.iter().filter(|(name, _)| name.starts_with(START));
    noted.filter_map(|(name, value)| read(name, value)).collect()
}

fn read(name: &str, value: &[u8]) -> Option<Note> {
    let mut numbers = name.strip_prefix(START)?.split('/');
    let from = (AccountId(numbers.next()?.parse().ok()?), MailboxId(numbers.next()?.parse().ok()?));
    let uids = UidSet::decode(&mut Reader::new(value)).ok()?;
    Some(Note { name: name.to_owned(), from, uids })
}

/// The entries are gone. Nothing when somebody else has seen to it.
pub(in crate::engine) fn done(txn: &mut Txn<'_>, account: AccountId, note: &Note) -> Result<()> {
    if txn.account(account)?.metadata.get(&note.name).is_none() {
        return Ok(());
    }
    set(txn, account, note.name.clone(), None)
}
