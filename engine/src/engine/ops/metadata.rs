//! SETMETADATA (RFC 5464 section 4.3): all entries or none.
use crate::base::limits::{METADATA_ACCOUNT_BYTES_MAX, METADATA_ENTRIES_MAX, METADATA_VALUE_BYTES_MAX};
use crate::base::{AccountId, Error, MailboxId, Result};
use crate::engine::txn::Txn;
use crate::format::Event;

/// Sets entries of a mailbox, or of the account; `None` takes one away.
pub(in crate::engine) fn set(
    txn: &mut Txn<'_>,
    account: AccountId,
    mailbox: Option<MailboxId>,
    entries: &[(String, Option<Vec<u8>>)],
) -> Result<()> {
    let view = txn.opened(account)?;
    let mut after = match mailbox {
        Some(id) => view.mailbox(id).ok_or_else(|| Error::NotFound("the mailbox".into()))?.metadata.of_clients(),
        None => view.metadata.of_clients(),
    };
    let mailboxes = view.mailboxes.iter().map(|mailbox| mailbox.metadata.of_clients().size_bytes()).sum::<usize>();
    let others = view.metadata.of_clients().size_bytes() + mailboxes - after.size_bytes();
    for (name, value) in entries {
        if name.len() > METADATA_VALUE_BYTES_MAX
            || value.as_ref().is_some_and(|value| value.len() > METADATA_VALUE_BYTES_MAX)
        {
            return Err(Error::Limit(format!("an annotation has at most {METADATA_VALUE_BYTES_MAX} bytes")));
        }
        after.set(name, value.as_deref());
    }
    if after.len() > METADATA_ENTRIES_MAX {
        return Err(Error::Limit(format!("a mailbox has at most {METADATA_ENTRIES_MAX} annotations")));
    }
    if others + after.size_bytes() > METADATA_ACCOUNT_BYTES_MAX {
        return Err(Error::Limit(format!("an account's annotations have at most {METADATA_ACCOUNT_BYTES_MAX} bytes")));
    }
    for (name, value) in entries {
        // 0 is no mailbox's number: the account itself.
        let mailbox = mailbox.unwrap_or(MailboxId(0));
        txn.emit(&Event::MetadataSet { account, mailbox, name: name.clone(), value: value.clone() })?;
    }
    Ok(())
}
