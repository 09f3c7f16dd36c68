//! QUIT (RFC 5321 section 4.1.1.10).
use crate::smtp::state::{Answer, Running, Session};
use smtp_proto::Request;

pub(in crate::smtp) fn run(session: &mut Session, _request: Request<String>) -> Running<'_> {
    Box::pin(async move {
        session.ended = true;
        Ok(Answer::new(221, "2.0.0 Goodbye"))
    })
}
