//! Tells the one who sends the queue's messages which items have come or changed. Bounded: who does not keep up is told to look at all.
use crate::base::QueueId;
use crate::base::limits::QUEUE_FEED_IDS_MAX;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};

/// What has changed since the last look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QueueChanges {
    /// These items came, changed or went; some may be named twice.
    Items(Vec<QueueId>),
    /// So many that they were not noted.
    Many,
}

/// All watches of the queue.
#[derive(Debug, Default)]
pub(crate) struct QueueFeed(Mutex<Feed>);

#[derive(Debug, Default)]
struct Feed {
    watched: bool,
    ids: Vec<QueueId>,
    many: bool,
    waker: Option<Waker>,
}

/// The queue's changes from its making on. The engine has one at a time: a new one takes over. Dropping it ends the noting.
#[derive(Debug)]
pub struct QueueWatch(Arc<QueueFeed>);

impl QueueFeed {
    fn lock(&self) -> MutexGuard<'_, Feed> {
        // The feed is whole between any two statements.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn changed(&self, ids: Vec<QueueId>) {
        if ids.is_empty() {
            return;
        }
        let mut feed = self.lock();
        if !feed.watched {
            return;
        }
        if feed.many || feed.ids.len() + ids.len() > QUEUE_FEED_IDS_MAX {
            (feed.many, feed.ids) = (true, Vec::new());
        } else {
            feed.ids.extend(ids);
        }
        let waker = feed.waker.take();
        drop(feed);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    pub(crate) fn watch(self: &Arc<Self>) -> QueueWatch {
        *self.lock() = Feed { watched: true, ..Feed::default() };
        QueueWatch(self.clone())
    }
}

impl QueueWatch {
    /// Ready when something has changed since the last call that was ready.
    pub fn poll_changes(&self, cx: &mut Context<'_>) -> Poll<QueueChanges> {
        let mut feed = self.0.lock();
        if std::mem::take(&mut feed.many) {
            return Poll::Ready(QueueChanges::Many);
        }
        if feed.ids.is_empty() {
            feed.waker = Some(cx.waker().clone());
            return Poll::Pending;
        }
        Poll::Ready(QueueChanges::Items(std::mem::take(&mut feed.ids)))
    }

    /// Waits for the next changes.
    pub async fn changes(&self) -> QueueChanges {
        std::future::poll_fn(|cx| self.poll_changes(cx)).await
    }
}

impl Drop for QueueWatch {
    fn drop(&mut self) {
        *self.0.lock() = Feed::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_noted_only_while_somebody_watches_and_within_bounds() {
        let feed: Arc<QueueFeed> = Arc::default();
        feed.changed(vec![QueueId(1)]);
        let watch = feed.watch();
        let cx = &mut Context::from_waker(Waker::noop());
        assert!(watch.poll_changes(cx).is_pending(), "what was before does not count");
        feed.changed(vec![QueueId(2)]);
        feed.changed(vec![QueueId(3)]);
        assert_eq!(watch.poll_changes(cx), Poll::Ready(QueueChanges::Items(vec![QueueId(2), QueueId(3)])));
        for id in 0..=QUEUE_FEED_IDS_MAX as u64 {
            feed.changed(vec![QueueId(id)]);
        }
        assert!(feed.lock().ids.is_empty());
        assert_eq!(watch.poll_changes(cx), Poll::Ready(QueueChanges::Many));
        assert!(watch.poll_changes(cx).is_pending());
        drop(watch);
        feed.changed(vec![QueueId(4)]);
        assert!(feed.lock().ids.is_empty());
    }
}
