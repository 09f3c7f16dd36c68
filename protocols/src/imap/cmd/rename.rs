//! RENAME (RFC 3501 section 6.3.5): with all children; of INBOX it moves the messages and leaves INBOX.
use crate::imap::answer::Answer;
use crate::imap::place;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use posthouse_engine::base::MailboxId;
use posthouse_engine::directory::Rights;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let from = args.astring()?;
        args.space()?;
        let to = args.astring()?;
        args.end()?;
        let (from, to) = (session.name(&from)?, session.name(&to)?);
        let place = session.place_for(&from, Rights::DELETE_MAILBOX)?;
        let home = session.home(&to)?.ok_or_else(|| place::no_permission(Rights::CREATE))?;
        session.may_make(&home)?;
        if home.account != place.account {
            return Ok(Answer::no("[CANNOT] A mailbox stays in its account"));
        }
        if place.reader.is_some() && place.mailbox.id == MailboxId::INBOX {
            return Ok(Answer::no("[CANNOT] INBOX is its owner's to rename"));
        }
        // The mailbox whose rights were looked at: its name may be another's by now.
        session.shared.engine.rename_mailbox_at(place.account, place.mailbox.id, &home.rest).await?;
        session.has_named(&format!("{}{}", home.prefix, home.rest), Some(true));
        Ok(Answer::ok("RENAME completed"))
    })
}
