//! EXPUNGE (RFC 3501 section 6.4.3) and UID EXPUNGE (RFC 4315 section 2.1).
use crate::imap::answer::Answer;
use crate::imap::set;
use crate::imap::state::{Running, Session};
use crate::imap::sync::Telling;
use crate::imap::table::Request;
use posthouse_engine::directory::Rights;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        let set = match request.is_uid() {
            true => {
                args.space()?;
                Some(args.set()?)
            }
            false => None,
        };
        args.end()?;
        let selected = session.selected()?;
        if selected.read_only {
            return Ok(read_only());
        }
        session.need_selected(Rights::EXPUNGE)?;
        let account = selected.account;
        let uids = set.map(|set| set::uids_of(&set, selected.numbers())).transpose()?;
        let gone = session.shared.engine.expunge(account, selected.mailbox, uids).await?;
        let telling = Telling { expunges: true, uid: request.is_uid(), claim: true, asked: true };
        session.tell(telling, None).await?;
        Ok(if gone.is_empty() { Answer::ok("EXPUNGE completed") } else { session.with_modseq("EXPUNGE completed") })
    })
}

impl Session {
    /// OK with HIGHESTMODSEQ for a client that wants to know from where on it is to resynchronise (RFC 7162 section 3.2.8).
    pub(super) fn with_modseq(&self, text: &'static str) -> Answer {
        match &self.selected {
            Some(selected) if self.enabled.condstore => {
                Answer::ok(format!("[HIGHESTMODSEQ {}] {text}", selected.data().highest_modseq))
            }
            _ => Answer::ok(text),
        }
    }
}

/// The answer to whoever wants to change a mailbox that EXAMINE has opened.
pub(super) fn read_only() -> Answer {
    Answer::no("[CANNOT] The mailbox has been opened read-only")
}
