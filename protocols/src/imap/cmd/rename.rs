//! RENAME (RFC 3501 section 6.3.5): with all children; of INBOX it moves the messages and leaves INBOX.
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let from = args.astring()?;
        args.space()?;
        let to = args.astring()?;
        args.end()?;
        let (from, to) = (session.name(&from)?, session.name(&to)?);
        session.shared.engine.rename_mailbox(session.account(), &from, &to).await?;
        Ok(Answer::ok("RENAME completed"))
    })
}
