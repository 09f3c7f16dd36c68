//! IDLE (RFC 2177): tells what changes as it changes, until DONE. While nothing happens it holds no buffer and no list.
use crate::imap::answer::Answer;
use crate::imap::input::Over;
use crate::imap::state::{Running, Session};
use crate::imap::sync::Telling;
use crate::imap::table::Request;
use crate::limits;
use crate::runtime::{Either, later, now, select, stopping, timeout};
use posthouse_engine::Watch;
use std::io;
use std::time::Instant;

/// Bytes of the line that ends IDLE.
const DONE_LINE_MAX: usize = 64;

/// What ended a wait.
enum Woken {
    Changed,
    Input,
    Over(Over),
}

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        request.args().end()?;
        drop(request);
        let engine = session.shared.engine.clone();
        let watch = session.selected.as_ref().map(|selected| engine.watch(selected.account, selected.mailbox));
        session.stream.output().extend_from_slice(b"+ idling\r\n");
        let deadline = now() + limits::IMAP_IDLE_MAX;
        let telling = Telling { expunges: true, uid: false, claim: false };
        loop {
            if let Some(done) = session.done() {
                return Ok(done);
            }
            // The watch was there before this look, so that nothing can slip in between.
            session.tell(telling, None).await?;
            if session.ended {
                return Ok(Answer::Written);
            }
            match session.idle(watch.as_ref(), deadline).await? {
                Woken::Changed | Woken::Input => {}
                Woken::Over(over) => {
                    session.goodbye(over);
                    return Ok(Answer::Written);
                }
            }
        }
    })
}

impl Session {
    /// The answer once the client has sent a line: `DONE`, or something else, which is its mistake.
    fn done(&mut self) -> Option<Answer> {
        let buffered = self.stream.buffered();
        let Some(end) = buffered.iter().position(|&byte| byte == b'\n') else {
            return (buffered.len() > DONE_LINE_MAX).then(|| {
                self.goodbye(Over::TooMuch);
                Answer::Written
            });
        };
        let is_done = buffered[..end].trim_ascii_end().eq_ignore_ascii_case(b"DONE");
        self.stream.consume(end + 1);
        Some(if is_done { Answer::ok("IDLE completed") } else { Answer::bad("DONE was expected") })
    }

    /// Waits for a change, for input, or for the end.
    async fn idle(&mut self, watch: Option<&Watch>, deadline: Instant) -> io::Result<Woken> {
        if !self.stream.output().is_empty() {
            self.stream.flush().await?;
        }
        let left = deadline.saturating_duration_since(now());
        let Some(watch) = watch else {
            return Ok(match self.wait_for_bytes(deadline).await? {
                Some(over) => Woken::Over(over),
                None => Woken::Input,
            });
        };
        let stop = stopping();
        // A mailbox may have thousands who wait like this.
        let others = select(later(watch.changed()), stop.wait());
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
}
