//! SUBSCRIBE and UNSUBSCRIBE (RFC 3501 sections 6.3.6 and 6.3.7). A subscription outlives its mailbox.
use crate::imap::answer::Answer;
use crate::imap::name;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use imap_codec::imap_types::command::CommandBody;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let (mailbox, on) = match &request.body {
            CommandBody::Subscribe { mailbox } => (mailbox, true),
            CommandBody::Unsubscribe { mailbox } => (mailbox, false),
            _ => return Ok(Answer::bad("A mailbox name is expected")),
        };
        let name = match name::decode(mailbox) {
            Ok(name) => name,
            Err(answer) => return Ok(answer),
        };
        match session.shared.engine.subscribe(session.account(), &name, on).await {
            Ok(()) => Ok(Answer::ok(format!("{} completed", request.body.name()))),
            Err(error) => Ok(error.into()),
        }
    })
}
