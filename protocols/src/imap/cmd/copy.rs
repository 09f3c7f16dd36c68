//! COPY (RFC 3501 section 6.4.7) and MOVE (RFC 6851) with COPYUID (RFC 4315 section 3). All messages or none.
use super::expunge::read_only;
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::sync::Telling;
use crate::imap::table::Request;
use crate::imap::{near, out, set};
use posthouse_engine::Copied;
use posthouse_engine::directory::Rights;
use std::io;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let uid = request.is_uid();
        let moves = request.name.ends_with("MOVE");
        let mut args = request.args();
        args.space()?;
        let set = args.set()?;
        args.space()?;
        let target = session.name(&args.astring()?);
        args.end()?;
        let engine = session.shared.engine.clone();
        let selected = session.selected()?;
        if moves && selected.read_only {
            return Ok(read_only());
        }
        session.need_selected(if moves { MOVING } else { Rights::READ })?;
        let to = target.and_then(|name| session.place_for(&name, Rights::INSERT)).map_err(try_create)?.at();
        let entries = &selected.view.entries;
        let mut positions = set::positions(&set, uid, selected.numbers())?;
        if positions.is_empty() {
            return Ok(Answer::ok("No matching messages"));
        }
        let from = session.selected_at()?;
        let shares_frames = engine.share_frames(from.account, to.account);
        let cut = if moves { session.cut(&mut positions, entries)? } else { None };
        if (!shares_frames || session.shared.message_limit.cuts)
            && let Some(refused) = session.refuse_more(positions.clone(), entries)?
        {
            return Ok(refused);
        }
        near::bring_selected(session, &positions).await;
        let uids = set::uids_at(&positions, entries)?;
        let copied = match shares_frames {
            true => engine.copy_at(from, uids, to, moves).await.map_err(Answer::from),
            false => session.carry(from, &uids, to, moves).await,
        };
        if let Ok(copied) = &copied {
            session.has_put(to, &copied.to);
        }
        match copied {
            Ok(copied) if moves => {
                let answer = session.moved(&copied, uid).await?;
                Ok(session.with_cut(cut, answer))
            }
            Ok(copied) => Ok(Answer::ok(format!("{}COPY completed", copy_uid(&copied)))),
            // The target may be gone since it was looked up, or the selected mailbox.
            Err(answer) => Ok(try_create(answer)),
        }
    })
}

/// RFC 4314 section 4 for COPY, and what EXPUNGE needs besides.
pub(in crate::imap) const MOVING: Rights = Rights::READ.union(Rights::DELETE_MESSAGES).union(Rights::EXPUNGE);

impl Session {
    /// COPYUID comes untagged before the EXPUNGEs, so that the client knows what becomes of what it loses (RFC 6851 section 4.3).
    async fn moved(&mut self, copied: &Copied, uid: bool) -> io::Result<Answer> {
        let code = copy_uid(copied);
        if !code.is_empty() {
            self.untagged(&format!("OK {code}Moved"));
        }
        self.tell(Telling { expunges: true, uid, claim: true, asked: true }, None).await?;
        Ok(self.with_modseq("MOVE completed"))
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
