//! HELP (RFC 5321 section 4.1.1.8).
use crate::smtp::state::{Answer, Running, Session};
use smtp_proto::Request;

pub(in crate::smtp) fn run(_session: &mut Session, _request: Request<String>) -> Running<'_> {
    Box::pin(async move { Ok(Answer::new(214, "2.0.0 This is Posthouse; the commands are those of RFC 5321")) })
}
