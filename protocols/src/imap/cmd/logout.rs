//! LOGOUT (RFC 3501 section 6.1.3).
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;

pub(in crate::imap) fn run(session: &mut Session, _: Request) -> Running<'_> {
    Box::pin(async move {
        session.untagged("BYE Logging out");
        session.ended = true;
        Ok(Answer::ok("LOGOUT completed"))
    })
}
