//! NOOP (RFC 1939 section 5).
use crate::pop3::answer::Answer;
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;

pub(in crate::pop3) fn run(_: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        Ok(match request.nothing() {
            Ok(()) => Answer::ok(""),
            Err(refusal) => refusal,
        })
    })
}
