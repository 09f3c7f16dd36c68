//! UTF8 (RFC 6856 section 2). Messages go out as they are, with it and, unless the operator wants it otherwise, without: to rewrite or to refuse
//! mail whose header is not ASCII would keep it from the many clients that can read it and do not know this command.
use crate::pop3::answer::Answer;
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;

pub(in crate::pop3) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        if let Err(refusal) = request.nothing() {
            return Ok(refusal);
        }
        session.utf8 = true;
        Ok(Answer::ok("UTF-8 it is"))
    })
}
