//! STARTTLS (RFC 3501 section 6.2.1). What was sent in the clear behind the command is never taken for what came under TLS.
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        request.args().end()?;
        let Some(config) = session.shared.tls.clone() else {
            return Ok(Answer::no("[CANNOT] TLS is not offered here"));
        };
        if session.stream.is_tls() {
            return Ok(Answer::bad("TLS is active already"));
        }
        if session.stream.is_compressed() {
            // RFC 4978 section 3: TLS comes first. After UNAUTHENTICATE the connection is still compressed.
            return Ok(Answer::bad("The connection is compressed already; TLS must come before COMPRESS"));
        }
        if !session.stream.buffered().is_empty() {
            session.untagged("BYE [CLIENTBUG] Plain text behind STARTTLS");
            session.ended = true;
            return Ok(Answer::bad("Nothing may be sent behind STARTTLS before TLS is active"));
        }
        let begin = format!("{} OK Begin TLS negotiation now\r\n", request.tag);
        session.stream.output().extend_from_slice(begin.as_bytes());
        session.stream.flush().await?;
        session.stream.start_tls(config).await?;
        Ok(Answer::Written)
    })
}
