//! Who wants the growing segment sealed, so that compaction may have it, and waits until a checkpoint covers it. Belongs to the committer, which
//! alone writes the log.
use super::ticket::Filler;
use crate::log::Writer;

/// Requests on their way: asked, then waiting for a checkpoint to begin, then for its end. Dropped ones are answered.
#[derive(Default)]
pub(crate) struct Turning {
    asked: Vec<(i64, Filler<()>)>,
    waiting: Vec<Filler<()>>,
    under_way: Vec<Filler<()>>,
}

impl Turning {
    /// The segment is to be sealed if it was begun before that time and is worth it.
    pub(super) fn ask(&mut self, created_before_ms: i64, filler: Filler<()>) {
        self.asked.push((created_before_ms, filler));
    }

    /// Between two groups: does what was asked for. What fails is as it was, or the latch says so to the next group.
    pub(super) fn turn(&mut self, writer: &mut Writer) {
        for (created_before_ms, filler) in self.asked.drain(..) {
            match writer.turn_over(created_before_ms) {
                Ok(true) => self.waiting.push(filler),
                Ok(false) => {}
                Err(why) => tracing::warn!(%why, "a segment that is old enough is not sealed"),
            }
        }
    }

    /// Whether a checkpoint is wanted now, however little there is for it.
    pub(super) fn wants_checkpoint(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// No checkpoint can be begun: nobody waits for it.
    pub(super) fn give_up(&mut self) {
        self.waiting.clear();
    }

    /// A checkpoint has begun that covers everything that was sealed before.
    pub(super) fn begun(&mut self) {
        self.under_way.append(&mut self.waiting);
    }

    /// It has ended, well or not.
    pub(super) fn ended(&mut self) {
        self.under_way.clear();
    }
}
