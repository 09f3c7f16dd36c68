//! DELETE (RFC 3501 section 6.3.4): the mailbox and its messages; children stay.
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use posthouse_engine::base::MailboxId;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let name = args.astring()?;
        args.end()?;
        let name = session.name(&name)?;
        if name == "INBOX" {
            return Ok(Answer::no("[CANNOT] INBOX cannot be deleted"));
        }
        let id = session.mailbox_named(&name).map(|mailbox| mailbox.id).ok();
        session.shared.engine.delete_mailbox(session.account(), &name).await?;
        Ok(session.deleted(id))
    })
}

impl Session {
    /// A client that deletes the mailbox it has selected is left without one.
    fn deleted(&mut self, id: Option<MailboxId>) -> Answer {
        if self.selected.as_ref().is_some_and(|selected| Some(selected.mailbox) == id) {
            self.selected = None;
        }
        Answer::ok("DELETE completed")
    }
}
