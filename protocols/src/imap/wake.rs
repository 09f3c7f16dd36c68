//! How a session waits for its client and for news at once: in IDLE, and between commands when the client has asked for that (RFC 5465). Tells
//! nothing itself; a session that waits holds no buffer and no list.
use super::input::Over;
use super::state::Session;
use super::sync::Telling;
use crate::runtime::{Either, later, now, select, stopping, timeout};
use posthouse_engine::Watch;
use std::future::poll_fn;
use std::io;
use std::task::Poll;
use std::time::Instant;

/// What ended a wait.
pub(super) enum Woken {
    /// Something that is watched may have changed.
    Changed,
    /// The client has sent something.
    Input,
    Over(Over),
}

impl Session {
    /// Watches the selected mailbox, if its client wants to be told what happens there.
    pub(super) fn watch_selected(&self) -> Option<Watch> {
        if self.notify.as_ref().is_some_and(|notify| !notify.selected.counts) {
            return None;
        }
        let selected = self.selected.as_ref()?;
        Some(self.shared.engine.watch(selected.account, selected.mailbox))
    }

    /// Waits for a change, for input, or for the end.
    pub(super) async fn wait_for_news(&mut self, watch: Option<&Watch>, deadline: Instant) -> io::Result<Woken> {
        if !self.stream.output().is_empty() {
            self.stream.flush().await?;
        }
        let left = deadline.saturating_duration_since(now());
        let stop = stopping();
        let mut notify = self.notify.as_deref_mut();
        let changed = poll_fn(|cx| {
            // Each of them: one that is not asked has nobody to wake.
            let here = watch.is_some_and(|watch| watch.poll_changed(cx).is_ready());
            let elsewhere = notify.as_deref_mut().is_some_and(|notify| notify.poll_changed(cx));
            if here || elsewhere { Poll::Ready(()) } else { Poll::Pending }
        });
        // Thousands may wait like this for the same mailbox.
        let others = select(later(changed), stop.wait());
        let woken = timeout(left, select(self.stream.fill(), others)).await;
        Ok(match woken {
            None => Woken::Over(Over::TimedOut),
            Some(Either::Left(filled)) => match filled? {
                0 => Woken::Over(Over::Closed),
                _ => Woken::Input,
            },
            Some(Either::Right(Either::Left(()))) => Woken::Changed,
            Some(Either::Right(Either::Right(()))) => Woken::Over(Over::Stopping),
        })
    }

    /// Waits for the first bytes of a command, and tells meanwhile what the client has asked for; says why when none come.
    pub(super) async fn wait_told(&mut self, deadline: Instant) -> io::Result<Option<Over>> {
        // The watch is there before the look, so that nothing can slip in between.
        let watch = self.watch_selected();
        loop {
            let expunges = self.notify.as_ref().is_some_and(|notify| !notify.selected.delayed);
            self.tell(Telling { expunges, uid: true, claim: false, asked: false }, None).await?;
            self.tell_news().await?;
            if self.ended {
                return Ok(Some(Over::Closed));
            }
            match self.wait_for_news(watch.as_ref(), deadline).await? {
                Woken::Changed => {}
                Woken::Input => return Ok(None),
                Woken::Over(over) => return Ok(Some(over)),
            }
        }
    }
}
