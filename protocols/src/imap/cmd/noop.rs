//! NOOP and CHECK (RFC 3501 sections 6.1.2 and 6.4.1): nothing to do, but the session hears what has changed. Every change is on disk
//! already when it is answered, so that CHECK has nothing to write.
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;

pub(in crate::imap) fn run(_: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        request.args().end()?;
        Ok(request.completed())
    })
}
