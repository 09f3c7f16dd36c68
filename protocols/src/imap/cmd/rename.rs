//! RENAME (RFC 3501 section 6.3.5): with all children; of INBOX it moves the messages and leaves INBOX.
use crate::imap::answer::Answer;
use crate::imap::name;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use imap_codec::imap_types::command::CommandBody;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let CommandBody::Rename { from, to } = &request.body else {
            return Ok(Answer::bad("RENAME: two mailbox names are expected"));
        };
        let (from, to) = match (name::decode(from), name::decode(to)) {
            (Ok(from), Ok(to)) => (from, to),
            (Err(answer), _) | (_, Err(answer)) => return Ok(answer),
        };
        match session.shared.engine.rename_mailbox(session.account(), &from, &to).await {
            Ok(()) => Ok(Answer::ok("RENAME completed")),
            Err(error) => Ok(error.into()),
        }
    })
}
