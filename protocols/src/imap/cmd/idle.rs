//! IDLE (RFC 2177): tells what changes as it changes, until DONE; what that is, NOTIFY may have said (RFC 5465 section 4).
use crate::imap::answer::Answer;
use crate::imap::input::Over;
use crate::imap::state::{Running, Session};
use crate::imap::sync::Telling;
use crate::imap::table::Request;
use crate::imap::wake::Woken;
use crate::limits;
use crate::runtime::now;

/// Bytes of the line that ends IDLE.
const DONE_LINE_MAX: usize = 64;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        request.args().end()?;
        drop(request);
        let watch = session.watch_selected();
        session.stream.output().extend_from_slice(b"+ idling\r\n");
        let deadline = now() + limits::IMAP_IDLE_MAX;
        let telling = Telling { expunges: true, uid: false, claim: false, asked: false };
        loop {
            if let Some(done) = session.done() {
                return Ok(done);
            }
            // The watch was there before this look, so that nothing can slip in between.
            session.tell(telling, None).await?;
            session.tell_news().await?;
            if session.ended {
                return Ok(Answer::Written);
            }
            match session.wait_for_news(watch.as_ref(), deadline).await? {
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
}
