//! The end of an account's mail: one event, after which no entry of it is left and the frames are for compaction to drop.
use crate::base::{AccountId, Result};
use crate::engine::Purged;
use crate::engine::txn::Txn;
use crate::format::Event;

/// What was in it; nothing when it was never used or is purged already.
pub(in crate::engine) fn plan(txn: &mut Txn<'_>, account: AccountId) -> Result<Purged> {
    let Ok(view) = txn.account(account).cloned() else { return Ok(Purged::default()) };
    let mailboxes = view.mailboxes.iter().map(|mailbox| mailbox.id).collect();
    txn.emit_for(&Event::AccountPurged { account }, account, mailboxes)?;
    Ok(Purged { messages: view.messages, bytes: view.used_bytes })
}
