//! DELETE (RFC 3501 section 6.3.4): the mailbox and its messages; children stay.
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use posthouse_engine::base::{AccountId, MailboxId};
use posthouse_engine::directory::{AclChange, Change, Directory, Rights};

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
        let place = session.place_for(&name, Rights::DELETE_MAILBOX)?;
        let (owner, mailbox) = (place.account, place.mailbox.id);
        // The mailbox whose rights were looked at: its name may be another's by now.
        session.shared.engine.delete_mailbox_at(owner, mailbox).await?;
        session.has_named(&place.name(), Some(false));
        let has_list = |directory: &Directory| directory.grants(owner, mailbox).next().is_some();
        if session.shared.engine.directory(has_list) {
            // Its number is never given again, so that a list which is left after a crash means nothing.
            let cleared = Change::Acl(AclChange::Clear { owner, mailbox });
            session.shared.engine.change_directory(vec![cleared]).await;
        }
        Ok(session.deleted((owner, mailbox)))
    })
}

impl Session {
    /// A client that deletes the mailbox it has selected is left without one.
    fn deleted(&mut self, place: (AccountId, MailboxId)) -> Answer {
        if self.selected.as_ref().is_some_and(|selected| (selected.account, selected.mailbox) == place) {
            self.selected = None;
        }
        Answer::ok("DELETE completed")
    }
}
