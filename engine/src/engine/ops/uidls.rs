//! POP3's unique-ids of messages that were brought from another server. Nothing is lost without them but a client's time.
use crate::base::limits::{POP3_UIDL_VALUE_BYTES, POP3_UIDLS_BYTES_MAX};
use crate::base::{AccountId, Error, MailboxId, Result, Uid};
use crate::engine::txn::Txn;
use crate::format::Event;
use crate::index::{Mailbox, Uidls, is_unique_id};
use std::collections::HashSet;

/// Notes the ids of messages that are there and have none; answers how many. An id that another message has, or might get here, is left out:
/// it would not be unique. Those of messages that are gone go with it, so that these can be brought once more.
pub(in crate::engine) fn note(
    txn: &mut Txn<'_>,
    account: AccountId,
    mailbox: MailboxId,
    ids: &[(Uid, String)],
) -> Result<u64> {
    txn.opened(account)?;
    let view = txn.mailbox(account, mailbox)?;
    let there = view.pop3_uidls();
    let mut kept: Vec<(Uid, &str)> = Vec::new();
    for (uid, id) in there.iter() {
        if view.entries.position(uid)?.is_some() {
            kept.push((uid, id));
        }
    }
    let mut taken: HashSet<&str> = kept.iter().map(|(_, id)| *id).collect();
    let own = format!("{:08x}", view.uid_validity);
    let mut lines = Vec::new();
    for (uid, id) in ids {
        let is_new = is_unique_id(id) && !id.starts_with(&own) && there.get(*uid).is_none();
        if is_new && view.entries.position(*uid)?.is_some() && taken.insert(id) {
            lines.push(line(*uid, id));
        }
    }
    let noted = lines.len() as u64;
    let values = match (noted, kept.len() == there.len()) {
        (0, _) => Vec::new(),
        (_, true) => filled(view, &lines)?,
        (_, false) => rewritten(view, kept, lines)?,
    };
    for (number, value) in values {
        txn.emit(&Event::MetadataSet { account, mailbox, name: Uidls::name(number), value })?;
    }
    Ok(noted)
}

fn line(uid: Uid, id: &str) -> String {
    format!("{} {id}\n", uid.0)
}

/// Annotations by their numbers; those without a value go.
type Values = Vec<(u32, Option<Vec<u8>>)>;

/// The annotations that the lines go to: first into the room of the last one.
fn filled(view: &Mailbox, lines: &[String]) -> Result<Values> {
    check_bytes(view.metadata.reserved_bytes() + bytes(lines))?;
    let last = Uidls::last(&view.metadata);
    Ok(packed(last.map_or((1, Vec::new()), |(number, value)| (number, value.to_vec())), lines))
}

/// All annotations anew.
fn rewritten(view: &Mailbox, mut kept: Vec<(Uid, &str)>, new: Vec<String>) -> Result<Values> {
    kept.sort_unstable_by_key(|(uid, _)| *uid);
    let lines: Vec<String> = kept.into_iter().map(|(uid, id)| line(uid, id)).chain(new).collect();
    check_bytes(bytes(&lines))?;
    let mut values = packed((1, Vec::new()), &lines);
    let (first, last) = (values.len() as u32 + 1, Uidls::last(&view.metadata).map_or(0, |(number, _)| number));
    values.extend((first..=last).map(|number| (number, None)));
    Ok(values)
}

/// The lines behind what the annotation of that number holds, and in those that follow it.
fn packed((mut number, mut value): (u32, Vec<u8>), lines: &[String]) -> Values {
    let mut out = Vec::new();
    for line in lines {
        if value.len() + line.len() > POP3_UIDL_VALUE_BYTES {
            out.push((number, Some(std::mem::take(&mut value))));
            number += 1;
        }
        value.extend_from_slice(line.as_bytes());
    }
    out.push((number, Some(value)));
    out
}

fn bytes(lines: &[String]) -> usize {
    lines.iter().map(String::len).sum()
}

fn check_bytes(bytes: usize) -> Result<()> {
    if bytes <= POP3_UIDLS_BYTES_MAX {
        return Ok(());
    }
    Err(Error::Limit(format!("a mailbox has at most {POP3_UIDLS_BYTES_MAX} bytes of other servers' POP3 ids")))
}
