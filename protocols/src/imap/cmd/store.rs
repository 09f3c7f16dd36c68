//! STORE (RFC 3501 section 6.4.6) with UNCHANGEDSINCE (RFC 7162 section 3.1.3). One commit, but for very many messages.
use super::expunge::read_only;
use crate::imap::answer::Answer;
use crate::imap::fetch::render::{self, FlagParts};
use crate::imap::set::{self, Positions, Set};
use crate::imap::state::{Running, Session};
use crate::imap::sync::{Expected, Own, Telling};
use crate::imap::table::Request;
use crate::imap::{flags, near, out};
use crate::limits;
use crate::runtime::yield_now;
use posthouse_engine::base::{Error, ModSeq};
use posthouse_engine::index::{EntryTable, FlagMode, Flags, UidSet};
use posthouse_engine::{At, Guest, Store, Stored};
use std::io;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let uid = request.is_uid();
        let asked = Asked::parse(&request)?;
        if asked.unchanged_since.is_some() {
            session.enable_condstore();
        }
        let selected = session.selected()?;
        if selected.read_only {
            return Ok(read_only());
        }
        let mut positions = set::positions(&asked.set, uid, selected.numbers())?;
        let cut = session.cut(&mut positions, &selected.view.entries)?;
        near::bring_selected(session, &positions).await;
        let uids = set::uids_at(&positions, &selected.view.entries)?;
        let Asked { mode, flags, keywords, unchanged_since, .. } = asked;
        let store = Store { uids, mode, flags, keywords, unchanged_since };
        if positions.is_empty() {
            return Ok(Answer::ok("No matching messages"));
        }
        let at = session.selected_at()?;
        if let Some(guest) = at.guest {
            may_store(guest, &store)?;
        }
        let entries = session.selected()?.view.entries.clone();
        let stored = session.store_all(at, &store, &positions, &entries).await?;
        session.answer_store(&store, &stored, &positions, asked.silent, uid).await?;
        let answer = Answer::ok(if stored.modified.is_empty() {
            "STORE completed".to_owned()
        } else {
            format!("[MODIFIED {}] Some messages have changed since", session.modified(&stored.modified, uid))
        });
        Ok(session.with_cut(cut, answer))
    })
}

/// A STORE that may change some of what it names changes that; one that may change nothing is refused (RFC 4314 section 4).
fn may_store(guest: Guest, store: &Store) -> Result<(), Answer> {
    let named = Flags(guest.flags.0 & store.flags.0) != Flags::NONE || guest.keywords && !store.keywords.is_empty();
    let all = store.mode == FlagMode::Replace && (guest.flags != Flags::NONE || guest.keywords);
    if named || all { Ok(()) } else { Err(Answer::no("[NOPERM] You may not change these flags here")) }
}

/// What a STORE asks.
struct Asked {
    set: Set,
    mode: FlagMode,
    silent: bool,
    flags: Flags,
    keywords: Vec<String>,
    unchanged_since: Option<ModSeq>,
}

impl Asked {
    fn parse(request: &Request) -> Result<Asked, Answer> {
        let mut args = request.args();
        args.space()?;
        let set = args.set()?;
        args.space()?;
        let mut unchanged_since = None;
        if args.peek() == Some(b'(') {
            args.list(false, |args| {
                args.need("UNCHANGEDSINCE")?;
                args.space()?;
                unchanged_since = Some(ModSeq(args.number()?));
                Ok(())
            })?;
            args.space()?;
        }
        let mode = match args.peek() {
            Some(b'+') => FlagMode::Add,
            Some(b'-') => FlagMode::Remove,
            _ => FlagMode::Replace,
        };
        args.take_while(|byte| matches!(byte, b'+' | b'-'));
        args.need("FLAGS")?;
        let silent = args.eat(".SILENT");
        args.space()?;
        let (flags, keywords) = flags::named(&args.flags()?)?;
        args.end()?;
        Ok(Asked { set, mode, silent, flags, keywords, unchanged_since })
    }
}

impl Session {
    /// Commits it, in several transactions where it is for very many messages: while one is planned, the shard commits nothing else.
    async fn store_all(
        &self,
        at: At,
        store: &Store,
        positions: &Positions,
        entries: &EntryTable,
    ) -> Result<Stored, Error> {
        let engine = &self.shared.engine;
        if set::count(positions) <= limits::COMMIT_MESSAGES_MAX {
            return engine.store_at(at, store.clone()).await;
        }
        let mut parts = set::groups(positions, limits::COMMIT_MESSAGES_MAX)
            .map(|part| set::uids_at(&part, entries).map(|uids| Store { uids, ..store.clone() }));
        let first = parts.next().unwrap_or_else(|| Ok(store.clone()))?;
        let mut all = engine.store_at(at, first).await?;
        for part in parts {
            let stored = engine.store_at(at, part?).await?;
            stored.modified.ranges().iter().for_each(|&(first, last)| all.modified.push_range(first, last));
            (all.modseq, all.changed_at) = (stored.modseq, None);
        }
        Ok(all)
    }

    /// FETCH responses for the messages stored: flags unless .SILENT, MODSEQ with CONDSTORE in any case (RFC 7162 section 3.1.3).
    async fn answer_store(
        &mut self,
        store: &Store,
        stored: &Stored,
        positions: &Positions,
        silent: bool,
        uid: bool,
    ) -> io::Result<()> {
        let changed_at = stored.changed_at;
        let expected = Expected { mode: store.mode, flags: store.flags, keywords: &store.keywords };
        let (condstore, uid_only) = (self.enabled.condstore, self.enabled.uid_only);
        let parts = FlagParts { uid, flags: !silent, modseq: condstore, uid_only };
        if silent && !condstore {
            // What another session did to the same messages meanwhile is told.
            let own = Own { uids: &store.uids, except: &stored.modified, expected: Some(expected), changed_at };
            return self.tell(Telling { expunges: false, uid, claim: false, asked: false }, Some(own)).await;
        }
        let own = Own { uids: &store.uids, except: &stored.modified, expected: silent.then_some(expected), changed_at };
        self.tell(Telling { expunges: false, uid, claim: false, asked: false }, Some(own)).await?;
        let Some(view) = self.selected.as_ref().map(|selected| selected.view.clone()) else {
            return Ok(());
        };
        // `tell` has made the view the newest one, or kept its numbers, as no EXPUNGE was allowed.
        for (number, group) in set::groups(positions, limits::IMAP_BATCH_MESSAGES).enumerate() {
            if number > 0 {
                yield_now().await;
            }
            for (at, entry) in set::entries(&group, &view.entries) {
                let (Ok(entry), Some(selected)) = (entry, &self.selected) else {
                    return Ok(());
                };
                if stored.modified.contains(entry.uid) {
                    continue;
                }
                let (entry, recent) = (selected.newest(entry), self.is_recent(entry.uid));
                render::flags_line(self.stream.output(), at, &entry, selected.data(), recent, parts);
            }
            self.stream.flush_if_large().await?;
        }
        Ok(())
    }

    /// The numbers of the MODIFIED response code: uids or message numbers, as in the command.
    fn modified(&self, uids: &UidSet, uid: bool) -> String {
        let mut text = Vec::new();
        let view = self.selected.as_ref().map(|selected| &selected.view);
        match view {
            Some(view) if !uid => {
                let positions = set::uid_positions(uids, &view.entries).unwrap_or_default();
                let numbers = positions.iter().map(|range| (range.start as u32 + 1, range.end as u32));
                out::uid_set(&mut text, &UidSet::from_ranges(numbers));
            }
            _ => out::uid_set(&mut text, uids),
        }
        String::from_utf8(text).unwrap_or_default()
    }
}
