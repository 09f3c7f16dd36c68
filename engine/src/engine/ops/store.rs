//! STORE: one event for any number of entries (RFC 3501 section 6.4.6, RFC 7162 section 3.1.3); for a member in another's mailbox up to three,
//! which change what it may change (RFC 4314 section 4) and its own \Seen.
use super::{check_keywords, check_reader, keyword_bits, next_modseq, note_seen};
use crate::base::{FlagMode, Flags, Keywords, ModSeq, Result, UidSet};
use crate::engine::txn::Txn;
use crate::engine::{At, Guest, Store, Stored};
use crate::format::Event;

pub(in crate::engine) fn plan(txn: &mut Txn<'_>, at: At, store: &Store) -> Result<Stored> {
    let view = txn.mailbox(at.account, at.mailbox)?.clone();
    let names: &[String] = if at.guest.is_none_or(|guest| guest.keywords) { &store.keywords } else { &[] };
    check_keywords(&view, names)?;
    check_reader(&view, at.reader())?;
    let (mut uids, mut modified, mut changed_at) = (UidSet::new(), UidSet::new(), None);
    match store.unchanged_since {
        None => uids = view.entries.among(&store.uids)?,
        Some(bound) => {
            for found in view.entries.in_uids(&store.uids) {
                let (_, entry) = found?;
                if entry.modseq > bound { modified.push(entry.uid) } else { uids.push(entry.uid) }
            }
        }
    }
    if !uids.is_empty() {
        // Removing a keyword makes none.
        let keywords = keyword_bits(txn, at.account, at.mailbox, names)?;
        match at.guest {
            None => changed_at = change(txn, at, store.mode, (store.flags, keywords), &uids)?,
            Some(guest) => change_for(txn, at, guest, store, keywords, &uids)?,
        }
    }
    let modseq = txn.mailbox(at.account, at.mailbox)?.highest_modseq;
    Ok(Stored { modified, modseq, changed_at })
}

/// Writes an event if it changes anything; its modseq.
fn change(
    txn: &mut Txn<'_>,
    at: At,
    mode: FlagMode,
    named: (Flags, Keywords),
    uids: &UidSet,
) -> Result<Option<ModSeq>> {
    let (account, mailbox) = (at.account, at.mailbox);
    let view = txn.mailbox(account, mailbox)?.clone();
    for found in view.entries.in_uids(uids) {
        let (_, entry) = found?;
        let old = (entry.flags, entry.keywords);
        if mode.apply(old, named) != old {
            let (modseq, (flags, keywords), uids) = (next_modseq(&view), named, uids.clone());
            txn.emit(&Event::FlagsChanged { account, mailbox, modseq, mode, flags, keywords, uids })?;
            return Ok(Some(modseq));
        }
    }
    Ok(None)
}

/// Changes what the guest may change and leaves the rest as it is; \Seen is its own.
fn change_for(txn: &mut Txn<'_>, at: At, guest: Guest, store: &Store, keywords: Keywords, uids: &UidSet) -> Result<()> {
    let may = guest.flags.without(Flags::SEEN);
    let named = Flags(store.flags.0 & may.0);
    let replaces = store.mode == FlagMode::Replace;
    let mode = if replaces { FlagMode::Add } else { store.mode };
    change(txn, at, mode, (named, keywords), uids)?;
    if replaces {
        let others = if guest.keywords { Keywords(!keywords.0) } else { Keywords(0) };
        // Only bits that the mailbox's table knows can be set.
        let known = txn.mailbox(at.account, at.mailbox)?.keywords.len();
        let known = 1u64.checked_shl(known as u32).map_or(u64::MAX, |bit| bit - 1);
        let others = Keywords(others.0 & known);
        change(txn, at, FlagMode::Remove, (may.without(named), others), uids)?;
    }
    let has_seen = store.flags.contains(Flags::SEEN);
    if guest.flags.contains(Flags::SEEN) && (has_seen || replaces) {
        let on = has_seen && store.mode != FlagMode::Remove;
        note_seen(txn, (at.account, at.mailbox), guest.reader, on, uids)?;
    }
    Ok(())
}
