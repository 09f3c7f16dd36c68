//! RETR (RFC 1939 section 5): a message, byte for byte.
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;

pub(in crate::pop3) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let number = match request.message() {
            Ok(number) => number,
            Err(refusal) => return Ok(refusal),
        };
        match session.message(number).await? {
            Ok(message) => {
                let size_bytes = message.len();
                let sent = session.send(&format!("+OK {size_bytes} octets"), message, size_bytes).await?;
                if let Some(maildrop) = &mut session.maildrop {
                    maildrop.fetch(number);
                }
                Ok(sent)
            }
            Err(refusal) => Ok(refusal),
        }
    })
}
