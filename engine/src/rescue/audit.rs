//! Holds one account against its own entries: totals, uids, modseqs, and whether each message is there. And its digest: equal accounts have
//! equal ones. Changes nothing.
use super::finding::Kind;
use super::places::Places;
use crate::base::{Flags, MailboxId, Result, Uid};
use crate::index::{Account, Entry, Mailbox};
use std::hash::{DefaultHasher, Hash, Hasher};

/// Something wrong with an account.
pub(super) struct Wrong {
    pub(super) kind: Kind,
    pub(super) mailbox: Option<MailboxId>,
    pub(super) entry: Option<Entry>,
    pub(super) what: String,
}

/// What an account adds up to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) entries: u64,
    pub(super) bytes: u64,
}

/// Adds up an account's entries and tells everything that does not fit, entry by entry for messages that `lost` names.
pub(super) fn audit(account: &Account, lost: &Places, wrong: &mut dyn FnMut(Wrong)) -> Result<Sums> {
    let mut sums = Sums::default();
    let (mut id, mut uid_validity) = (0, 0);
    for mailbox in &account.mailboxes {
        if mailbox.id.0 <= id || mailbox.id >= account.mailbox_next || mailbox.uid_validity == uid_validity {
            let what = format!("mailbox {} has a number or UIDVALIDITY out of order", mailbox.name);
            wrong(Wrong { kind: Kind::Uid, mailbox: Some(mailbox.id), entry: None, what });
        }
        (id, uid_validity) = (mailbox.id.0, mailbox.uid_validity);
        let found = audit_mailbox(mailbox, lost, wrong)?;
        sums.entries += found.entries;
        sums.bytes += found.bytes;
    }
    let pairs = [
        (Kind::Quota, "bytes are charged", account.used_bytes, sums.bytes),
        (Kind::Count, "messages are counted", account.messages, sums.entries),
    ];
    for (kind, words, says, is) in pairs.into_iter().filter(|(_, _, says, is)| says != is) {
        let what = format!("{says} {words} and the entries add up to {is}");
        wrong(Wrong { kind, mailbox: None, entry: None, what });
    }
    Ok(sums)
}

fn audit_mailbox(mailbox: &Mailbox, lost: &Places, wrong: &mut dyn FnMut(Wrong)) -> Result<Sums> {
    let mut sums = Sums::default();
    let (mut unseen, mut deleted, mut before) = (0u64, 0u64, Uid(0));
    let mut tell = |kind, entry: Option<Entry>, what: String| {
        wrong(Wrong { kind, mailbox: Some(mailbox.id), entry, what });
    };
    for entry in mailbox.entries.range(0..mailbox.entries.len()) {
        let entry = entry?;
        sums.entries += 1;
        sums.bytes += u64::from(entry.size_bytes);
        unseen += u64::from(!entry.flags.contains(Flags::SEEN));
        deleted += u64::from(entry.flags.contains(Flags::DELETED));
        if entry.uid <= before || entry.uid >= mailbox.uid_next {
            let what = format!("uid {} after uid {before}, where UIDNEXT is {}", entry.uid, mailbox.uid_next);
            tell(Kind::Uid, Some(entry), what);
        }
        if entry.modseq > mailbox.highest_modseq {
            let what = format!("modseq {} above the highest, which is {}", entry.modseq, mailbox.highest_modseq);
            tell(Kind::Uid, Some(entry), what);
        }
        if mailbox.keywords.len() < 64 && entry.keywords.0 >> mailbox.keywords.len() != 0 {
            tell(Kind::Count, Some(entry), "a keyword that the mailbox's table does not have".into());
        }
        if let Some(why) = lost.why(entry.locator) {
            tell(Kind::Reference, Some(entry), format!("its message, at {}, cannot be read: {why}", entry.locator));
        }
        before = entry.uid;
    }
    let counts = [
        ("unseen", u64::from(mailbox.unseen), unseen),
        ("deleted", u64::from(mailbox.deleted), deleted),
        ("bytes", mailbox.size_bytes, sums.bytes),
    ];
    for (words, says, is) in counts.into_iter().filter(|(_, says, is)| says != is) {
        tell(Kind::Count, None, format!("{words}: {says} by the counter, {is} by the entries"));
    }
    readers(mailbox, &mut tell)?;
    chunks(mailbox, &mut tell)?;
    Ok(sums)
}

/// What a reader has seen is there: by that its unseen messages are counted.
fn readers(mailbox: &Mailbox, tell: &mut dyn FnMut(Kind, Option<Entry>, String)) -> Result<()> {
    for (reader, seen) in mailbox.readers.iter() {
        let there = mailbox.entries.in_uids(seen).try_fold(0u64, |sum, entry| entry.map(|_| sum + 1))?;
        if there != seen.len() {
            tell(
                Kind::Count,
                None,
                format!("account {reader} has seen {} entries, of which {there} are there", seen.len()),
            );
        }
    }
    Ok(())
}

/// What each chunk says of itself: by that sessions learn what changed.
fn chunks(mailbox: &Mailbox, tell: &mut dyn FnMut(Kind, Option<Entry>, String)) -> Result<()> {
    for chunk in mailbox.entries.chunks() {
        let entries = chunk.to_vec()?;
        let last = entries.last().map(|entry| entry.uid);
        let modseq = entries.iter().map(|entry| entry.modseq).max();
        let first_fits = entries.first().is_none_or(|first| first.uid >= chunk.base);
        if last != Some(chunk.last) || modseq > Some(chunk.modseq_max) || !first_fits {
            tell(Kind::Count, None, format!("the chunk from uid {} says other bounds than it has", chunk.base));
        }
    }
    Ok(())
}

/// The first thing in which two accounts differ, for people.
pub(super) fn difference(one: &Account, other: &Account) -> Result<String> {
    if let Some((a, b)) = one.mailboxes.iter().zip(&other.mailboxes).find(|(a, b)| a.id != b.id || a.name != b.name) {
        return Ok(format!("mailbox {:?} : {:?}", a.name, b.name));
    }
    for (a, b) in one.mailboxes.iter().zip(&other.mailboxes) {
        let counters = |mailbox: &Mailbox| {
            let sums = (mailbox.entries.len(), mailbox.size_bytes, mailbox.unseen, mailbox.deleted);
            let gone = (mailbox.expunged.ranges().len(), mailbox.keywords.len(), mailbox.metadata.len());
            let seen: Vec<(u64, u64)> = mailbox.readers.iter().map(|(reader, seen)| (reader.0, seen.len())).collect();
            let next = (mailbox.uid_validity, mailbox.uid_next.0, mailbox.highest_modseq.0, mailbox.recent_from.0);
            format!(
                "(uidvalidity, uidnext, modseq, recent) {next:?}, (messages, bytes, unseen, deleted) {sums:?}, (expunged, keywords, annotations) {gone:?}, seen by readers {seen:?}"
            )
        };
        let (left, right) = (counters(a), counters(b));
        if left != right {
            return Ok(format!("mailbox {:?} has {left} : {right}", a.name));
        }
        for (left, right) in a.entries.range(0..a.entries.len()).zip(b.entries.range(0..b.entries.len())) {
            let (left, right) = (left?, right?);
            if left != right {
                return Ok(format!("mailbox {:?}, uid {} : {left:?} {right:?}", a.name, left.uid));
            }
        }
    }
    Ok(format!(
        "{} mailboxes, {} bytes : {} mailboxes, {} bytes",
        one.mailboxes.len(),
        one.used_bytes,
        other.mailboxes.len(),
        other.used_bytes
    ))
}

/// Equal for equal accounts; for others only by a chance of one in 2^64.
pub(super) fn digest(account: &Account) -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    let sums = (account.used_bytes, account.messages, account.mailbox_next, account.uid_validity_next);
    (account.id, sums, &*account.subscriptions).hash(&mut hasher);
    account.metadata.iter().for_each(|entry| entry.hash(&mut hasher));
    let mut bytes = Vec::with_capacity(Entry::BYTES);
    for mailbox in &account.mailboxes {
        let counters = (mailbox.uid_validity, mailbox.uid_next, mailbox.highest_modseq, mailbox.recent_from);
        let sums = (mailbox.unseen, mailbox.deleted, mailbox.size_bytes, mailbox.entries.len());
        (mailbox.id, &*mailbox.name, counters, sums, mailbox.special_use, &*mailbox.keywords).hash(&mut hasher);
        mailbox.metadata.iter().for_each(|entry| entry.hash(&mut hasher));
        mailbox.readers.iter().for_each(|(reader, seen)| (reader, seen.ranges()).hash(&mut hasher));
        mailbox.expunged.ranges().iter().for_each(|gone| (gone.first, gone.last, gone.modseq).hash(&mut hasher));
        for entry in mailbox.entries.range(0..mailbox.entries.len()) {
            bytes.clear();
            entry?.encode(&mut bytes);
            bytes.hash(&mut hasher);
        }
    }
    Ok(hasher.finish())
}
