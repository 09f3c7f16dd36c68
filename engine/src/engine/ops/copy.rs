//! COPY and MOVE: new entries for the same frames; no message byte moves (RFC 3501 section 6.4.7, RFC 6851).
use super::{check_keywords, keyword_bits, next_modseq, save_date};
use crate::base::limits::COPY_ENTRIES_MAX;
use crate::base::{AccountId, Error, Keywords, MailboxId, ModSeq, Result, Uid, UidSet};
use crate::engine::Copied;
use crate::engine::txn::Txn;
use crate::format::{DeliveredTo, Event};
use crate::index::Entry;
use crate::quota;

pub(in crate::engine) struct Request {
    pub(in crate::engine) account: AccountId,
    pub(in crate::engine) from: MailboxId,
    pub(in crate::engine) uids: UidSet,
    pub(in crate::engine) to: MailboxId,
    pub(in crate::engine) quota_bytes_max: Option<u64>,
    /// MOVE: the source entries go in the same transaction.
    pub(in crate::engine) moves: bool,
}

pub(in crate::engine) fn plan(txn: &mut Txn<'_>, request: &Request) -> Result<Copied> {
    let account = request.account;
    let source = txn.mailbox(account, request.from)?.clone();
    let target = txn.mailbox(account, request.to)?.clone();
    let found = source.entries.in_uids(&request.uids).map(|found| found.map(|(_, entry)| entry));
    let entries: Vec<Entry> = found.take(COPY_ENTRIES_MAX + 1).collect::<Result<_>>()?;
    if entries.len() > COPY_ENTRIES_MAX {
        return Err(Error::Limit(format!("COPY_ENTRIES_MAX: at most {COPY_ENTRIES_MAX} messages at once expected")));
    }
    if !request.moves {
        let size_bytes = entries.iter().map(|entry| u64::from(entry.size_bytes)).sum();
        quota::charge(txn.account(account)?.used_bytes, size_bytes, request.quota_bytes_max)?;
    }
    if target.uid_next.0.checked_add(entries.len() as u32).is_none_or(|end| end == u32::MAX) {
        return Err(Error::Limit(format!("the uids of mailbox {} are used up", target.name)));
    }
    let used = entries.iter().fold(0, |bits, entry| bits | entry.keywords.0);
    let named = |bits: u64| {
        let bit = move |at: usize| bits >> at & 1 == 1;
        source.keywords.iter().enumerate().filter(move |(at, _)| bit(*at)).map(|(_, name)| name.clone())
    };
    let names: Vec<String> = named(used).collect();
    check_keywords(&target, &names)?;
    let bits = keyword_bits(txn, account, request.to, &names)?;
    debug_assert_eq!(bits.0.count_ones() as usize, names.len());
    let translate = translation(txn, request, &source.keywords)?;
    let mut copied = Copied { uid_validity: target.uid_validity, from: UidSet::new(), to: UidSet::new() };
    let (mut uid, mut modseq) = (target.uid_next, next_modseq(&target));
    for entry in &entries {
        let keywords = translate(entry.keywords);
        let copy = DeliveredTo { account, mailbox: request.to, uid, modseq, flags: entry.flags, keywords };
        txn.emit(&delivered(entry, copy, txn.now))?;
        copied.from.push(entry.uid);
        copied.to.push(uid);
        (uid, modseq) = (Uid(uid.0 + 1), ModSeq(modseq.0 + 1));
    }
    if request.moves && !copied.from.is_empty() {
        let modseq = next_modseq(txn.mailbox(account, request.from)?);
        let uids = copied.from.clone();
        txn.emit(&Event::Expunged { account, mailbox: request.from, modseq, uids })?;
    }
    Ok(copied)
}

/// From the source's keyword bits to the target's.
fn translation(txn: &mut Txn<'_>, request: &Request, from: &[String]) -> Result<impl Fn(Keywords) -> Keywords + use<>> {
    let target = txn.mailbox(request.account, request.to)?;
    let bits: Vec<u64> = from.iter().map(|name| target.keyword_bit(name).unwrap_or(0)).collect();
    Ok(move |old: Keywords| {
        let set = bits.iter().enumerate().filter(|(at, _)| old.0 >> at & 1 == 1);
        Keywords(set.fold(0, |new, (_, bit)| new | bit))
    })
}

fn delivered(entry: &Entry, copy: DeliveredTo, now: i64) -> Event {
    Event::Delivered {
        guid: entry.guid,
        locator: entry.locator,
        size_bytes: entry.size_bytes,
        internal_date: entry.internal_date,
        save_date: save_date(now),
        to: vec![copy],
    }
}
