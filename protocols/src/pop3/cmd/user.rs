//! USER (RFC 1939 section 7). Never says whether such a name exists.
use crate::pop3::answer::Answer;
use crate::pop3::login::{failed, needs_tls};
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;
use crate::session::Shown;

pub(in crate::pop3) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        if !session.may_log_in() {
            return Ok(needs_tls());
        }
        if request.words().next().is_none() {
            return Ok(Answer::bad("A name is expected"));
        }
        // RFC 6856 section 2.2
        let Ok(name) = String::from_utf8(request.arguments) else {
            return Ok(failed(Shown::Password));
        };
        session.name = Some(name.into());
        Ok(Answer::ok("Now the password"))
    })
}
