//! EXPN (RFC 5321 section 3.5.3): lists are shown to nobody.
use crate::smtp::state::{Answer, Running, Session};
use smtp_proto::Request;

pub(in crate::smtp) fn run(_session: &mut Session, _request: Request<String>) -> Running<'_> {
    Box::pin(async move { Ok(Answer::new(502, "5.7.0 Lists are not shown")) })
}
