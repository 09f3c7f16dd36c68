//! STAT (RFC 1939 section 5): how many messages there are and how large they are together.
use crate::pop3::answer::Answer;
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;

pub(in crate::pop3) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        Ok(match request.nothing().and_then(|()| session.opened()) {
            Ok(maildrop) => Answer::ok(format!("{} {}", maildrop.count(), maildrop.size_bytes())),
            Err(refusal) => refusal,
        })
    })
}
