//! STORE (RFC 3501 section 6.4.6) with UNCHANGEDSINCE (RFC 7162 section 3.1.3). One commit, however many messages.
use super::expunge::read_only;
use crate::imap::answer::Answer;
use crate::imap::fetch::render::{self, FlagParts};
use crate::imap::set::{self, Positions};
use crate::imap::state::{Running, Session};
use crate::imap::sync::{Expected, Own, Telling};
use crate::imap::table::Request;
use crate::imap::{flags, out};
use crate::limits;
use crate::runtime::yield_now;
use imap_codec::imap_types::command::{CommandBody, StoreModifier};
use imap_codec::imap_types::flag::{StoreResponse, StoreType};
use posthouse_engine::base::ModSeq;
use posthouse_engine::index::{FlagMode, UidSet};
use posthouse_engine::{Store, Stored};
use std::io;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let uid = request.is_uid();
        let CommandBody::Store { sequence_set, response, modifiers, .. } = &request.body else {
            return Ok(Answer::bad("STORE: messages and flags are expected"));
        };
        if !modifiers.is_empty() {
            session.enable_condstore();
        }
        let Some(selected) = &session.selected else {
            return Ok(Answer::bad("No mailbox is selected"));
        };
        if selected.read_only {
            return Ok(read_only());
        }
        let positions = match set::positions(sequence_set, uid, &selected.view.entries) {
            Ok(positions) => positions,
            Err(answer) => return Ok(answer),
        };
        let store = match asked(&request.body, &positions, session) {
            Ok(store) => store,
            Err(answer) => return Ok(answer),
        };
        if positions.is_empty() {
            return Ok(Answer::ok("No matching messages"));
        }
        let (account, mailbox) = (session.account(), selected.mailbox);
        let stored = match session.shared.engine.store(account, mailbox, store.clone()).await {
            Ok(stored) => stored,
            Err(error) => return Ok(error.into()),
        };
        let silent = *response == StoreResponse::Silent;
        session.answer_store(&store, &stored, &positions, silent, uid).await?;
        Ok(Answer::ok(if stored.modified.is_empty() {
            "STORE completed".to_owned()
        } else {
            format!("[MODIFIED {}] Some messages have changed since", session.modified(&stored.modified, uid))
        }))
    })
}

fn asked(body: &CommandBody<'_>, positions: &Positions, session: &Session) -> Result<Store, Answer> {
    let (CommandBody::Store { kind, flags, modifiers, .. }, Some(selected)) = (body, &session.selected) else {
        return Err(Answer::bad("STORE: messages and flags are expected"));
    };
    let (flags, keywords) = flags::split(flags).map_err(Answer::bad)?;
    let mode = match kind {
        StoreType::Replace => FlagMode::Replace,
        StoreType::Add => FlagMode::Add,
        StoreType::Remove => FlagMode::Remove,
    };
    let unchanged_since = modifiers.iter().map(|StoreModifier::UnchangedSince(modseq)| ModSeq(*modseq)).next();
    let uids = set::uids_at(positions, &selected.view.entries)?;
    Ok(Store { uids, mode, flags, keywords, unchanged_since })
}

impl Session {
    /// FETCH responses for the messages stored: flags unless .SILENT, MODSEQ with CONDSTORE in any case (RFC 7162 section 3.1.3).
    async fn answer_store(
        &mut self,
        store: &Store,
        stored: &Stored,
        positions: &Positions,
        silent: bool,
        uid: bool,
    ) -> io::Result<()> {
        let expected = Expected { mode: store.mode, flags: store.flags, keywords: &store.keywords };
        let parts = FlagParts { uid, flags: !silent, modseq: self.condstore };
        if silent && !self.condstore {
            // What another session did to the same messages meanwhile is told.
            let own = Own { uids: &store.uids, except: &stored.modified, expected: Some(expected) };
            return self.tell(Telling { expunges: false, uid, claim: false }, Some(own)).await;
        }
        let own = Own { uids: &store.uids, except: &stored.modified, expected: silent.then_some(expected) };
        self.tell(Telling { expunges: false, uid, claim: false }, Some(own)).await?;
        let Some(view) = self.selected.as_ref().map(|selected| selected.view.clone()) else {
            return Ok(());
        };
        // `tell` has made the view the newest one, or kept its numbers, as no EXPUNGE was allowed.
        for piece in set::pieces(positions, limits::IMAP_BATCH_MESSAGES) {
            for (at, entry) in piece.clone().zip(view.entries.range(piece)) {
                let (Ok(entry), Some(selected)) = (entry, &self.selected) else {
                    return Ok(());
                };
                if stored.modified.contains(entry.uid) {
                    continue;
                }
                let (entry, recent) = (selected.newest(entry), selected.recent.contains(entry.uid));
                let mailbox = selected.data().clone();
                render::flags_line(self.stream.output(), at, &entry, &mailbox, recent, parts);
            }
            self.flush_if_large().await?;
            yield_now().await;
        }
        Ok(())
    }

    /// The numbers of the MODIFIED response code: uids or message numbers, as in the command.
    fn modified(&self, uids: &UidSet, uid: bool) -> String {
        let mut text = Vec::new();
        let view = self.selected.as_ref().map(|selected| &selected.view);
        match view {
            Some(view) if !uid => {
                let numbers = uids.iter().filter_map(|uid| view.entries.position(uid).ok().flatten());
                let numbers = numbers.map(|at| posthouse_engine::base::Uid(at as u32 + 1));
                out::uid_set(&mut text, &numbers.collect());
            }
            _ => out::uid_set(&mut text, uids),
        }
        String::from_utf8(text).unwrap_or_default()
    }
}
