//! Tells sessions that a mailbox, something of an account, or who may do what has changed; they look what changed themselves, in a mailbox with
//! `index::diff`. Carries no data, so it cannot grow.
use crate::base::{AccountId, MailboxId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

/// Whom to wake for a change of one mailbox, of one account, or of rights. Dropping it ends the watch.
#[derive(Debug)]
pub struct Watch {
    watcher: Arc<Watcher>,
    place: Place,
    all: Arc<All>,
}

type Place = (AccountId, MailboxId);

/// In place of a mailbox: all that an account has. No mailbox has that number.
const ANY: MailboxId = MailboxId(0);

/// The watches of each mailbox that has any.
type All = Mutex<HashMap<Place, Vec<Arc<Watcher>>>>;

#[derive(Debug)]
struct Watcher {
    changed: AtomicBool,
    /// Where it stands in its mailbox's list; changed under the lock of all.
    at: AtomicUsize,
    waker: Mutex<Option<Waker>>,
}

impl Watch {
    /// Whether something has changed since the last call that said so.
    pub fn take(&self) -> bool {
        self.watcher.changed.swap(false, Ordering::AcqRel)
    }

    /// Ready when something has changed since the last `take` or `poll_changed` that said so.
    pub fn poll_changed(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.take() {
            return Poll::Ready(());
        }
        *self.watcher.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        if self.take() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits for the next change.
    pub async fn changed(&self) {
        std::future::poll_fn(|cx| self.poll_changed(cx)).await;
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let mut all = self.all.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(list) = all.get_mut(&self.place) else { return };
        // The last one takes its place: with thousands in a list none is looked for.
        let at = self.watcher.at.load(Ordering::Relaxed);
        let gone = list.swap_remove(at);
        assert!(Arc::ptr_eq(&gone, &self.watcher), "each watcher knows its place");
        if let Some(moved) = list.get(at) {
            moved.at.store(at, Ordering::Relaxed);
        }
        if list.is_empty() {
            all.remove(&self.place);
        }
    }
}

/// All watches of a shard. Holds only mailboxes and accounts that somebody watches now.
#[derive(Clone, Debug, Default)]
pub(crate) struct Watchers(Arc<All>);

impl Watchers {
    pub(crate) fn add(&self, account: AccountId, mailbox: MailboxId) -> Watch {
        let place = (account, mailbox);
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let list = all.entry(place).or_default();
        let (changed, at) = (AtomicBool::new(false), AtomicUsize::new(list.len()));
        let watcher = Arc::new(Watcher { changed, at, waker: Mutex::new(None) });
        list.push(watcher.clone());
        Watch { watcher, place, all: self.0.clone() }
    }

    /// A watch of everything that an account has.
    pub(crate) fn add_account(&self, account: AccountId) -> Watch {
        self.add(account, ANY)
    }

    /// Something of an account has changed: these mailboxes, its names, subscriptions or annotations.
    pub(crate) fn wake<'m>(&self, account: AccountId, mailboxes: impl IntoIterator<Item = &'m MailboxId>) {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let places = mailboxes.into_iter().chain([&ANY]);
        let awake: Vec<Arc<Watcher>> =
            places.filter_map(|mailbox| all.get(&(account, *mailbox))).flatten().cloned().collect();
        drop(all);
        for watcher in awake {
            watcher.changed.store(true, Ordering::Release);
            let waker = watcher.waker.lock().unwrap_or_else(PoisonError::into_inner).take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dropped_watch_leaves_nothing_behind() {
        let watchers = Watchers::default();
        let inbox = |account| watchers.add(AccountId(account), MailboxId::INBOX);
        let (first, second, other) = (inbox(1), inbox(1), inbox(2));
        drop(first);
        watchers.wake(AccountId(1), &[MailboxId::INBOX]);
        assert!(second.take() && !other.take());
        // Whoever goes first, each of the others hears what it watches.
        for leaver in 0..4 {
            let mut four: Vec<_> = (0..4).map(|_| inbox(1)).collect();
            drop(four.remove(leaver));
            four.push(inbox(1));
            watchers.wake(AccountId(1), &[MailboxId::INBOX]);
            assert!(four.iter().all(Watch::take) && second.take(), "{leaver}");
        }
        drop((second, other));
        // An account's watch hears of whatever it has, and of nobody else's.
        let (all, inbox) = (watchers.add_account(AccountId(1)), inbox(1));
        watchers.wake(AccountId(1), &[MailboxId(7)]);
        assert!(all.take() && !inbox.take());
        watchers.wake(AccountId(1), &[]);
        watchers.wake(AccountId(2), &[MailboxId::INBOX]);
        assert!(all.take() && !all.take() && !inbox.take());
        drop((all, inbox));
        assert!(watchers.0.lock().expect("no panic").is_empty());
    }
}
