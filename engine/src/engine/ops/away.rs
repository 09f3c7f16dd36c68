//! An answer for somebody who is away: queued, and its receiver remembered, in one transaction. So no crash makes it come twice.
use super::deliver;
use crate::base::limits::{AWAY_DAYS_MAX, AWAY_SENDERS_MAX, METADATA_ACCOUNT_BYTES_MAX, METADATA_VALUE_BYTES_MAX};
use crate::base::{MailboxId, QueueId, Result};
use crate::engine::Answer;
use crate::engine::txn::Txn;
use crate::format::Event;
use blake2::digest::consts::U8;
use blake2::{Blake2b, Digest};

/// The account's annotation that remembers: a line for each sender, the oldest first, with a hash, the time of the answer and its days.
const ENTRY: &str = "/private/vendor/posthouse/away";
/// Bytes of a line: hash, space, seconds (ten digits until the year 2286), space, days, line end.
const LINE_BYTES: usize = 16 + 1 + 10 + 1 + 3 + 1;
const _: () = assert!(LINE_BYTES * AWAY_SENDERS_MAX <= METADATA_VALUE_BYTES_MAX);

/// Who was answered, and with what: another text is another answer (RFC 5230 section 4.2).
fn name(answer: &Answer) -> String {
    let mut hash = Blake2b::<U8>::new();
    hash.update(answer.to.as_bytes());
    hash.update([0]);
    hash.update(answer.handle.as_bytes());
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An answer that was given.
struct Given<'a> {
    name: &'a str,
    /// Seconds since 1970-01-01 UTC.
    when: i64,
    /// For how long it was meant to be the last one.
    days: u32,
}

impl Given<'_> {
    /// Whether it was given less than so many days ago.
    fn counts(&self, days: u32, now: i64) -> bool {
        self.when > now - i64::from(days) * 86_400
    }
}

/// A line; without its days it is an earlier version's, and may have been meant for any.
fn read(line: &str) -> Option<Given<'_>> {
    let mut words = line.split(' ');
    let (name, when) = (words.next()?, words.next()?.parse().ok()?);
    let days = words.next().map_or(Some(AWAY_DAYS_MAX), |days| days.parse().ok())?;
    Some(Given { name, when, days })
}

/// The number of the queued answer; `None` when that sender was answered not long ago.
pub(in crate::engine) fn plan(txn: &mut Txn<'_>, answer: &Answer) -> Result<Option<QueueId>> {
    let (now, account) = (txn.now, txn.opened(answer.account)?);
    // It is the member's own: what it has written there counts as far as it can be read.
    let before = account.metadata.get(ENTRY).and_then(|value| std::str::from_utf8(value).ok()).unwrap_or("").to_owned();
    let others = account.mailboxes.iter().map(|mailbox| mailbox.metadata.size_bytes()).sum::<usize>()
        + account.metadata.size_bytes();
    let name = name(answer);
    // Each for its own days: another answer of the account may be given less often than this one, and this one more often before.
    let days = |one: &Given<'_>| if one.name == name { one.days.max(answer.days) } else { one.days };
    let counts = |one: &Given<'_>| one.counts(days(one), now);
    let mut known: Vec<Given<'_>> = before.lines().filter_map(read).filter(counts).collect();
    if known.iter().any(|one| one.name == name && one.counts(answer.days, now)) {
        return Ok(None);
    }
    known.retain(|one| one.name != name);
    let excess = (known.len() + 1).saturating_sub(AWAY_SENDERS_MAX);
    known.drain(..excess);
    known.push(Given { name: &name, when: now, days: answer.days });
    let line = |Given { name, when, days }: &Given<'_>| format!("{name} {when} {days}\n");
    let value: String = known.iter().map(line).collect();
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
