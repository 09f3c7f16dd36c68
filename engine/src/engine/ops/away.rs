//! An answer for somebody who is away: queued, and its receiver remembered, in one transaction. So no crash makes it come twice.
use super::deliver;
use crate::base::limits::{AWAY_SENDERS_MAX, METADATA_ACCOUNT_BYTES_MAX, METADATA_VALUE_BYTES_MAX};
use crate::base::{MailboxId, QueueId, Result};
use crate::engine::Answer;
use crate::engine::txn::Txn;
use crate::format::Event;
use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest};

/// The account's annotation that remembers: a line for each sender, the oldest first, with a hash and the time of the answer.
const ENTRY: &str = "/private/vendor/posthouse/away";
/// Bytes of a line: hash, space, seconds, line end.
const LINE_BYTES: usize = 16 + 1 + 12 + 1;
const _: () = assert!(LINE_BYTES * AWAY_SENDERS_MAX <= METADATA_VALUE_BYTES_MAX);

/// Who was answered, and with what: another text is another answer (RFC 5230 section 4.2).
fn name(answer: &Answer) -> String {
    let mut hash = Blake2b::<U8>::new();
    hash.update(answer.to.as_bytes());
    hash.update([0]);
    hash.update(answer.handle.as_bytes());
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(line: &str) -> Option<(&str, i64)> {
    let (name, when) = line.split_once(' ')?;
    Some((name, when.parse().ok()?))
}

/// The number of the queued answer; `None` when that sender was answered not long ago.
pub(in crate::engine) fn plan(txn: &mut Txn<'_>, answer: &Answer) -> Result<Option<QueueId>> {
    let (now, account) = (txn.now, txn.opened(answer.account)?);
    // It is the member's own: what it has written there counts as far as it can be read.
    let before = account.metadata.get(ENTRY).and_then(|value| std::str::from_utf8(value).ok()).unwrap_or("").to_owned();
    let others = account.mailboxes.iter().map(|mailbox| mailbox.metadata.size_bytes()).sum::<usize>()
        + account.metadata.size_bytes();
    let since = now - i64::from(answer.days) * 86_400;
    let name = name(answer);
    let mut known: Vec<(&str, i64)> = before.lines().filter_map(read).filter(|(_, when)| *when > since).collect();
    if known.iter().any(|(known, _)| *known == name) {
        return Ok(None);
    }
    let excess = (known.len() + 1).saturating_sub(AWAY_SENDERS_MAX);
    known.drain(..excess);
    known.push((&name, now));
    let value: String = known.iter().map(|(name, when)| format!("{name} {when}\n")).collect();
    if others + value.len() > METADATA_ACCOUNT_BYTES_MAX {
        // The member's own annotations leave no room to remember, and to answer each message would be worse than to answer none.
        return Ok(None);
    }
    let planned = deliver::plan(txn, &answer.staged, &[], std::slice::from_ref(&answer.item))?;
    txn.emit(&Event::MetadataSet {
        account: answer.account,
        mailbox: MailboxId(0),
        name: ENTRY.to_owned(),
        value: Some(value.into_bytes()),
    })?;
    Ok(planned.queue_ids.first().copied())
}
