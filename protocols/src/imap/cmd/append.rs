//! APPEND (RFC 3501 section 6.3.11) of one message or several (RFC 3502), with APPENDUID (RFC 4315). All messages or none.
use super::copy::try_create;
use crate::imap::answer::Answer;
use crate::imap::append::Incoming;
use crate::imap::out;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use posthouse_engine::Appended;
use posthouse_engine::directory::Rights;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let name = args.astring()?;
        let mut incoming = Incoming::new(session, &request, &args);
        let found = session.name(&name).and_then(|name| session.place_for(&name, Rights::INSERT));
        let place = match found {
            Ok(place) => place,
            Err(answer) => return Err(incoming.give_up(session, try_create(answer).into()).await),
        };
        incoming.account = place.account;
        let (max, over) = (session.shared.message_limit.messages_max as usize, session.over_limit());
        let (messages, room) = incoming.read(session, max, over).await?;
        // The messages took their time: what was allowed before them may be no longer.
        let at = session.still(place.at(), Rights::INSERT).map_err(try_create)?;
        let appended = session.shared.engine.append_at(at, messages).await;
        drop(room);
        let appended = appended.map_err(|error| try_create(error.into()))?;
        session.has_put(at, &appended.uids);
        Ok(Answer::ok(append_uid(&appended)))
    })
}

/// `[APPENDUID 38505 3955] ...`
pub(super) fn append_uid(appended: &Appended) -> String {
    let mut text = format!("[APPENDUID {} ", appended.uid_validity).into_bytes();
    out::uid_set(&mut text, &appended.uids);
    text.extend_from_slice(b"] APPEND completed");
    String::from_utf8(text).unwrap_or_default()
}
