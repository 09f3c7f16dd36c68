//! COPY (RFC 3501 section 6.4.7) and MOVE (RFC 6851) with COPYUID (RFC 4315 section 3). All messages or none.
use super::expunge::read_only;
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::sync::Telling;
use crate::imap::table::Request;
use crate::imap::{name, out, set};
use imap_codec::imap_types::command::CommandBody;
use posthouse_engine::Copied;
use posthouse_engine::base::Error;
use std::io;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let uid = request.is_uid();
        let (sequence_set, target, moves) = match &request.body {
            CommandBody::Copy { sequence_set, mailbox, .. } => (sequence_set, mailbox, false),
            CommandBody::Move { sequence_set, mailbox, .. } => (sequence_set, mailbox, true),
            _ => return Ok(Answer::bad("Messages and a mailbox name are expected")),
        };
        let account = session.account();
        let engine = session.shared.engine.clone();
        let Some(selected) = &session.selected else {
            return Ok(Answer::bad("No mailbox is selected"));
        };
        if moves && selected.read_only {
            return Ok(read_only());
        }
        let target = match name::decode(target).and_then(|name| session.mailbox_named(&name)) {
            Ok(target) => target.id,
            Err(answer) => return Ok(try_create(answer)),
        };
        let entries = &selected.view.entries;
        let positions = match set::positions(sequence_set, uid, entries) {
            Ok(positions) => positions,
            Err(answer) => return Ok(answer),
        };
        if positions.is_empty() {
            return Ok(Answer::ok("No matching messages"));
        }
        let from = selected.mailbox;
        let uids = match set::uids_at(&positions, entries) {
            Ok(uids) => uids,
            Err(error) => return Ok(error.into()),
        };
        let copied = match moves {
            true => engine.move_entries(account, from, uids, target).await,
            false => engine.copy(account, from, uids, target).await,
        };
        match copied {
            Ok(copied) if moves => session.moved(&copied, uid).await,
            Ok(copied) => Ok(Answer::ok(format!("{}COPY completed", copy_uid(&copied)))),
            // The target is gone since it was looked up, or the selected mailbox is.
            Err(error @ Error::NotFound(_)) => Ok(try_create(error.into())),
            Err(error) => Ok(error.into()),
        }
    })
}

impl Session {
    /// COPYUID comes untagged before the EXPUNGEs, so that the client knows what becomes of what it loses (RFC 6851 section 4.3).
    async fn moved(&mut self, copied: &Copied, uid: bool) -> io::Result<Answer> {
        let code = copy_uid(copied);
        if !code.is_empty() {
            self.untagged(&format!("OK {code}Moved"));
        }
        self.tell(Telling { expunges: true, uid, claim: true }, None).await?;
        Ok(Answer::ok("MOVE completed"))
    }
}

/// The response code and a space, or nothing when nothing was there to be copied.
fn copy_uid(copied: &Copied) -> String {
    if copied.from.is_empty() {
        return String::new();
    }
    let mut code = format!("[COPYUID {} ", copied.uid_validity).into_bytes();
    out::uid_set(&mut code, &copied.from);
    code.push(b' ');
    out::uid_set(&mut code, &copied.to);
    code.extend_from_slice(b"] ");
    String::from_utf8(code).unwrap_or_default()
}

/// A target that does not exist might be made (RFC 3501 section 7.1).
pub(super) fn try_create(answer: Answer) -> Answer {
    match answer {
        Answer::No(text) if text.starts_with("[NONEXISTENT]") => Answer::no("[TRYCREATE] There is no such mailbox"),
        other => other,
    }
}
