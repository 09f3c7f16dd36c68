//! LIST (RFC 1939 section 5): the size of one message or of all.
use crate::pop3::answer::Answer;
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;
use std::io::Write;

pub(in crate::pop3) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let asked = request.message_or_all();
        if let Ok(Some(number)) = asked {
            session.bring_number(number).await;
        }
        let asked = asked.and_then(|asked| Ok((asked, session.opened()?)));
        let first = match asked {
            Ok((None, maildrop)) => format!("+OK {}", maildrop.summary()),
            Ok((Some(number), maildrop)) => {
                return Ok(match maildrop.find(number) {
                    Ok((_, entry)) => Answer::ok(format!("{number} {}", entry.size_bytes)),
                    Err(refusal) => refusal,
                });
            }
            Err(refusal) => return Ok(refusal),
        };
        session
            .list(&first, |out, number, _, entry| {
                // Writing to memory does not fail.
                let _ = write!(out, "{number} {}", entry.size_bytes);
            })
            .await
    })
}
