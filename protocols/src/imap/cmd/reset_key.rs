//! RESETKEY (RFC 4467 section 7): takes back URLs that the session's member has made, of one mailbox or of all.
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::imap::url_auth::INTERNAL;
use posthouse_engine::directory::Rights;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        let engine = session.shared.engine.clone();
        if args.is_end() {
            engine.reset_url_keys(session.account()).await?;
            return Ok(Answer::ok("All keys removed"));
        }
        args.space()?;
        let name = args.astring()?;
        while !args.is_end() {
            args.space()?;
            if !args.atom("a mechanism")?.eq_ignore_ascii_case(INTERNAL) {
                return Ok(Answer::no("[CANNOT] The mechanism here is INTERNAL"));
            }
        }
        let place = session.place_for(&session.name(&name)?, Rights::READ)?;
        engine.reset_url_key(session.account(), place.for_urls()).await?;
        Ok(Answer::ok("[URLMECH INTERNAL] RESETKEY completed"))
    })
}
