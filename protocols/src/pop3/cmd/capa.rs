//! CAPA (RFC 2449 section 5): what this server can do, given the state of the session.
use crate::pop3::answer::Answer;
use crate::pop3::policy;
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;

/// Offered in every state.
const ALWAYS: [&str; 7] = ["TOP", "UIDL", "PIPELINING", "RESP-CODES", "AUTH-RESP-CODE", "UTF8 USER", "LANG"];

pub(in crate::pop3) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        if let Err(refusal) = request.nothing() {
            return Ok(refusal);
        }
        session.say("+OK Capability list follows");
        ALWAYS.iter().for_each(|capability| session.say(capability));
        let expire = match session.maildrop {
            Some(_) => policy::expire(session.policy.fetched.kept_days()),
            None => session.policy.expire(&session.shared.engine),
        };
        session.say(&expire);
        if session.may_log_in() {
            session.say("USER");
            session.say(&format!("SASL {}", session.shared.mechanism_names(&session.place())));
        }
        if session.may_start_tls() {
            session.say("STLS");
        }
        if session.maildrop.is_some() {
            // RFC 2449 section 6.9 lets us keep it from who has not logged in.
            session.say(&format!("IMPLEMENTATION Posthouse-{}", env!("CARGO_PKG_VERSION")));
        }
        session.say(".");
        Ok(Answer::Written)
    })
}
