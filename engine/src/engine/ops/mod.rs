//! What a request plans on the committer's thread: one file per kind. Each checks first and then emits events.
pub(super) mod adopt;
pub(super) mod append;
pub(super) mod away;
pub(super) mod copy;
pub(super) mod deliver;
pub(super) mod expunge;
pub(super) mod ingest;
pub(super) mod mailboxes;
pub(super) mod metadata;
pub(super) mod moved;
pub(super) mod purge;
pub(super) mod queue;
pub(super) mod reached;
pub(super) mod readers;
pub(super) mod restored;
pub(super) mod store;
pub(super) mod uidls;
pub(super) mod url_keys;

use super::txn::Txn;
use crate::base::limits::{KEYWORD_BYTES_MAX, KEYWORDS_MAX, READERS_MAX};
use crate::base::{AccountId, Error, Keywords, MailboxId, ModSeq, Result, UidSet};
use crate::format::Event;
use crate::index::Mailbox;

/// The modseq that the next change of the mailbox gets.
fn next_modseq(mailbox: &Mailbox) -> ModSeq {
    ModSeq(mailbox.highest_modseq.0 + 1)
}

/// Checks that the mailbox has room in its table for the keywords it does not know yet.
fn check_keywords(mailbox: &Mailbox, names: &[String]) -> Result<()> {
    let new = names.iter().filter(|name| mailbox.keyword_bit(name).is_none()).count();
    if let Some(long) = names.iter().find(|name| name.is_empty() || name.len() > KEYWORD_BYTES_MAX) {
        return Err(Error::Limit(format!("keyword {long:?}: 1 to {KEYWORD_BYTES_MAX} bytes are allowed")));
    }
    if mailbox.keywords.len() + new > KEYWORDS_MAX {
        return Err(Error::Limit(format!("a mailbox holds at most {KEYWORDS_MAX} different keywords")));
    }
    Ok(())
}

/// The bits of keywords, which are added to the table where it does not know them.
fn keyword_bits(txn: &mut Txn<'_>, account: AccountId, mailbox: MailboxId, names: &[String]) -> Result<Keywords> {
    let mut bits = 0;
    for name in names {
        let bit = match txn.mailbox(account, mailbox)?.keyword_bit(name) {
            Some(bit) => bit,
            None => {
                txn.emit(&Event::KeywordMade { account, mailbox, name: name.clone() })?;
                txn.mailbox(account, mailbox)?.keyword_bit(name).unwrap_or_default()
            }
        };
        bits |= bit;
    }
    Ok(Keywords(bits))
}

/// Checks that the mailbox has room for what a reader has seen.
fn check_reader(mailbox: &Mailbox, reader: Option<AccountId>) -> Result<()> {
    let is_new = reader.is_some_and(|reader| mailbox.readers.seen(reader).is_none());
    if is_new && mailbox.readers.len() >= READERS_MAX {
        return Err(Error::Limit(format!("a mailbox keeps for at most {READERS_MAX} members what they have seen")));
    }
    Ok(())
}

/// A reader has seen entries, or wants them unseen; an event if that is new.
fn note_seen(
    txn: &mut Txn<'_>,
    (account, mailbox): (AccountId, MailboxId),
    reader: AccountId,
    on: bool,
    uids: &UidSet,
) -> Result<()> {
    let view = txn.mailbox(account, mailbox)?;
    let mut changed = UidSet::new();
    for found in view.entries.in_uids(uids) {
        let (_, entry) = found?;
        if view.readers.has_seen(reader, entry.uid) != on {
            changed.push(entry.uid);
        }
    }
    if changed.is_empty() {
        return Ok(());
    }
    let modseq = next_modseq(view);
    txn.emit(&Event::SeenChanged { account, mailbox, reader, modseq, on, uids: changed })
}

/// Seconds since 1970 as the entry's save date.
fn save_date(now: i64) -> u32 {
    u32::try_from(now.max(0)).unwrap_or(u32::MAX)
}
