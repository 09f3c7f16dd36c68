//! DATA (RFC 5321 section 4.1.1.4): the message up to a line with a dot alone, which only CRLF can make.
use crate::smtp::message::Intake;
use crate::smtp::reply::Reply;
use crate::smtp::state::{Answer, Running, Session};
use smtp_proto::Request;

pub(in crate::smtp) fn run(session: &mut Session, _request: Request<String>) -> Running<'_> {
    Box::pin(async move {
        match &session.transaction {
            None => return Ok(Answer::new(503, "5.5.1 MAIL first")),
            Some(transaction) if transaction.chunks.is_some() => {
                return Ok(Answer::new(503, "5.5.1 The message comes in chunks; end it with BDAT"));
            }
            Some(transaction) if transaction.terms.binary => {
                // RFC 3030 section 3.
                return Ok(Answer::new(503, "5.5.1 BODY=BINARYMIME comes with BDAT"));
            }
            Some(transaction) if transaction.recipients.is_empty() => {
                return Ok(Answer::new(503, "5.5.1 No recipient has been accepted"));
            }
            Some(_) => {}
        }
        if let Some(transaction) = &mut session.transaction {
            transaction.begun = true;
        }
        session.say(&Reply::new(354, "Send the message; end it with a line that holds a dot alone"));
        Ok(match session.take_data().await? {
            Intake::Whole(taken) => session.finish(taken).await,
            Intake::Refused(reply) => session.refuse(reply),
            Intake::Over(over) => {
                session.goodbye(over);
                Answer::Written
            }
        })
    })
}
