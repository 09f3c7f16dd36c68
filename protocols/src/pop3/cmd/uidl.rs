//! UIDL (RFC 1939 section 7): a name for one message or for all that no other message of the account ever has.
use crate::pop3::answer::Answer;
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;
use std::io::Write;

pub(in crate::pop3) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        if let Some(maildrop) = &mut session.maildrop {
            maildrop.read_unique_ids();
        }
        let asked = request.message_or_all();
        if let Ok(Some(number)) = asked {
            session.bring_number(number).await;
        }
        let asked = asked.and_then(|asked| Ok((asked, session.opened()?)));
        match asked {
            Ok((None, _)) => {}
            Ok((Some(number), maildrop)) => {
                return Ok(match maildrop.find(number) {
                    Ok((_, entry)) => Answer::ok(format!("{number} {}", maildrop.unique_id(entry.uid))),
                    Err(refusal) => refusal,
                });
            }
            Err(refusal) => return Ok(refusal),
        }
        session
            .list("+OK", |out, number, maildrop, entry| {
                // Writing to memory does not fail.
                let _ = write!(out, "{number} {}", maildrop.unique_id(entry.uid));
            })
            .await
    })
}
