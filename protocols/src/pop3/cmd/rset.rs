//! RSET (RFC 1939 section 5): no message is marked as deleted any more.
use crate::pop3::answer::Answer;
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;

pub(in crate::pop3) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        Ok(match request.nothing().and_then(|()| session.opened()) {
            Ok(maildrop) => {
                maildrop.reset();
                Answer::ok(maildrop.summary())
            }
            Err(refusal) => refusal,
        })
    })
}
