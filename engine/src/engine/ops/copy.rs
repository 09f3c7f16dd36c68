//! COPY and MOVE: new entries for the same frames; no message byte moves (RFC 3501 section 6.4.7, RFC 6851). Within one shard, whose accounts
//! share its frames.
use super::{check_keywords, check_reader, keyword_bits, next_modseq, note_seen, save_date};
use crate::base::limits::COPY_ENTRIES_MAX;
use crate::base::{AccountId, Bound, Error, Flags, Keywords, Load, ModSeq, Result, Uid, UidSet};
use crate::engine::txn::Txn;
use crate::engine::{At, Copied};
use crate::format::{DeliveredTo, Event};
use crate::index::{Entry, Mailbox};
use crate::quota;
use std::sync::Arc;

pub(in crate::engine) struct Request {
    pub(in crate::engine) from: At,
    pub(in crate::engine) uids: UidSet,
    pub(in crate::engine) to: At,
    pub(in crate::engine) bound: Option<Bound>,
    /// MOVE: the source entries go in the same transaction.
    pub(in crate::engine) moves: bool,
}

pub(in crate::engine) fn plan(txn: &mut Txn<'_>, request: &Request) -> Result<Copied> {
    let (from, to) = (request.from, request.to);
    let source = txn.mailbox(from.account, from.mailbox)?.clone();
    txn.opened(to.account)?;
    let target = txn.mailbox(to.account, to.mailbox)?.clone();
    let entries = chosen(&source, &request.uids)?;
    if request.moves {
        let uids = entries.iter().map(|entry| entry.uid).collect();
        txn.promises.check((from.account, from.mailbox), &uids)?;
    }
    if !request.moves || from.account != to.account {
        let bytes = entries.iter().map(|entry| u64::from(entry.size_bytes)).sum();
        let more = Load { bytes, messages: entries.len() as u64 };
        quota::admit(txn.account(to.account)?.load(), more, request.bound)?;
    }
    if target.uid_next.0.checked_add(entries.len() as u32).is_none_or(|end| end == u32::MAX) {
        return Err(Error::Limit(format!("the uids of mailbox {} are used up", target.name)));
    }
    let labels = to.guest.is_none_or(|guest| guest.keywords);
    let used = entries.iter().filter(|_| labels).fold(0, |bits, entry| bits | entry.keywords.0);
    let named = |bits: u64| {
        let bit = move |at: usize| bits >> at & 1 == 1;
        source.keywords.iter().enumerate().filter(move |(at, _)| bit(*at)).map(|(_, name)| name.clone())
    };
    let names: Vec<String> = named(used).collect();
    check_keywords(&target, &names)?;
    check_reader(&target, to.reader())?;
    let bits = keyword_bits(txn, to.account, to.mailbox, &names)?;
    debug_assert_eq!(bits.0.count_ones() as usize, names.len());
    let translate = translation(txn, to, &source.keywords, labels)?;
    let mut copied = Copied { uid_validity: target.uid_validity, from: UidSet::new(), to: UidSet::new() };
    let (mut uid, mut modseq) = (target.uid_next, next_modseq(txn.mailbox(to.account, to.mailbox)?));
    for entry in &entries {
        let (keywords, flags) = (translate(entry.keywords), flags_of(request, &source, *entry));
        let copy = DeliveredTo { account: to.account, mailbox: to.mailbox, uid, modseq, flags, keywords };
        txn.emit(&delivered(entry, copy, txn.now))?;
        copied.from.push(entry.uid);
        copied.to.push(uid);
        (uid, modseq) = (Uid(uid.0 + 1), ModSeq(modseq.0 + 1));
    }
    carry_seen(txn, request, &source, &entries, target.uid_next)?;
    if request.moves && !copied.from.is_empty() {
        let (account, mailbox, uids) = (from.account, from.mailbox, copied.from.clone());
        let modseq = next_modseq(txn.mailbox(account, mailbox)?);
        txn.emit(&Event::Expunged { account, mailbox, modseq, uids })?;
    }
    Ok(copied)
}

fn chosen(source: &Mailbox, uids: &UidSet) -> Result<Vec<Entry>> {
    let found = source.entries.in_uids(uids).map(|found| found.map(|(_, entry)| entry));
    let entries: Vec<Entry> = found.take(COPY_ENTRIES_MAX + 1).collect::<Result<_>>()?;
    if entries.len() > COPY_ENTRIES_MAX {
        return Err(Error::Limit(format!("COPY_ENTRIES_MAX: at most {COPY_ENTRIES_MAX} messages at once expected")));
    }
    Ok(entries)
}

/// The flags of the new entry. Within an account its \Seen is its owner's, whoever copies; from elsewhere it is that of who copies, and stays
/// with it when the target is another's.
fn flags_of(request: &Request, source: &Mailbox, entry: Entry) -> Flags {
    let owners = Flags(entry.flags.0 & Flags::SEEN.0);
    let mine = Flags(source.seen_by(entry, request.from.reader()).flags.0 & Flags::SEEN.0);
    let seen = match request.to.guest {
        _ if request.from.account == request.to.account => owners,
        None => mine,
        Some(_) => Flags::NONE,
    };
    let may = request.to.guest.map_or(entry.flags, |guest| Flags(entry.flags.0 & guest.flags.0));
    may.without(Flags::SEEN).union(seen)
}

/// What readers have seen of the entries, they have seen of the copies: all readers within an account, who copies from elsewhere.
fn carry_seen(txn: &mut Txn<'_>, request: &Request, source: &Mailbox, entries: &[Entry], first: Uid) -> Result<()> {
    let to = (request.to.account, request.to.mailbox);
    let copies = || (first.0..).map(Uid).zip(entries);
    let seen_by = |reader: AccountId| -> UidSet {
        copies().filter(|(_, entry)| source.readers.has_seen(reader, entry.uid)).map(|(copy, _)| copy).collect()
    };
    if request.from.account == request.to.account {
        let readers: Vec<AccountId> = source.readers.iter().map(|(reader, _)| reader).collect();
        for reader in readers {
            let room = check_reader(txn.mailbox(to.0, to.1)?, Some(reader)).is_ok();
            if room {
                note_seen(txn, to, reader, true, &seen_by(reader))?;
            }
        }
        return Ok(());
    }
    let Some(guest) = request.to.guest.filter(|guest| guest.flags.contains(Flags::SEEN)) else {
        return Ok(());
    };
    let seen = match request.from.reader() {
        Some(reader) => seen_by(reader),
        None => copies().filter(|(_, entry)| entry.flags.contains(Flags::SEEN)).map(|(copy, _)| copy).collect(),
    };
    note_seen(txn, to, guest.reader, true, &seen)
}

/// From the source's keyword bits to the target's.
fn translation(
    txn: &mut Txn<'_>,
    to: At,
    from: &Arc<Vec<String>>,
    labels: bool,
) -> Result<impl Fn(Keywords) -> Keywords + use<>> {
    let target = txn.mailbox(to.account, to.mailbox)?;
    let known = |name: &String| if labels { target.keyword_bit(name).unwrap_or(0) } else { 0 };
    let bits: Vec<u64> = from.iter().map(known).collect();
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
