//! DELE (RFC 1939 section 5): marks a message as deleted; QUIT removes it.
use crate::pop3::answer::Answer;
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;

pub(in crate::pop3) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let deleted = request.message().and_then(|number| {
            session.opened()?.delete(number)?;
            Ok(number)
        });
        Ok(match deleted {
            Ok(number) => Answer::ok(format!("Message {number} deleted")),
            Err(refusal) => refusal,
        })
    })
}
