//! REPLACE and UID REPLACE (RFC 8508): a new message in the place of an old one, both or neither.
use super::append::append_uid;
use super::copy::try_create;
use super::expunge::read_only;
use crate::imap::answer::Answer;
use crate::imap::append::Incoming;
use crate::imap::set;
use crate::imap::state::{Running, Session};
use crate::imap::sync::Telling;
use crate::imap::table::Request;
use posthouse_engine::At;
use posthouse_engine::base::{MailboxId, Uid};
use posthouse_engine::directory::Rights;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let uid = request.is_uid();
        let mut args = request.args();
        args.space()?;
        let set = args.set()?;
        args.space()?;
        let name = args.astring()?;
        let mut incoming = Incoming::new(session, &request, &args);
        let places = match session.places(&set, uid, &name) {
            Ok(places) => places,
            Err(answer) => return Err(incoming.give_up(session, answer).await),
        };
        let (old, old_size_bytes, to) = places;
        (incoming.freed_bytes, incoming.account) = (old_size_bytes, to.account);
        let over = Answer::bad("REPLACE: one message is expected");
        let (mut messages, room) = incoming.read(session, 1, over).await?;
        let Some(message) = messages.pop() else {
            return Ok(Answer::bad("REPLACE: a message is expected"));
        };
        // The message took its time: what was allowed before it may be no longer.
        session.need_selected(REPLACING)?;
        let to = session.still(to, Rights::INSERT).map_err(try_create)?;
        let replaced = session.shared.engine.replace(old, to, message).await;
        drop(room);
        let appended = replaced.map_err(|error| try_create(error.into()))?;
        session.has_put(to, &appended.uids);
        // Before the EXPUNGE, so that the client knows what has become of what it loses (RFC 8508 section 3.4).
        let line = format!("OK {}", append_uid(&appended).replace("APPEND completed", "Replacement"));
        session.untagged(&line);
        session.tell(Telling { expunges: true, uid, claim: true, asked: true }, None).await?;
        Ok(session.with_modseq("REPLACE completed"))
    })
}

/// RFC 8508 section 3: as APPEND there and EXPUNGE here.
const REPLACING: Rights = Rights::DELETE_MESSAGES.union(Rights::EXPUNGE);

impl Session {
    /// The message to be replaced with its size, and where the new one goes.
    fn places(
        &self,
        set: &set::Set,
        uid: bool,
        name: &[u8],
    ) -> Result<((MailboxId, Uid), u64, At), crate::imap::answer::Fail> {
        let selected = self.selected()?;
        if selected.read_only {
            return Err(read_only().into());
        }
        let positions = set::positions(set, uid, selected.numbers())?;
        let [only] = positions.as_slice() else {
            return Err(Answer::no("[NONEXISTENT] There is no such message").into());
        };
        if only.len() != 1 {
            return Err(Answer::bad("REPLACE: one message is expected").into());
        }
        let entry = selected.view.entries.get(only.start)?;
        self.need_selected(REPLACING)?;
        let to = self.name(name).and_then(|name| self.place_for(&name, Rights::INSERT)).map_err(try_create)?.at();
        if to.account != selected.account {
            return Err(Answer::no("[CANNOT] A message is replaced within one account; use APPEND and EXPUNGE").into());
        }
        Ok(((selected.mailbox, entry.uid), entry.size_bytes.into(), to))
    }
}
