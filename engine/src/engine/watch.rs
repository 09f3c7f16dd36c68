//! Tells sessions that a mailbox has changed; they look what changed with `index::diff`. Carries no data, so it cannot grow.
use crate::base::{AccountId, MailboxId};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll, Waker};

/// Whom to wake for a change of one mailbox. Dropping it ends the watch.
#[derive(Debug)]
pub struct Watch(Arc<Watcher>);

#[derive(Debug)]
struct Watcher {
    changed: AtomicBool,
    waker: Mutex<Option<Waker>>,
}

impl Watch {
    /// Whether the mailbox has changed since the last call that said so.
    pub fn take(&self) -> bool {
        self.0.changed.swap(false, Ordering::AcqRel)
    }

    /// Ready when the mailbox has changed since the last `take` or `poll_changed` that said so.
    pub fn poll_changed(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.take() {
            return Poll::Ready(());
        }
        *self.0.waker.lock().unwrap_or_else(PoisonError::into_inner) = Some(cx.waker().clone());
        if self.take() { Poll::Ready(()) } else { Poll::Pending }
    }

    /// Waits for the next change.
    pub async fn changed(&self) {
        std::future::poll_fn(|cx| self.poll_changed(cx)).await;
    }
}

/// All watches of a shard.
#[derive(Debug, Default)]
pub(crate) struct Watchers(Mutex<HashMap<(AccountId, MailboxId), Vec<Weak<Watcher>>>>);

impl Watchers {
    pub(crate) fn add(&self, account: AccountId, mailbox: MailboxId) -> Watch {
        let watcher = Arc::new(Watcher { changed: AtomicBool::new(false), waker: Mutex::new(None) });
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let list = all.entry((account, mailbox)).or_default();
        list.retain(|watcher| watcher.strong_count() > 0);
        list.push(Arc::downgrade(&watcher));
        Watch(watcher)
    }

    pub(crate) fn wake(&self, account: AccountId, mailbox: MailboxId) {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(list) = all.get_mut(&(account, mailbox)) else {
            return;
        };
        list.retain(|watcher| watcher.strong_count() > 0);
        let awake: Vec<_> = list.iter().filter_map(Weak::upgrade).collect();
        if awake.is_empty() {
            all.remove(&(account, mailbox));
        }
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
