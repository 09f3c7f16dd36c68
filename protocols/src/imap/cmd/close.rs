//! CLOSE (RFC 3501 section 6.4.2) and UNSELECT (RFC 3691). CLOSE removes what is marked \Deleted and tells nobody here of it.
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use posthouse_engine::directory::Rights;
use posthouse_engine::index::UidSet;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        request.args().end()?;
        // Who may not expunge closes all the same (RFC 4314 section 4).
        let expunges = session.selected_rights().contains(Rights::EXPUNGE);
        let selected = session.selected()?;
        let (account, mailbox, known) = (selected.account, selected.mailbox, selected.data().highest_modseq);
        let mut gone = UidSet::new();
        if expunges && request.name == "CLOSE" && !selected.read_only && selected.data().deleted > 0 {
            gone = session.expunge_all(account, mailbox, None).await?;
        }
        // Not before: a CLOSE that is refused leaves the mailbox selected.
        session.selected = None;
        if session.enabled.qresync && !gone.is_empty() {
            // RFC 7162 section 3.2.8. Not when others have changed something too: the client would take it for known.
            let now = session.shared.engine.mailbox(account, mailbox)?;
            if now.highest_modseq.0 == known.0 + 1 {
                return Ok(Answer::ok(format!("[HIGHESTMODSEQ {}] CLOSE completed", now.highest_modseq)));
            }
        }
        Ok(request.completed())
    })
}
