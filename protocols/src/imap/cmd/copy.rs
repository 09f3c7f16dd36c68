//! COPY (RFC 3501 section 6.4.7) and MOVE (RFC 6851) with COPYUID (RFC 4315 section 3). One commit, but for very many messages. COPY is for all
//! messages or for none; MOVE too, unless it takes several commits.
use super::expunge::read_only;
use crate::imap::answer::Answer;
use crate::imap::set::Positions;
use crate::imap::state::{Running, Session};
use crate::imap::sync::Telling;
use crate::imap::table::Request;
use crate::imap::{near, out, set};
use crate::limits;
use crate::runtime::yield_now;
use posthouse_engine::base::Load;
use posthouse_engine::directory::Rights;
use posthouse_engine::index::UidSet;
use posthouse_engine::{At, Copied};
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
        let mut broke_off = None;
        let copied = if shares_frames {
            let parts = set::groups(&positions, limits::COMMIT_COPIES_MAX);
            let parts: Vec<UidSet> = parts.map(|part| set::uids_at(&part, entries)).collect::<Result<_, _>>()?;
            match (moves, parts.len()) {
                (false, 2..) => session.copy_in_parts(from, &positions, parts, to).await,
                _ => session.copy_or_move(from, parts, (to, moves), &mut broke_off).await,
            }
        } else {
            session.carry(from, &set::uids_at(&positions, entries)?, to, moves).await
        };
        if let Ok(copied) = &copied {
            session.has_put(to, &copied.to);
        }
        match copied {
            Ok(copied) if moves => {
                let answer = session.moved(&copied, uid).await?;
                Ok(broke_off.unwrap_or_else(|| session.with_cut(cut, answer)))
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
    /// Takes several commits. A quota that has no room for all is asked first: what is begun would have to be taken back.
    async fn copy_in_parts(
        &self,
        from: At,
        positions: &Positions,
        parts: Vec<UidSet>,
        to: At,
    ) -> Result<Copied, Answer> {
        let (engine, entries) = (&self.shared.engine, self.selected()?.view.entries.clone());
        let mut more = Load::default();
        for group in set::groups(positions, limits::IMAP_BATCH_MESSAGES) {
            for (_, entry) in set::entries(&group, &entries) {
                more.bytes += u64::from(entry?.size_bytes);
                more.messages += 1;
            }
            yield_now().await;
        }
        engine.check_room(to.account, more)?;
        Ok(engine.copy_in_parts(from, parts, to).await?)
    }

    /// One commit for each of the parts. What a MOVE has moved when it breaks off stays moved (RFC 6851 section 3.3), and what it has broken off with
    /// is the answer.
    async fn copy_or_move(
        &self,
        from: At,
        parts: Vec<UidSet>,
        (to, moves): (At, bool),
        broke_off: &mut Option<Answer>,
    ) -> Result<Copied, Answer> {
        let mut all: Option<Copied> = None;
        for uids in parts {
            let part = match self.shared.engine.copy_at(from, uids, to, moves).await {
                Ok(part) => part,
                Err(error) if all.is_none() => return Err(error.into()),
                Err(error) => {
                    *broke_off = Some(try_create(error.into()));
                    break;
                }
            };
            match &mut all {
                Some(all) => all.add(&part),
                None => all = Some(part),
            }
        }
        all.ok_or_else(|| Answer::ok("No matching messages"))
    }

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
