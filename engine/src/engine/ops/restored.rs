//! What has to be true of a store that was brought back from a backup: what was given out since is never given out again. Sends and removes
//! nothing.
use crate::base::{AccountId, ModSeq, Result, Uid, UidSet};
use crate::engine::txn::Txn;
use crate::format::{Event, Mending};

/// More uids than a mailbox gives out between a backup and its restore.
const UIDS: u32 = 1_000_000;
/// The same of modseqs.
const MODSEQS: u64 = 1 << 30;

/// Raises the counters of these accounts, and says when: nothing of this carries a time, and a later restore must not take it back unless it
/// goes back before this one.
pub(in crate::engine) fn raise_all(txn: &mut Txn<'_>, accounts: &[AccountId]) -> Result<()> {
    accounts.iter().try_for_each(|id| raise(txn, *id))?;
    let when = txn.now;
    txn.emit(&Event::Mending(Mending::Dated { when }))
}

/// Raises the counters of every mailbox of an account. A client that saw mail which is not in the backup hears that it is gone: what lies
/// between is told like uids that were expunged (RFC 7162 section 3.2.10), and none of it comes to mean another message (RFC 3501 section 2.3.1.1).
fn raise(txn: &mut Txn<'_>, account: AccountId) -> Result<()> {
    let Ok(view) = txn.account(account).cloned() else { return Ok(()) };
    for view in &view.mailboxes {
        let mailbox = view.id;
        let uid_next = Uid(view.uid_next.0.saturating_add(UIDS).min(u32::MAX - 1)).max(view.uid_next);
        let modseq = ModSeq(view.highest_modseq.0.saturating_add(MODSEQS));
        let raised = Mending::UidsRaised { account, mailbox, uid_next, modseq };
        txn.emit_for(&Event::Mending(raised), account, vec![mailbox])?;
        if view.uid_next < uid_next {
            let uids = UidSet::range(view.uid_next, Uid(uid_next.0 - 1));
            txn.emit(&Event::Expunged { account, mailbox, modseq: ModSeq(modseq.0 + 1), uids })?;
        }
    }
    Ok(())
}
