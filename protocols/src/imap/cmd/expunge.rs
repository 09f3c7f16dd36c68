//! EXPUNGE (RFC 3501 section 6.4.3) and UID EXPUNGE (RFC 4315 section 2.1). The EXPUNGE responses come with what the session is told.
use crate::imap::answer::Answer;
use crate::imap::set;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use imap_codec::imap_types::command::CommandBody;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let account = session.account();
        let Some(selected) = &session.selected else {
            return Ok(Answer::bad("No mailbox is selected"));
        };
        if selected.read_only {
            return Ok(read_only());
        }
        let uids = match &request.body {
            CommandBody::ExpungeUid { sequence_set } => match set::uids_of(sequence_set, &selected.view.entries) {
                Ok(uids) => Some(uids),
                Err(error) => return Ok(error.into()),
            },
            _ => None,
        };
        match session.shared.engine.expunge(account, selected.mailbox, uids).await {
            Ok(_) => Ok(Answer::ok("EXPUNGE completed")),
            Err(error) => Ok(error.into()),
        }
    })
}

/// The answer to whoever wants to change a mailbox that EXAMINE has opened.
pub(super) fn read_only() -> Answer {
    Answer::no("[CANNOT] The mailbox has been opened read-only")
}
