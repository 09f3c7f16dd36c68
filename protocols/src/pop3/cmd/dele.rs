//! DELE (RFC 1939 section 5): marks a message as deleted; QUIT removes it.
use crate::pop3::answer::Answer;
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;

pub(in crate::pop3) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let number = match request.message() {
            Ok(number) => number,
            Err(refusal) => return Ok(refusal),
        };
        session.bring_number(number).await;
        Ok(match session.opened().and_then(|maildrop| maildrop.delete(number)) {
            Ok(()) => Answer::ok(format!("Message {number} deleted")),
            Err(refusal) => refusal,
        })
    })
}
