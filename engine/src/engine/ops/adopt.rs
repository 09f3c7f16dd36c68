//! Entries of one account for another of the same shard: no message byte moves, and the message stays stored once.
use super::{check_keywords, keyword_bits, next_modseq, save_date};
use crate::base::limits::KEYWORDS_MAX;
use crate::base::{AccountId, Bound, Error, Load, MailboxId, Result, UidSet};
use crate::engine::txn::Txn;
use crate::format::{DeliveredTo, Event};
use crate::index::Entry;
use crate::quota;

/// Whose entries go where.
pub(in crate::engine) struct Request {
    pub(in crate::engine) from: (AccountId, MailboxId),
    pub(in crate::engine) uids: UidSet,
    pub(in crate::engine) to: (AccountId, MailboxId),
    pub(in crate::engine) bound: Option<Bound>,
}

/// How many entries there are more; all or none (`OverQuota`).
pub(in crate::engine) fn plan(txn: &mut Txn<'_>, request: &Request) -> Result<u64> {
    let (account, mailbox) = request.to;
    let source = txn.mailbox(request.from.0, request.from.1)?.clone();
    let entries: Vec<Entry> =
        source.entries.in_uids(&request.uids).map(|found| found.map(|(_, entry)| entry)).collect::<Result<_>>()?;
    let bytes = entries.iter().map(|entry| u64::from(entry.size_bytes)).sum();
    let more = Load { bytes, messages: entries.len() as u64 };
    quota::admit(txn.account(account)?.load(), more, request.bound)?;
    let target = txn.mailbox(account, mailbox)?.clone();
    if target.uid_next.0.checked_add(entries.len() as u32).is_none_or(|end| end == u32::MAX) {
        return Err(Error::Limit(format!("the uids of mailbox {} are used up", target.name)));
    }
    for entry in &entries {
        let set = source.keywords.iter().enumerate().filter(|(bit, _)| entry.keywords.0 >> bit & 1 == 1);
        let view = txn.mailbox(account, mailbox)?;
        let room = KEYWORDS_MAX.saturating_sub(view.keywords.len());
        let (known, new): (Vec<_>, Vec<_>) =
            set.map(|(_, name)| name.clone()).partition(|name| view.keyword_bit(name).is_some());
        // Labels for which there is no room stay behind; the mail does not.
        let names: Vec<String> = known.into_iter().chain(new.into_iter().take(room)).collect();
        check_keywords(view, &names)?;
        let keywords = keyword_bits(txn, account, mailbox, &names)?;
        let view = txn.mailbox(account, mailbox)?;
        let (uid, modseq) = (view.uid_next, next_modseq(view));
        let copy = DeliveredTo { account, mailbox, uid, modseq, flags: entry.flags, keywords };
        txn.emit(&Event::Delivered {
            guid: entry.guid,
            locator: entry.locator,
            size_bytes: entry.size_bytes,
            internal_date: entry.internal_date,
            save_date: save_date(txn.now),
            to: vec![copy],
        })?;
    }
    Ok(entries.len() as u64)
}
