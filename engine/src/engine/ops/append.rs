//! APPEND: all messages or none (RFC 3501 section 6.3.11, RFC 3502); and REPLACE (RFC 8508).
use super::{check_keywords, keyword_bits, next_modseq, save_date};
use crate::base::{AccountId, Error, MailboxId, Result, Uid, UidSet};
use crate::engine::txn::Txn;
use crate::engine::{Append, Appended};
use crate::format::{DeliveredTo, Event};
use crate::quota;

pub(in crate::engine) fn plan(
    txn: &mut Txn<'_>,
    account: AccountId,
    mailbox: MailboxId,
    messages: &[Append],
    quota_bytes_max: Option<u64>,
) -> Result<Appended> {
    let used_bytes = txn.opened(account)?.used_bytes;
    let size_bytes = messages.iter().map(|message| u64::from(message.staged.size_bytes)).sum();
    quota::charge(used_bytes, size_bytes, quota_bytes_max)?;
    let view = txn.mailbox(account, mailbox)?;
    let uid_validity = view.uid_validity;
    let mut names: Vec<String> = messages.iter().flat_map(|message| message.keywords.iter().cloned()).collect();
    names.sort_unstable_by_key(|name| name.to_ascii_lowercase());
    names.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    check_keywords(view, &names)?;
    if view.uid_next.0.checked_add(messages.len() as u32).is_none_or(|end| end == u32::MAX) {
        return Err(Error::Limit(format!("the uids of mailbox {} are used up", view.name)));
    }
    let uids = all(txn, account, mailbox, messages).inspect_err(|why| txn.spoil(why))?;
    Ok(Appended { uid_validity, uids })
}

/// Puts the messages in; an error leaves those before it to be forgotten.
fn all(txn: &mut Txn<'_>, account: AccountId, mailbox: MailboxId, messages: &[Append]) -> Result<UidSet> {
    let mut uids = UidSet::new();
    for message in messages {
        let staged = &message.staged;
        let locator = txn.put_message(staged)?;
        let keywords = keyword_bits(txn, account, mailbox, &message.keywords)?;
        let view = txn.mailbox(account, mailbox)?;
        let (uid, modseq) = (view.uid_next, next_modseq(view));
        let copy = DeliveredTo { account, mailbox, uid, modseq, flags: message.flags, keywords };
        let event = Event::Delivered {
            guid: staged.guid,
            locator,
            size_bytes: staged.size_bytes,
            internal_date: message.internal_date.unwrap_or(staged.received),
            save_date: save_date(txn.now),
            to: vec![copy],
        };
        txn.emit(&event)?;
        uids.push(uid);
    }
    Ok(uids)
}

/// The message comes and the old entry goes in one transaction. The quota is asked for the difference.
pub(in crate::engine) fn replace(
    txn: &mut Txn<'_>,
    account: AccountId,
    (from, uid): (MailboxId, Uid),
    (to, message): (MailboxId, &Append),
    quota_bytes_max: Option<u64>,
) -> Result<Appended> {
    let source = txn.mailbox(account, from)?;
    let Some(at) = source.entries.position(uid)? else {
        return Err(Error::NotFound(format!("message {uid}")));
    };
    let freed = u64::from(source.entries.get(at)?.size_bytes);
    let quota_bytes_max = quota_bytes_max.map(|max| max.saturating_add(freed));
    let appended = plan(txn, account, to, std::slice::from_ref(message), quota_bytes_max)?;
    let modseq = next_modseq(txn.mailbox(account, from)?);
    txn.emit(&Event::Expunged { account, mailbox: from, modseq, uids: UidSet::range(uid, uid) })?;
    Ok(appended)
}
