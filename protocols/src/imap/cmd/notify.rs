//! NOTIFY (RFC 5465): what the client wants to be told from now on, while it sends no command too.
use crate::imap::answer::Answer;
use crate::imap::notify::asked::Asked;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        if args.eat_word("NONE") {
            args.end()?;
            session.notify_none();
        } else {
            if !args.eat_word("SET") {
                args.wrong("SET or NONE")?;
            }
            let asked = Asked::parse(&mut args, session.names_utf8())?;
            session.notify_set(asked).await?;
        }
        Ok(Answer::ok("NOTIFY completed"))
    })
}
