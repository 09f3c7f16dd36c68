//! ID (RFC 2971): who we are. What the client says of itself goes to the log only.
use crate::imap::answer::Answer;
use crate::imap::args::Args;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let client = request.body(walk)?;
        tracing::debug!(peer = %session.stream.peer(), ?client, "imap client");
        // Our version is nobody's business before login.
        session.untagged("ID (\"name\" \"Posthouse\")");
        Ok(Answer::ok("ID completed"))
    })
}

/// ` NIL`, or ` ("name" "value" ...)` where values may be NIL.
fn walk(args: &mut Args<'_>) -> Result<(), Answer> {
    args.space()?;
    if !args.eat_word("NIL") {
        args.list(true, |args| {
            args.string()?;
            args.space()?;
            if !args.eat_word("NIL") {
                args.string()?;
            }
            Ok(())
        })?;
    }
    Ok(args.end()?)
}
