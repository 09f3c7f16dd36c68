//! MOVE from an account of another shard, as two transactions that come to one: the target's has the messages with a note of the entries
//! that are to go, and these go after it. The note is an annotation of the target's account that no client can name.
use super::append;
use crate::base::bytes::Reader;
use crate::base::{AccountId, Bound, MailboxId, Result, UidSet};
use crate::engine::txn::Txn;
use crate::engine::{Append, Appended, At};
use crate::format::Event;
use crate::index::Account;

/// Clients name entries below `/private` and `/shared` only.
const START: &str = "/moving/";

/// Entries of another account that have moved here and are to go there.
pub(in crate::engine) struct Note {
    name: String,
    pub(in crate::engine) from: (AccountId, MailboxId),
    pub(in crate::engine) uids: UidSet,
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
    // The first new uid makes the name one that never was.
    let first = appended.uids.ranges().first().map_or(0, |range| range.0);
    let name = format!("{START}{}/{}/{}/{first}", from.0, from.1, at.mailbox);
    let mut value = Vec::new();
    uids.encode(&mut value);
    txn.emit(&Event::MetadataSet { account: at.account, mailbox: MailboxId(0), name, value: Some(value) })?;
    Ok(appended)
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
    let name = note.name.clone();
    txn.emit(&Event::MetadataSet { account, mailbox: MailboxId(0), name, value: None })
}
