//! PASS (RFC 1939 section 7).
use crate::pop3::answer::Answer;
use crate::pop3::login::{failed, needs_tls};
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;
use crate::session::Shown;
use crate::session::sasl::Credentials;

pub(in crate::pop3) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let Some(name) = session.name.take() else {
            return Ok(Answer::bad("USER comes first"));
        };
        if !session.may_log_in() {
            return Ok(needs_tls());
        }
        // The one argument is all of the line: passwords may have spaces. RFC 6856 section 2.2: it must be UTF-8.
        match String::from_utf8(request.arguments) {
            Ok(password) if password.is_empty() => Ok(Answer::bad("A password is expected")),
            Ok(password) => Ok(session.prove(Credentials { name: name.into(), password }).await),
            Err(_) => Ok(failed(Shown::Password)),
        }
    })
}
