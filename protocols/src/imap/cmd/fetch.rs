//! FETCH (RFC 3501 section 6.4.5) with CHANGEDSINCE (RFC 7162 section 3.1.4). Streams: what is written is sent before more is read, and
//! other sessions are served in between.
use crate::imap::answer::Answer;
use crate::imap::fetch::plan::Plan;
use crate::imap::fetch::render::{self, Source};
use crate::imap::set;
use crate::imap::state::{Running, Session};
use crate::imap::sync::{Own, Telling};
use crate::imap::table::Request;
use crate::limits;
use crate::runtime::yield_now;
use imap_codec::imap_types::command::{CommandBody, FetchModifier};
use posthouse_engine::base::{Error, Result, Uid};
use posthouse_engine::index::mime::SummaryRef;
use posthouse_engine::index::{Entry, FlagMode, Flags, Mailbox, UidSet};
use posthouse_engine::{Bytes, Store};
use std::io;
use std::ops::Range;
use std::sync::Arc;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let uid = request.is_uid();
        let CommandBody::Fetch { sequence_set, macro_or_item_names, modifiers, .. } = &request.body else {
            return Ok(Answer::bad("FETCH: messages and items are expected"));
        };
        let changed_since = match changed_since(modifiers) {
            Ok(changed_since) => changed_since,
            Err(answer) => return Ok(answer),
        };
        let plan = match Plan::new(macro_or_item_names, uid, changed_since.is_some()) {
            Ok(plan) => plan,
            Err(answer) => return Ok(answer),
        };
        if plan.modseq {
            session.enable_condstore();
        }
        let Some(selected) = &session.selected else {
            return Ok(Answer::bad("No mailbox is selected"));
        };
        let (view, read_only) = (selected.view.clone(), selected.read_only);
        let positions = match set::positions(sequence_set, uid, &view.entries) {
            Ok(positions) => positions,
            Err(answer) => return Ok(answer),
        };
        let mut fetch = Fetch { plan, changed_since, view, uid, sets_seen: false, failed: None };
        fetch.sets_seen = fetch.plan.sets_seen && !read_only;
        for piece in set::pieces(&positions, limits::IMAP_BATCH_MESSAGES) {
            session.fetch(&mut fetch, piece).await?;
            if session.ended {
                return Ok(Answer::no("FETCH broken off"));
            }
            yield_now().await;
        }
        Ok(match fetch.failed {
            None => Answer::ok("FETCH completed"),
            // RFC 5530: a message that another session has expunged, and whose bytes may be gone by now.
            Some(Error::NotFound(_)) => Answer::no("[EXPUNGEISSUED] Some messages are gone"),
            Some(error) => error.into(),
        })
    })
}

fn changed_since(modifiers: &[FetchModifier]) -> std::result::Result<Option<u64>, Answer> {
    let mut since = None;
    for modifier in modifiers {
        match modifier {
            FetchModifier::ChangedSince(modseq) => since = Some(modseq.get()),
            FetchModifier::Vanished => return Err(Answer::bad("QRESYNC has not been enabled")),
        }
    }
    Ok(since)
}

/// A FETCH under way.
struct Fetch {
    plan: Plan,
    changed_since: Option<u64>,
    view: Arc<Mailbox>,
    uid: bool,
    sets_seen: bool,
    /// Why messages had to be left out.
    failed: Option<Error>,
}

impl Session {
    /// Writes the messages at some positions.
    async fn fetch(&mut self, fetch: &mut Fetch, piece: Range<usize>) -> io::Result<()> {
        let seen_now = if fetch.sets_seen { self.set_seen(fetch, piece.clone()).await? } else { UidSet::new() };
        if let Some(selected) = &self.selected
            && selected.newer.is_none()
        {
            // The same numbers, with the flags as they are now.
            fetch.view = selected.view.clone();
        }
        let view = fetch.view.clone();
        for (at, entry) in piece.clone().zip(view.entries.range(piece)) {
            let Some(selected) = &self.selected else {
                return Ok(());
            };
            let entry = match entry {
                Ok(entry) => selected.newest(entry),
                Err(error) => {
                    fetch.failed = Some(error);
                    return Ok(());
                }
            };
            if fetch.changed_since.is_some_and(|since| entry.modseq.0 <= since) {
                continue;
            }
            let (summary, message) = match self.read(&fetch.plan, &entry).await {
                Ok(found) => found,
                Err(error) => {
                    fetch.failed = Some(error);
                    continue;
                }
            };
            if let Err(error) = self.write(fetch, at, &entry, summary, message, seen_now.contains(entry.uid)) {
                fetch.failed = Some(error);
            }
            if self.stream.output().len() >= limits::IMAP_OUTPUT_BYTES {
                self.stream.flush().await?;
            }
        }
        Ok(())
    }

    /// Reads what the plan needs of a message.
    async fn read(&self, plan: &Plan, entry: &Entry) -> Result<(Option<Bytes>, Option<Bytes>)> {
        let engine = &self.shared.engine;
        let summary = if plan.summary { Some(engine.summary(self.account(), entry)?) } else { None };
        let message = if plan.message { Some(engine.message(self.account(), entry).await?) } else { None };
        Ok((summary, message))
    }

    fn write(
        &mut self,
        fetch: &Fetch,
        at: usize,
        entry: &Entry,
        summary: Option<Bytes>,
        message: Option<Bytes>,
        flags_changed: bool,
    ) -> Result<()> {
        let Some(selected) = &self.selected else {
            return Ok(());
        };
        let summary = match &summary {
            Some(bytes) => Some(SummaryRef::decode(bytes).map_err(|why| corrupt(entry, &why.to_string()))?),
            None => None,
        };
        let source = Source {
            at,
            entry,
            keywords: &selected.data().keywords,
            recent: selected.recent.contains(entry.uid),
            summary,
            message: message.as_deref().unwrap_or_default(),
            flags_changed,
            condstore: self.condstore,
        };
        render::message(self.stream.output(), &fetch.plan, &source);
        Ok(())
    }

    /// Reading a body marks it \Seen (RFC 3501 section 6.4.5). One commit for all of the piece; says which messages were unseen.
    async fn set_seen(&mut self, fetch: &Fetch, piece: Range<usize>) -> io::Result<UidSet> {
        let Some(selected) = &self.selected else {
            return Ok(UidSet::new());
        };
        let mut unseen: Vec<Uid> = Vec::new();
        for entry in fetch.view.entries.range(piece).flatten() {
            let entry = selected.newest(entry);
            let skipped = fetch.changed_since.is_some_and(|since| entry.modseq.0 <= since);
            if !entry.flags.contains(Flags::SEEN) && !skipped {
                unseen.push(entry.uid);
            }
        }
        if unseen.is_empty() {
            return Ok(UidSet::new());
        }
        let unseen: UidSet = unseen.into_iter().collect();
        let store = Store {
            uids: unseen.clone(),
            mode: FlagMode::Add,
            flags: Flags::SEEN,
            keywords: Vec::new(),
            unchanged_since: None,
        };
        let stored = self.shared.engine.store(self.account(), selected.mailbox, store).await;
        if let Err(error) = stored {
            // The message can be read all the same; it stays unseen.
            tracing::warn!(%error, "imap: \\Seen could not be set");
            return Ok(UidSet::new());
        }
        // The view of `fetch` keeps its numbers: no EXPUNGE is told before the end.
        let own = Own { uids: &unseen, except: &UidSet::new(), expected: None };
        self.tell(Telling { expunges: false, uid: fetch.uid, claim: false }, Some(own)).await?;
        Ok(unseen)
    }
}

fn corrupt(entry: &Entry, why: &str) -> Error {
    Error::corrupt(format!("summary of message {}", entry.guid), 0, why)
}
