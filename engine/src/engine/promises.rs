//! Entries that nobody else may move for a while. On their way to another shard they are read and put in there, which takes its time: two would
//! have them then. Of a copy that is made in parts, those that are there must go should it fail. Who only removes them may. Nothing of it is kept: a
//! start ends moves that were begun before anybody can move.
use super::{Engine, Ticket};
use crate::base::{AccountId, Error, MailboxId, Result, UidSet};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

type Place = (AccountId, MailboxId);

/// The promises of one shard.
#[derive(Debug, Default)]
pub(crate) struct Promises {
    held: Mutex<HashMap<u64, (Place, UidSet)>>,
    next: AtomicU64,
}

impl Promises {
    pub(super) fn begin(all: &Arc<Promises>) -> Held {
        Held { all: all.clone(), key: all.next.fetch_add(1, Ordering::Relaxed) }
    }

    /// Checks that nobody but the promise `own` holds some of the entries.
    pub(super) fn check_but(&self, own: Option<u64>, place: Place, uids: &UidSet) -> Result<()> {
        let meets = |key: &u64, held: &(Place, UidSet)| Some(*key) != own && held.0 == place && meet(&held.1, uids);
        if self.lock().iter().any(|(key, held)| meets(key, held)) { Err(Error::Busy) } else { Ok(()) }
    }

    /// Checks that the entries may be moved. `Busy`: some are being moved.
    pub(super) fn check(&self, place: Place, uids: &UidSet) -> Result<()> {
        self.check_but(None, place, uids)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<u64, (Place, UidSet)>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn meet(one: &UidSet, other: &UidSet) -> bool {
    one.without(other) != *one
}

/// Whoever promises; what it holds is free when this is gone.
#[derive(Debug)]
pub(super) struct Held {
    all: Arc<Promises>,
    key: u64,
}

impl Held {
    /// What tells it from others.
    pub(super) fn key(&self) -> u64 {
        self.key
    }

    /// Holds entries, in the place of what it held before.
    pub(super) fn hold(&self, place: Place, uids: UidSet) {
        self.all.lock().insert(self.key, (place, uids));
    }

    /// Holds nothing any more.
    pub(super) fn release(&self) {
        self.all.lock().remove(&self.key);
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.release();
    }
}

/// Entries that nobody else moves as long as this is there.
#[derive(Debug)]
pub struct Promise {
    held: Arc<Held>,
    uids: UidSet,
}

impl Promise {
    /// The entries: those that were asked for and are there.
    pub fn uids(&self) -> &UidSet {
        &self.uids
    }

    /// The entries are somewhere else by now, but could not be removed here yet. They are nobody's to move until the next start, which removes
    /// them first if a login has not.
    pub fn keep(self) {
        std::mem::forget(self.held);
    }
}

impl Engine {
    /// Promises the entries of a mailbox that are there, for a move to another shard. What was asked before is done when it is there, so that
    /// the mailbox's view then holds exactly these.
    ///
    /// # Errors
    /// `Busy`: some of them are being moved already.
    pub fn promise(&self, account: AccountId, mailbox: MailboxId, uids: UidSet) -> Ticket<Result<Promise>> {
        let shard = self.shard(account);
        let held = Arc::new(Promises::begin(&shard.shared.promises));
        self.committer_of(account).submit(move |txn| {
            let entries = &txn.mailbox(account, mailbox)?.entries;
            let there = entries.in_uids(&uids).map(|found| found.map(|(_, entry)| entry.uid));
            let there: UidSet = there.collect::<Result<_>>()?;
            held.all.check_but(Some(held.key), (account, mailbox), &there)?;
            held.hold((account, mailbox), there.clone());
            Ok(Promise { held: held.clone(), uids: there })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Uid;

    #[test]
    fn entries_are_promised_once() {
        let all = Arc::new(Promises::default());
        let place = (AccountId(1), MailboxId(2));
        let some = UidSet::range(Uid(3), Uid(5));
        let one = Promises::begin(&all);
        one.hold(place, some.clone());
        assert!(all.check(place, &UidSet::range(Uid(5), Uid(9))).is_err());
        assert!(all.check(place, &UidSet::range(Uid(6), Uid(9))).is_ok());
        assert!(all.check((AccountId(1), MailboxId(3)), &some).is_ok());
        assert!(all.check_but(Some(one.key), place, &some).is_ok());
        drop(one);
        assert!(all.check(place, &some).is_ok());
    }
}
