//! One IMAP folder: its name, counters, keyword table and entries. A value: readers hold old ones while the committer makes new ones.
use super::entry::Entry;
use super::expunged::Expunged;
use super::metadata::Metadata;
use super::readers::Readers;
use super::record::{VARINT_BYTES_MAX, metadata_bytes_max, readers_bytes_max};
use super::table::EntryTable;
use super::uidls::Uidls;
use super::vanished::Vanished;
use crate::base::limits::{KEYWORDS_MAX, MAILBOX_DEPTH_MAX, MAILBOX_NAME_BYTES_MAX};
use crate::base::{AccountId, Error, Flags, MailboxId, ModSeq, Result, SpecialUse, Uid, UidSet};
use std::sync::Arc;

/// One IMAP folder.
#[derive(Clone, Debug)]
pub struct Mailbox {
    /// Its number in the account.
    pub id: MailboxId,
    /// Full name in UTF-8, levels separated by `/`. `INBOX` in capitals.
    pub name: Arc<str>,
    /// RFC 3501 section 2.3.1.1.
    pub uid_validity: u32,
    /// The uid of the next entry.
    pub uid_next: Uid,
    /// The counter's value after the last change; starts at 1.
    pub highest_modseq: ModSeq,
    /// RFC 6154.
    pub special_use: Option<SpecialUse>,
    /// The keyword of each bit of `Keywords`, case kept as first stored.
    pub keywords: Arc<Vec<String>>,
    /// The entries, by uid.
    pub entries: EntryTable,
    /// Entries without \Seen.
    pub unseen: u32,
    /// Entries with \Deleted.
    pub deleted: u32,
    /// Sum of the entries' sizes.
    pub size_bytes: u64,
    /// Entries with this uid or a greater one have been shown to no session yet (\Recent).
    pub recent_from: Uid,
    /// Which entries were expunged, and when.
    pub expunged: Expunged,
    /// Its annotations.
    pub metadata: Metadata,
    /// What others than the owner have seen.
    pub readers: Readers,
}

impl Mailbox {
    /// What in a mailbox that was read contradicts itself; looks at no entry.
    pub(super) fn contradiction(&self) -> Option<&'static str> {
        if !self.entries.is_whole(self.uid_next, self.highest_modseq) {
            return Some("chunks in order, below UIDNEXT and not newer than the mailbox expected");
        }
        let len = self.entries.len();
        if self.unseen as usize > len || self.deleted as usize > len || self.recent_from > self.uid_next {
            return Some("counters within what the mailbox holds expected");
        }
        if self.readers.last().is_some_and(|last| last >= self.uid_next) {
            return Some("readers that have seen no uid from UIDNEXT on expected");
        }
        (self.keywords.len() > KEYWORDS_MAX).then_some("at most KEYWORDS_MAX keywords expected")
    }

    /// Bytes that it takes at most in a record, with the chunks that are in none of the parts which `kept` names.
    pub(super) fn checkpoint_bytes_max(&self, kept: &dyn Fn(u32) -> bool) -> u64 {
        let words: usize = self.keywords.iter().map(|keyword| keyword.len() + VARINT_BYTES_MAX).sum();
        let gone = self.expunged.ranges().len() * 3 * VARINT_BYTES_MAX;
        let fixed = self.name.len() + 15 * VARINT_BYTES_MAX + words + gone + metadata_bytes_max(&self.metadata);
        let fixed = fixed + readers_bytes_max(&self.readers);
        fixed as u64 + self.entries.checkpoint_bytes_max(kept)
    }

    /// The unique-ids of POP3 that its messages had on another server. Reads them all.
    pub fn pop3_uidls(&self) -> Uidls {
        Uidls::of(&self.metadata)
    }

    /// Entries without \Seen for that member; `None` is the owner, whose \Seen stands in the entries.
    pub fn unseen_for(&self, reader: Option<AccountId>) -> u64 {
        match reader {
            None => self.unseen.into(),
            Some(reader) => (self.entries.len() as u64).saturating_sub(self.readers.count(reader)),
        }
    }

    /// The position of the first entry without \Seen for that member, if it stands below `end`.
    pub fn first_unseen_for(&self, reader: Option<AccountId>, end: usize) -> Result<Option<usize>> {
        let end = end.min(self.entries.len());
        let Some(reader) = reader else {
            return self.entries.first_unseen(end);
        };
        let mut at = 0;
        let seen = self.readers.seen(reader).map_or(&[][..], |seen| seen.ranges());
        for &(first, last) in seen {
            if at >= end || self.entries.get(at)?.uid.0 < first {
                break;
            }
            // Of each uid that a reader has seen there is an entry, so that a range of them is passed over by its length; in a damaged store
            // some may be gone.
            at += (last - first) as usize + 1;
            if at > self.entries.len() || (at <= end && self.entries.get(at - 1)?.uid.0 != last) {
                at = last.checked_add(1).map_or(Ok(self.entries.len()), |next| self.entries.lower_bound(Uid(next)))?;
            }
        }
        Ok(Some(at).filter(|at| *at < end))
    }

    /// The entry as that member sees it.
    pub fn seen_by(&self, entry: Entry, reader: Option<AccountId>) -> Entry {
        match reader {
            None => entry,
            Some(reader) if self.readers.has_seen(reader, entry.uid) => {
                Entry { flags: entry.flags.union(Flags::SEEN), ..entry }
            }
            Some(_) => Entry { flags: entry.flags.without(Flags::SEEN), ..entry },
        }
    }

    /// The bit of a keyword, compared without case.
    pub fn keyword_bit(&self, keyword: &str) -> Option<u64> {
        self.keywords.iter().position(|known| known.eq_ignore_ascii_case(keyword)).map(|bit| 1 << bit)
    }

    /// The uids of `known` that were expunged after `modseq`, for a client that was away since then (RFC 7162 section 3.2.10). May name
    /// uids that were expunged before, or never given; names none that is there, and leaves none out.
    pub fn vanished_since(&self, modseq: ModSeq, known: &UidSet) -> Result<UidSet> {
        let (mut walk, mut found) = (Vanished::new(self, modseq, known), UidSet::new());
        while walk.next(self, usize::MAX, &mut found)? {}
        Ok(found)
    }
}

/// Checks a mailbox name: length, depth, no empty level, no control characters, no surrounding spaces. `INBOX` in any case is made upper case.
pub fn check_mailbox_name(name: &str) -> Result<String> {
    let invalid = |why: &str| Err(Error::Invalid(format!("mailbox name {name:?}: {why}")));
    if name.is_empty() || name.len() > MAILBOX_NAME_BYTES_MAX {
        return invalid(&format!("1 to {MAILBOX_NAME_BYTES_MAX} bytes are allowed"));
    }
    if name.chars().any(|c| c.is_control()) {
        return invalid("control characters are not allowed");
    }
    if name.split('/').any(str::is_empty) {
        return invalid("an empty level is not allowed");
    }
    if name.split('/').count() > MAILBOX_DEPTH_MAX {
        return invalid(&format!("at most {MAILBOX_DEPTH_MAX} levels are allowed"));
    }
    match name.split_once('/') {
        None if name.eq_ignore_ascii_case("INBOX") => Ok("INBOX".into()),
        Some((first, rest)) if first.eq_ignore_ascii_case("INBOX") => Ok(format!("INBOX/{rest}")),
        _ => Ok(name.into()),
    }
}
