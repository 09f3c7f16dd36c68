//! UNAUTHENTICATE (RFC 8437): the connection goes on as if nobody had logged in. What ENABLE and NOTIFY had switched on is off; TLS stays.
use crate::imap::answer::Answer;
use crate::imap::state::{Enabled, Running, Session};
use crate::imap::table::Request;
use crate::limits;
use crate::runtime::now;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        request.args().end()?;
        session.selected = None;
        session.notify = None;
        session.login = None;
        session.seat = None;
        session.enabled = Enabled::default();
        session.login_deadline = now() + limits::IMAP_LOGIN_MAX;
        Ok(Answer::ok("You are nobody again"))
    })
}
