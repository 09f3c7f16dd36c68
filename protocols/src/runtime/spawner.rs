//! Answers how work that no client has asked for gets onto the reactors. It does not know what the work is.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::SessionFuture;
use super::server::{Message, Post, Shared};

/// Makes a task on the reactor thread that is to run it.
pub(crate) type Job = Box<dyn FnOnce() -> SessionFuture + Send>;

/// The way to run work on the reactors of a server, each in turn. A stop tells the work by `stopping()` and waits for it as for sessions.
pub struct Spawner {
    shared: Arc<Shared>,
    posts: Vec<Post>,
    next: AtomicUsize,
}

impl Spawner {
    pub(crate) fn new(shared: Arc<Shared>, posts: Vec<Post>) -> Spawner {
        Spawner { shared, posts, next: AtomicUsize::new(0) }
    }

    /// Makes a task by `job` on some reactor thread and runs it there. Nothing happens once the server has ended.
    pub fn spawn(&self, job: impl FnOnce() -> SessionFuture + Send + 'static) {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        let Some(post) = self.posts.get(turn % self.posts.len().max(1)) else {
            return;
        };
        let counted = Counted::new(self.shared.clone());
        post(Message::Run(Box::new(move || {
            let work = job();
            Box::pin(async move {
                let _counted = counted;
                work.await;
            })
        })));
    }
}

/// Work that a stop waits for, while it lives.
struct Counted(Arc<Shared>);

impl Counted {
    fn new(shared: Arc<Shared>) -> Counted {
        shared.background.fetch_add(1, Ordering::SeqCst);
        Counted(shared)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.background.fetch_sub(1, Ordering::SeqCst);
    }
}
