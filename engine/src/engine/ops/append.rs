//! APPEND: all messages or none (RFC 3501 section 6.3.11, RFC 3502); and REPLACE (RFC 8508).
use super::{check_keywords, check_reader, keyword_bits, next_modseq, note_seen, save_date};
use crate::base::{Bound, Error, Flags, Load, MailboxId, Result, Uid, UidSet};
use crate::engine::txn::Txn;
use crate::engine::{Append, Appended, At};
use crate::format::{DeliveredTo, Event};
use crate::quota;

pub(in crate::engine) fn plan(
    txn: &mut Txn<'_>,
    at: At,
    messages: &[Append],
    bound: Option<Bound>,
) -> Result<Appended> {
    let At { account, mailbox, guest } = at;
    let held = txn.opened(account)?.load();
    let bytes = messages.iter().map(|message| u64::from(message.staged.size_bytes)).sum();
    quota::admit(held, Load { bytes, messages: messages.len() as u64 }, bound)?;
    let view = txn.mailbox(account, mailbox)?;
    let uid_validity = view.uid_validity;
    let labelled = messages.iter().filter(|_| guest.is_none_or(|guest| guest.keywords));
    let mut names: Vec<String> = labelled.flat_map(|message| message.keywords.iter().cloned()).collect();
    names.sort_unstable_by_key(|name| name.to_ascii_lowercase());
    names.dedup_by(|a, b| a.eq_ignore_ascii_case(b));
    check_keywords(view, &names)?;
    check_reader(view, at.reader())?;
    if view.uid_next.0.checked_add(messages.len() as u32).is_none_or(|end| end == u32::MAX) {
        return Err(Error::Limit(format!("the uids of mailbox {} are used up", view.name)));
    }
    let uids = all(txn, at, messages).inspect_err(|why| txn.spoil(why))?;
    Ok(Appended { uid_validity, uids })
}

/// Puts the messages in; an error leaves those before it to be forgotten.
fn all(txn: &mut Txn<'_>, At { account, mailbox, guest }: At, messages: &[Append]) -> Result<UidSet> {
    let (mut uids, mut seen) = (UidSet::new(), UidSet::new());
    for message in messages {
        let staged = &message.staged;
        let locator = txn.put_message(staged)?;
        let labels: &[String] = if guest.is_none_or(|guest| guest.keywords) { &message.keywords } else { &[] };
        let keywords = keyword_bits(txn, account, mailbox, labels)?;
        let view = txn.mailbox(account, mailbox)?;
        let (uid, modseq) = (view.uid_next, next_modseq(view));
        let may = guest.map_or(message.flags, |guest| Flags(message.flags.0 & guest.flags.0));
        if guest.is_some() && may.contains(Flags::SEEN) {
            seen.push(uid);
        }
        let flags = if guest.is_some() { may.without(Flags::SEEN) } else { may };
        let copy = DeliveredTo { account, mailbox, uid, modseq, flags, keywords };
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
    if let Some(guest) = guest {
        note_seen(txn, (account, mailbox), guest.reader, true, &seen)?;
    }
    Ok(uids)
}

/// The message comes and the old entry goes in one transaction. The quota is asked for the difference.
pub(in crate::engine) fn replace(
    txn: &mut Txn<'_>,
    (from, uid): (MailboxId, Uid),
    (to, message): (At, &Append),
    bound: Option<Bound>,
) -> Result<Appended> {
    let account = to.account;
    let source = txn.mailbox(account, from)?;
    let Some(at) = source.entries.position(uid)? else {
        return Err(Error::NotFound(format!("message {uid}")));
    };
    let freed = Load { bytes: source.entries.get(at)?.size_bytes.into(), messages: 1 };
    let bound = bound.map(|bound| bound.with_freed(freed));
    let appended = plan(txn, to, std::slice::from_ref(message), bound)?;
    let modseq = next_modseq(txn.mailbox(account, from)?);
    txn.emit(&Event::Expunged { account, mailbox: from, modseq, uids: UidSet::range(uid, uid) })?;
    Ok(appended)
}
