//! Bulk append: many messages in one transaction, each taken or refused by itself, so that one that does not fit stops no other.
use super::{check_keywords, keyword_bits, next_modseq, save_date};
use crate::base::limits::{KEYWORD_BYTES_MAX, KEYWORDS_MAX};
use crate::base::{AccountId, Bound, Error, Load, MailboxId, Result};
use crate::engine::txn::Txn;
use crate::engine::{Append, Ingested};
use crate::format::{DeliveredTo, Event};
use crate::index::Mailbox;
use crate::quota;

/// One answer for each message, in their order.
pub(in crate::engine) fn plan(
    txn: &mut Txn<'_>,
    account: AccountId,
    mailbox: MailboxId,
    messages: &[Append],
    bound: Option<Bound>,
) -> Result<Vec<Result<Ingested>>> {
    txn.opened(account)?;
    txn.mailbox(account, mailbox)?;
    let mut answers = Vec::with_capacity(messages.len());
    for message in messages {
        let answer = one(txn, account, mailbox, message, bound);
        match answer {
            // What fails for want of the disk fails for the whole group.
            Err(why) if why.is_transient() => return Err(why),
            answer => answers.push(answer),
        }
    }
    Ok(answers)
}

fn one(
    txn: &mut Txn<'_>,
    account: AccountId,
    mailbox: MailboxId,
    message: &Append,
    bound: Option<Bound>,
) -> Result<Ingested> {
    let staged = &message.staged;
    let more = Load { bytes: staged.size_bytes.into(), messages: 1 };
    quota::admit(txn.account(account)?.load(), more, bound)?;
    let view = txn.mailbox(account, mailbox)?;
    if view.uid_next.0 == u32::MAX {
        return Err(Error::Limit(format!("the uids of mailbox {} are used up", view.name)));
    }
    let names = fitting(view, &message.keywords);
    check_keywords(view, &names)?;
    let locator = txn.put_message(staged)?;
    let keywords = keyword_bits(txn, account, mailbox, &names)?;
    let view = txn.mailbox(account, mailbox)?;
    let (uid, modseq) = (view.uid_next, next_modseq(view));
    let copy = DeliveredTo { account, mailbox, uid, modseq, flags: message.flags, keywords };
    txn.emit(&Event::Delivered {
        guid: staged.guid,
        locator,
        size_bytes: staged.size_bytes,
        internal_date: message.internal_date.unwrap_or(staged.received),
        save_date: save_date(txn.now),
        to: vec![copy],
    })?;
    Ok(Ingested { uid, keywords_left_out: message.keywords.len() - names.len() })
}

/// The keywords for which the mailbox's table has room. A mail is worth more than its 65th label.
fn fitting(view: &Mailbox, names: &[String]) -> Vec<String> {
    let mut room = KEYWORDS_MAX.saturating_sub(view.keywords.len());
    let mut out: Vec<String> = Vec::with_capacity(names.len());
    for name in names.iter().filter(|name| !name.is_empty() && name.len() <= KEYWORD_BYTES_MAX) {
        if out.iter().any(|taken| taken.eq_ignore_ascii_case(name)) {
            continue;
        }
        if view.keyword_bit(name).is_none() {
            if room == 0 {
                continue;
            }
            room -= 1;
        }
        out.push(name.clone());
    }
    out
}
