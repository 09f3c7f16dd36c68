//! NAMESPACE (RFC 2342): the session's own mailboxes, those that other members share, and business mailboxes; `/` between levels.
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        request.args().end()?;
        session.untagged("NAMESPACE ((\"\" \"/\")) ((\"Other Users/\" \"/\")) ((\"Shared/\" \"/\"))");
        Ok(Answer::ok("NAMESPACE completed"))
    })
}
