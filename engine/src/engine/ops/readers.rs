//! Room for one more reader of a shared mailbox: what those have seen goes who may do nothing there any more. Knows no rights: it is told who.
use super::note_seen;
use crate::base::{AccountId, MailboxId, Result};
use crate::engine::txn::Txn;

pub(in crate::engine) fn forget(
    txn: &mut Txn<'_>,
    (account, mailbox): (AccountId, MailboxId),
    readers: &[AccountId],
) -> Result<()> {
    for reader in readers {
        let seen = txn.mailbox(account, mailbox)?.readers.seen(*reader).cloned();
        if let Some(seen) = seen {
            note_seen(txn, (account, mailbox), *reader, false, &seen)?;
        }
    }
    Ok(())
}
