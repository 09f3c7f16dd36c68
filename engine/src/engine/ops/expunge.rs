//! EXPUNGE, UID EXPUNGE and POP3's removal; and the claim of \Recent.
use super::next_modseq;
use crate::base::{AccountId, Flags, MailboxId, Result, Uid, UidSet};
use crate::engine::txn::Txn;
use crate::format::Event;

/// Removes the entries of `uids` (all if `None`) that have `flags`; answers which.
pub(in crate::engine) fn plan(
    txn: &mut Txn<'_>,
    account: AccountId,
    mailbox: MailboxId,
    uids: Option<&UidSet>,
    flags: Flags,
) -> Result<UidSet> {
    let view = txn.mailbox(account, mailbox)?;
    if flags.contains(Flags::DELETED) && view.deleted == 0 {
        return Ok(UidSet::new());
    }
    let everything = UidSet::range(Uid(1), Uid(u32::MAX));
    let mut gone = UidSet::new();
    for found in view.entries.in_uids(uids.unwrap_or(&everything)) {
        let (_, entry) = found?;
        if entry.flags.contains(flags) {
            gone.push(entry.uid);
        }
    }
    if !gone.is_empty() {
        let modseq = next_modseq(view);
        txn.emit(&Event::Expunged { account, mailbox, modseq, uids: gone.clone() })?;
    }
    Ok(gone)
}

/// Where \Recent began before this claim; from now on it begins at UIDNEXT.
pub(in crate::engine) fn claim_recent(txn: &mut Txn<'_>, account: AccountId, mailbox: MailboxId) -> Result<Uid> {
    let view = txn.mailbox(account, mailbox)?;
    let (from, uid) = (view.recent_from, view.uid_next);
    if from != uid {
        txn.emit(&Event::RecentClaimed { account, mailbox, uid })?;
    }
    Ok(from)
}
