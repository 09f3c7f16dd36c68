//! CANCELUPDATE (RFC 5267 section 4.3.5): no more news of the searches with these tags.
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        let mut tags = Vec::new();
        loop {
            args.space()?;
            tags.push(String::from_utf8_lossy(&args.astring()?).into_owned());
            if args.is_end() {
                break;
            }
        }
        Ok(match session.cancel_updates(&tags) {
            Some(_) => Answer::no("[CANNOT] No search with UPDATE has that tag, or one of them"),
            None => Answer::ok("CANCELUPDATE completed"),
        })
    })
}
