//! CLOSE (RFC 3501 section 6.4.2) and UNSELECT (RFC 3691). CLOSE removes what is marked \Deleted and tells nobody here of it.
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use imap_codec::imap_types::command::CommandBody;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let account = session.account();
        let Some(selected) = session.selected.take() else {
            return Ok(Answer::bad("No mailbox is selected"));
        };
        let expunge = matches!(request.body, CommandBody::Close) && !selected.read_only;
        if expunge
            && selected.data().deleted > 0
            && let Err(error) = session.shared.engine.expunge(account, selected.mailbox, None).await
        {
            return Ok(error.into());
        }
        Ok(Answer::ok(format!("{} completed", request.body.name())))
    })
}
