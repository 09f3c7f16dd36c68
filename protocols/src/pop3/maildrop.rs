//! The maildrop as it was at login (RFC 1939 section 4): what message numbers stand for, and which messages are marked as deleted.
//! The messages themselves are a view that is shared; what is its own is two bits for each message, once one is deleted or fetched.
use super::answer::Answer;
use super::marks::Marks;
use crate::session::Held;
use posthouse_engine::base::{AccountId, Error, Uid, counted};
use posthouse_engine::index::{Entry, Mailbox, UidSet, Uidls};
use std::borrow::Cow;
use std::sync::Arc;

/// An open maildrop.
pub(super) struct Maildrop {
    account: AccountId,
    /// Message number = position + 1. Mail that comes later is for the next session.
    view: Arc<Mailbox>,
    /// What messages that were brought from another server are called; read when a client asks.
    uidls: Option<Uidls>,
    deleted: Marks,
    /// What RETR has sent.
    fetched: Marks,
    deleted_count: u64,
    deleted_bytes: u64,
    _lock: Held,
}

impl Maildrop {
    pub(super) fn new(account: AccountId, lock: Held, view: Arc<Mailbox>) -> Maildrop {
        Maildrop {
            account,
            view,
            uidls: None,
            deleted: Marks::default(),
            fetched: Marks::default(),
            deleted_count: 0,
            deleted_bytes: 0,
            _lock: lock,
        }
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
        format!("{} ({size_bytes} octets)", counted(count, "message"))
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
        self.deleted.has(at)
    }

    /// Marks the message of that number as deleted.
    pub(super) fn delete(&mut self, number: u64) -> Result<(), Answer> {
        let (at, entry) = self.find(number)?;
        self.deleted.add(at, self.view.entries.len());
        self.deleted_count += 1;
        self.deleted_bytes += u64::from(entry.size_bytes);
        Ok(())
    }

    /// Nothing is deleted any more.
    pub(super) fn reset(&mut self) {
        self.deleted = Marks::default();
        (self.deleted_count, self.deleted_bytes) = (0, 0);
    }

    /// The uids that are marked as deleted.
    pub(super) fn deleted_uids(&self) -> Result<UidSet, Error> {
        self.deleted.uids(&self.view.entries)
    }

    /// Notes that RETR has sent the message of that number.
    pub(super) fn fetch(&mut self, number: u64) {
        if let Some(at) = number.checked_sub(1).and_then(|at| usize::try_from(at).ok()) {
            self.fetched.add(at, self.view.entries.len());
        }
    }

    /// The uids of messages that RETR has sent and that are not deleted.
    pub(super) fn fetched_uids(&self) -> Result<UidSet, Error> {
        Ok(self.fetched.uids(&self.view.entries)?.without(&self.deleted_uids()?))
    }

    /// Makes ready what [`Maildrop::unique_id`] tells.
    pub(super) fn read_unique_ids(&mut self) {
        self.uidls.get_or_insert_with(|| self.view.pop3_uidls());
    }

    /// The unique-id of a message (RFC 1939 section 7): the one that it had where it was brought from, else a made one: while UIDVALIDITY stays, no
    /// uid is given twice, and it outlives sessions and restarts.
    pub(super) fn unique_id(&self, uid: Uid) -> Cow<'_, str> {
        match self.uidls.as_ref().and_then(|all| all.get(uid)) {
            Some(id) => id.into(),
            None => format!("{:08x}{:08x}", self.view.uid_validity, uid.0).into(),
        }
    }
}
