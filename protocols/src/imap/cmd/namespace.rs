//! NAMESPACE (RFC 2342): one personal namespace, `/` between levels.
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        request.args().end()?;
        session.untagged("NAMESPACE ((\"\" \"/\")) NIL NIL");
        Ok(Answer::ok("NAMESPACE completed"))
    })
}
