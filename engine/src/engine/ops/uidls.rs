//! POP3's unique-ids of messages that were brought from another server. Nothing is lost without them but a client's time.
use crate::base::limits::{POP3_UIDL_VALUE_BYTES, POP3_UIDLS_BYTES_MAX};
use crate::base::{AccountId, Error, MailboxId, Result, Uid};
use crate::engine::txn::Txn;
use crate::format::Event;
use crate::index::{Mailbox, Uidls, is_unique_id};
use std::collections::HashSet;

/// Notes the ids of messages that are there and have none; answers how many. An id that another message has, or might get here, is left out:
/// it would not be unique.
pub(in crate::engine) fn note(
    txn: &mut Txn<'_>,
    account: AccountId,
    mailbox: MailboxId,
    ids: &[(Uid, String)],
) -> Result<u64> {
    txn.opened(account)?;
    let view = txn.mailbox(account, mailbox)?;
    let there = view.pop3_uidls();
    let mut taken: HashSet<&str> = there.iter().map(|(_, id)| id).collect();
    let own = format!("{:08x}", view.uid_validity);
    let mut lines = Vec::new();
    for (uid, id) in ids {
        let is_new = is_unique_id(id) && !id.starts_with(&own) && there.get(*uid).is_none();
        if is_new && view.entries.position(*uid)?.is_some() && taken.insert(id) {
            lines.push(format!("{} {id}\n", uid.0));
        }
    }
    let noted = lines.len() as u64;
    let values = filled(view, &lines)?;
    for (name, value) in values {
        txn.emit(&Event::MetadataSet { account, mailbox, name, value: Some(value) })?;
    }
    Ok(noted)
}

/// The annotations that the lines go to: first into the room of the last one.
fn filled(view: &Mailbox, lines: &[String]) -> Result<Vec<(String, Vec<u8>)>> {
    if lines.is_empty() {
        return Ok(Vec::new());
    }
    let added: usize = lines.iter().map(String::len).sum();
    if view.metadata.reserved_bytes() + added > POP3_UIDLS_BYTES_MAX {
        return Err(Error::Limit(format!(
            "a mailbox has at most {POP3_UIDLS_BYTES_MAX} bytes of other servers' POP3 ids"
        )));
    }
    let (mut number, mut value) =
        Uidls::last(&view.metadata).map_or((1, Vec::new()), |(at, value)| (at, value.to_vec()));
    let mut out = Vec::new();
    for line in lines {
        if value.len() + line.len() > POP3_UIDL_VALUE_BYTES {
            out.push((Uidls::name(number), std::mem::take(&mut value)));
            number += 1;
        }
        value.extend_from_slice(line.as_bytes());
    }
    out.push((Uidls::name(number), value));
    Ok(out)
}
