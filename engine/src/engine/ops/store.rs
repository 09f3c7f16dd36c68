//! STORE: one event for any number of entries (RFC 3501 section 6.4.6, RFC 7162 section 3.1.3).
use super::{check_keywords, keyword_bits, next_modseq};
use crate::base::{AccountId, MailboxId, Result, UidSet};
use crate::engine::txn::Txn;
use crate::engine::{Store, Stored};
use crate::format::Event;

pub(in crate::engine) fn plan(
    txn: &mut Txn<'_>,
    account: AccountId,
    mailbox: MailboxId,
    store: &Store,
) -> Result<Stored> {
    let view = txn.mailbox(account, mailbox)?.clone();
    check_keywords(&view, &store.keywords)?;
    let (mut uids, mut modified) = (UidSet::new(), UidSet::new());
    for found in view.entries.in_uids(&store.uids) {
        let (_, entry) = found?;
        match store.unchanged_since {
            Some(bound) if entry.modseq > bound => modified.push(entry.uid),
            _ => uids.push(entry.uid),
        }
    }
    if !uids.is_empty() {
        let keywords = keyword_bits(txn, account, mailbox, &store.keywords)?;
        let (mode, flags, modseq) = (store.mode, store.flags, next_modseq(&view));
        let named = (flags, keywords);
        let mut changes = false;
        for found in view.entries.in_uids(&uids) {
            let (_, entry) = found?;
            let old = (entry.flags, entry.keywords);
            changes = mode.apply(old, named) != old;
            if changes {
                break;
            }
        }
        if changes {
            txn.emit(&Event::FlagsChanged { account, mailbox, modseq, mode, flags, keywords, uids })?;
        }
    }
    Ok(Stored { modified, modseq: txn.mailbox(account, mailbox)?.highest_modseq })
}
