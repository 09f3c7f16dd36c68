//! LOGOUT (RFC 3501 section 6.1.3).
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        request.args().end()?;
        session.untagged("BYE Logging out");
        session.ended = true;
        Ok(Answer::ok("LOGOUT completed"))
    })
}
