//! The maildrop as it was at login (RFC 1939 section 4): what message numbers stand for, and which messages are marked as deleted.
//! The messages themselves are a view that is shared; what is its own is a bit for each message, once one is deleted.
use super::answer::Answer;
use crate::session::Held;
use posthouse_engine::base::{AccountId, Error, Uid};
use posthouse_engine::index::{Entry, Mailbox, UidSet};
use std::sync::Arc;

/// An open maildrop.
pub(super) struct Maildrop {
    account: AccountId,
    /// Message number = position + 1. Mail that comes later is for the next session.
    view: Arc<Mailbox>,
    /// A bit for each position; empty as long as nothing is deleted.
    deleted: Vec<u64>,
    deleted_count: u64,
    deleted_bytes: u64,
    _lock: Held,
}

impl Maildrop {
    pub(super) fn new(account: AccountId, lock: Held, view: Arc<Mailbox>) -> Maildrop {
        Maildrop { account, view, deleted: Vec::new(), deleted_count: 0, deleted_bytes: 0, _lock: lock }
    }

    pub(super) fn account(&self) -> AccountId {
        self.account
    }

    pub(super) fn view(&self) -> &Mailbox {
        &self.view
    }

    /// Messages that are not deleted.
    pub(super) fn count(&self) -> u64 {
        self.view.entries.len() as u64 - self.deleted_count
    }

    /// The sum of their sizes.
    pub(super) fn size_bytes(&self) -> u64 {
        self.view.size_bytes - self.deleted_bytes
    }

    /// How many there are, for a person.
    pub(super) fn summary(&self) -> String {
        let (count, size_bytes) = (self.count(), self.size_bytes());
        format!("{count} message{} ({size_bytes} octets)", if count == 1 { "" } else { "s" })
    }

    /// The message of that number with its position, unless it is deleted.
    pub(super) fn find(&self, number: u64) -> Result<(usize, Entry), Answer> {
        let len = self.view.entries.len();
        let at = number.checked_sub(1).and_then(|at| usize::try_from(at).ok()).filter(|at| *at < len);
        let Some(at) = at else {
            return Err(Answer::no(format!("No such message; there are {len}")));
        };
        if self.is_deleted(at) {
            return Err(Answer::no(format!("Message {number} is deleted")));
        }
        Ok((at, self.view.entries.get(at)?))
    }

    pub(super) fn is_deleted(&self, at: usize) -> bool {
        self.deleted.get(at / 64).is_some_and(|bits| bits >> (at % 64) & 1 == 1)
    }

    /// Marks the message of that number as deleted.
    pub(super) fn delete(&mut self, number: u64) -> Result<(), Answer> {
        let (at, entry) = self.find(number)?;
        if self.deleted.is_empty() {
            self.deleted = vec![0; self.view.entries.len().div_ceil(64)];
        }
        self.deleted[at / 64] |= 1 << (at % 64);
        self.deleted_count += 1;
        self.deleted_bytes += u64::from(entry.size_bytes);
        Ok(())
    }

    /// Nothing is deleted any more.
    pub(super) fn reset(&mut self) {
        self.deleted = Vec::new();
        (self.deleted_count, self.deleted_bytes) = (0, 0);
    }

    /// The uids that are marked as deleted.
    pub(super) fn deleted_uids(&self) -> Result<UidSet, Error> {
        let mut uids = UidSet::new();
        for (word, bits) in self.deleted.iter().enumerate().filter(|(_, bits)| **bits != 0) {
            for bit in (0..64).filter(|bit| bits >> bit & 1 == 1) {
                uids.push(self.view.entries.get(word * 64 + bit)?.uid);
            }
        }
        Ok(uids)
    }

    /// The unique-id of a message (RFC 1939 section 7): while UIDVALIDITY stays, no uid is given twice, and it outlives sessions and
    /// restarts.
    pub(super) fn unique_id(&self, uid: Uid) -> String {
        format!("{:08x}{:08x}", self.view.uid_validity, uid.0)
    }
}
