//! RSET (RFC 5321 section 4.1.1.5): forgets the message under way and nothing else.
use crate::smtp::state::{Answer, Running, Session};
use smtp_proto::Request;

pub(in crate::smtp) fn run(session: &mut Session, _request: Request<String>) -> Running<'_> {
    Box::pin(async move {
        session.reset();
        Ok(Answer::new(250, "2.0.0 Ok"))
    })
}
