//! NAMESPACE (RFC 2342): one personal namespace, `/` between levels.
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;

pub(in crate::imap) fn run(session: &mut Session, _: Request) -> Running<'_> {
    Box::pin(async move {
        session.untagged("NAMESPACE ((\"\" \"/\")) NIL NIL");
        Ok(Answer::ok("NAMESPACE completed"))
    })
}
