//! AUTHENTICATE (RFC 3501 section 6.2.2) with an initial response (RFC 4959), by the mechanisms of `session::sasl`.
use super::login::needs_tls;
use crate::imap::answer::Answer;
use crate::imap::args::Args;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::limits;
use crate::session::{Dialog, Step};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use imap_codec::imap_types::command::CommandBody;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let body = request.body(walk)?;
        let CommandBody::Authenticate { mechanism, initial_response } = &body else {
            return Ok(request.wrong());
        };
        let place = session.place();
        let Some(mechanism) = session.shared.mechanism(&place, mechanism.to_string().as_bytes()) else {
            return Ok(Answer::no("[CANNOT] That mechanism is not offered"));
        };
        if !session.may_log_in() {
            return Ok(needs_tls());
        }
        // imap-codec has undone base64 already.
        let initial = initial_response.as_ref().map(|initial| STANDARD.encode(initial.declassify()));
        let (mut dialog, mut step) =
            Dialog::start(&session.shared, place, mechanism, initial.as_deref().map(str::as_bytes)).await;
        loop {
            match step {
                Step::Over(proof) => return Ok(session.proven(proof).await?),
                Step::Cancelled => return Ok(Answer::bad("AUTHENTICATE cancelled")),
                Step::Malformed => return Ok(Answer::bad("AUTHENTICATE: base64 of the mechanism's form is expected")),
                Step::Refused => return Ok(Answer::no("[AUTHORIZATIONFAILED] Nobody may act for somebody else")),
                Step::Challenge(challenge) => {
                    let line = format!("+ {challenge}\r\n");
                    session.stream.output().extend_from_slice(line.as_bytes());
                    match session.next_line(limits::SASL_LINE_BYTES_MAX).await? {
                        Ok(line) => step = dialog.line(&line).await,
                        Err(over) => {
                            session.goodbye(over);
                            return Ok(Answer::bad("AUTHENTICATE broken off"));
                        }
                    }
                }
            }
        }
    })
}

/// ` MECHANISM`, and base64 or `=` behind it.
fn walk(args: &mut Args<'_>) -> Result<(), Answer> {
    args.space()?;
    args.atom("a mechanism")?;
    if args.is_end() {
        return Ok(());
    }
    args.space()?;
    let start = args.clone();
    let initial = args.take_while(|byte| byte != b' ');
    if initial != b"=" && STANDARD.decode(initial).is_err() {
        start.wrong("base64")?;
    }
    Ok(args.end()?)
}
