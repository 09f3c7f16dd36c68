//! STARTTLS (RFC 3207). What was said or sent in the clear before is never taken for what came under TLS.
use crate::smtp::reply::Reply;
use crate::smtp::state::{Answer, Running, Session};
use smtp_proto::Request;

pub(in crate::smtp) fn run(session: &mut Session, _request: Request<String>) -> Running<'_> {
    Box::pin(async move {
        if session.stream.is_tls() {
            return Ok(Answer::new(503, "5.5.1 TLS is active already"));
        }
        let Some(config) = session.shared.tls.clone() else {
            return Ok(Answer::new(502, "5.5.1 TLS is not offered here"));
        };
        if !session.stream.buffered().is_empty() {
            // CVE-2011-0411.
            session.ended = true;
            let refusal = Reply::new(421, "4.7.0 Nothing may be sent behind STARTTLS before TLS is active");
            session.note_turned_away("tls", "", &refusal);
            return Ok(refusal.into());
        }
        session.say(&Reply::new(220, "2.0.0 Begin TLS negotiation"));
        session.stream.flush().await?;
        if let Err(error) = session.stream.start_tls(config).await {
            // Nobody is there to hear it.
            session.note_turned_away("tls", "", &Reply::new(454, format!("4.7.0 TLS handshake failed: {error}")));
            return Err(error);
        }
        // RFC 3207 section 4.2.
        session.reset();
        session.hello = None;
        (session.login, session.mechanism) = (None, None);
        Ok(Answer::Written)
    })
}
