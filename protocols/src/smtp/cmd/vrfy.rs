//! VRFY (RFC 5321 section 7.3): never tells whether somebody has an address.
use crate::smtp::state::{Answer, Running, Session};
use smtp_proto::Request;

pub(in crate::smtp) fn run(_session: &mut Session, _request: Request<String>) -> Running<'_> {
    Box::pin(async move { Ok(Answer::new(252, "2.1.5 Send it a message and see")) })
}
