//! STLS (RFC 2595 section 4). What was sent in the clear behind the command is never taken for what came under TLS.
use crate::pop3::answer::Answer;
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;

pub(in crate::pop3) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        if let Err(refusal) = request.nothing() {
            return Ok(refusal);
        }
        let Some(config) = session.shared.tls.clone() else {
            return Ok(Answer::no("TLS is not offered here"));
        };
        if session.stream.is_tls() {
            return Ok(Answer::bad("TLS is active already"));
        }
        if session.utf8 {
            // RFC 6856 section 2.1
            return Ok(Answer::bad("STLS comes before UTF8"));
        }
        if !session.stream.buffered().is_empty() {
            session.ended = true;
            return Ok(Answer::bad("Nothing may be sent behind STLS before TLS is active; closing the connection"));
        }
        session.say("+OK Begin TLS negotiation now");
        session.stream.flush().await?;
        session.stream.start_tls(config).await?;
        Ok(Answer::Written)
    })
}
