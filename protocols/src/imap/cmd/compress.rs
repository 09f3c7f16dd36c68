//! COMPRESS (RFC 4978): DEFLATE in both directions, on top of TLS if there is TLS.
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        if !args.atom("an algorithm")?.eq_ignore_ascii_case("DEFLATE") {
            return Ok(Answer::no("[CANNOT] DEFLATE is the only algorithm here"));
        }
        args.end()?;
        if session.stream.is_compressed() {
            return Ok(Answer::no("[COMPRESSIONACTIVE] The connection is compressed already"));
        }
        let begin = format!("{} OK DEFLATE active\r\n", request.tag);
        session.stream.output().extend_from_slice(begin.as_bytes());
        session.stream.flush().await?;
        session.stream.start_deflate()?;
        Ok(Answer::Written)
    })
}
