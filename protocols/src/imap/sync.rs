//! Tells a session what has changed in its mailbox: EXPUNGE, EXISTS, RECENT, FETCH (RFC 3501 sections 5.2, 7.3 and 7.4), and keeps its
//! message numbers right. Changes no mailbox.
use super::fetch::render;
use super::state::{Enabled, Selected, Session};
use super::table::{After, Command};
use super::{near, out, set};
use crate::limits;
use crate::runtime::yield_now;
use posthouse_engine::base::{AccountId, Error, ModSeq, Uid};
use posthouse_engine::directory::Rights;
use posthouse_engine::index::{Comparison, Diff, Entry, FlagMode, Flags, Keywords, Mailbox, UidSet};
use std::io;
use std::sync::Arc;

/// A change that this session has made itself and need not be told of.
pub(super) struct Own<'a> {
    pub(super) uids: &'a UidSet,
    /// Those of them that it has left alone.
    pub(super) except: &'a UidSet,
    /// With this, entries that came out otherwise than expected are told all the same: another session was at work too.
    pub(super) expected: Option<Expected<'a>>,
    /// The modseq of the change, if it was made at once.
    pub(super) changed_at: Option<ModSeq>,
}

/// What STORE is expected to have made of an entry.
pub(super) struct Expected<'a> {
    pub(super) mode: FlagMode,
    pub(super) flags: Flags,
    pub(super) keywords: &'a [String],
}

/// How to tell changes.
#[derive(Clone, Copy)]
pub(super) struct Telling {
    /// EXPUNGE may be sent.
    pub(super) expunges: bool,
    /// FETCH with UID.
    pub(super) uid: bool,
    /// Claim \Recent for new messages: needs a commit, so IDLE leaves it for later.
    pub(super) claim: bool,
    /// It belongs to what the client has asked for with a command: told whatever NOTIFY has said of the selected mailbox.
    pub(super) asked: bool,
}

/// What may be told of the selected mailbox (RFC 5465 section 6.1).
#[derive(Clone, Copy)]
struct Shown {
    /// EXISTS, and EXPUNGE where that may be told.
    counts: bool,
    /// What others did to flags.
    flags: bool,
}

/// What a session is told when a command ends.
pub(super) async fn after(session: &mut Session, command: &Command) -> io::Result<()> {
    let expunges = match command.after {
        After::Nothing => return Ok(()),
        After::NoExpunge => false,
        After::Everything => true,
    };
    let telling = Telling { expunges, uid: command.name.starts_with("UID "), claim: true, asked: false };
    session.tell(telling, None).await?;
    if session.selected.as_ref().is_some_and(|selected| selected.claim_due) {
        Box::pin(session.claim_recent()).await;
    }
    if session.notify.is_some() && !session.ended {
        session.tell_news().await?;
    }
    Ok(())
}

impl Session {
    fn shown(&self, telling: Telling) -> Shown {
        match &self.notify {
            None => Shown { counts: true, flags: true },
            Some(notify) => Shown { counts: notify.selected.counts || telling.asked, flags: notify.selected.flags },
        }
    }

    /// Tells what has changed since the last time.
    pub(super) async fn tell(&mut self, telling: Telling, own: Option<Own<'_>>) -> io::Result<()> {
        let Some(selected) = &self.selected else {
            return Ok(());
        };
        if selected.reader.is_some() && !self.selected_rights().contains(Rights::READ) {
            // Nothing may be told of it any more, not even what becomes of its messages.
            self.lost(&Error::NotFound(String::new()));
            return Ok(());
        }
        match self.shared.engine.mailbox(selected.account, selected.mailbox) {
            Ok(new) => {
                let (shown, is_own) = (self.shown(telling), own.is_some());
                if !shown.counts && !is_own {
                    // The client wants to go on with the mailbox as it knows it.
                    return Ok(());
                }
                let is_known = Arc::ptr_eq(&new, selected.data()) && (selected.newer.is_none() || !telling.expunges);
                if !is_known || selected.untold_since.is_some() && shown.flags {
                    // Boxed: a session that waits in IDLE shall not hold the room for this.
                    Box::pin(self.tell_new(new, telling, own)).await?;
                }
                if !is_own && self.has_updates() {
                    Box::pin(self.tell_updates()).await?;
                }
                Ok(())
            }
            Err(error) => {
                self.lost(&error);
                Ok(())
            }
        }
    }

    async fn tell_new(&mut self, new: Arc<Mailbox>, telling: Telling, own: Option<Own<'_>>) -> io::Result<()> {
        let Some(selected) = &self.selected else {
            return Ok(());
        };
        let (view, newer) = (selected.view.clone(), selected.newer.clone());
        let changes = match &own {
            Some(own) if newer.is_none() && own.is_all(&view, &new) => Changes::of(own.uids.without(own.except)),
            _ => match Changes::between(&view, newer.as_deref(), &new).await {
                Ok(changes) => changes,
                Err(error) => {
                    self.lost(&error);
                    return Ok(());
                }
            },
        };
        let (is_own, known_to) = (own.is_some(), selected.view.uid_next);
        if changes.all.appended > 0 {
            if telling.claim && !selected.read_only {
                self.claim_recent().await;
            } else {
                self.assume_recent(&new);
            }
        }
        self.tell_changes(new, &changes, telling, own).await?;
        if !is_own && self.shown(telling).flags {
            self.tell_untold(known_to).await?;
        }
        Ok(())
    }

    /// The flags that others have changed, while the client did not want to hear of them, of messages with lower uids than `known_to`.
    async fn tell_untold(&mut self, known_to: Uid) -> io::Result<()> {
        let Some(since) = self.selected.as_mut().and_then(|selected| selected.untold_since.take()) else {
            return Ok(());
        };
        let Some(view) = self.selected.as_ref().map(|selected| selected.view.clone()) else {
            return Ok(());
        };
        let Enabled { condstore, uid_only, .. } = self.enabled;
        let parts = render::FlagParts { uid: true, flags: true, modseq: condstore, uid_only };
        for group in set::groups(std::slice::from_ref(&(0..view.entries.len())), limits::IMAP_BATCH_MESSAGES) {
            near::bring_entries(self, self.mail_account(), &view, &group).await;
            for (at, entry) in set::entries(&group, &view.entries) {
                let (Ok(entry), Some(selected)) = (entry, &self.selected) else {
                    return Ok(());
                };
                let entry = selected.newest(entry);
                if entry.modseq > since && entry.uid < known_to {
                    let (mailbox, recent) = (selected.data().clone(), self.is_recent(entry.uid));
                    render::flags_line(self.stream.output(), at, &entry, &mailbox, recent, parts);
                }
            }
            self.stream.flush_if_large().await?;
            yield_now().await;
        }
        Ok(())
    }

    /// The mailbox is gone or cannot be read: the session cannot go on with its message numbers (RFC 2180 section 3.3).
    fn lost(&mut self, error: &Error) {
        match error {
            Error::NotFound(_) => self.untagged("BYE The selected mailbox has been deleted"),
            _ => {
                tracing::error!(%error, "imap: the selected mailbox cannot be read");
                self.untagged("BYE [UNAVAILABLE] The selected mailbox cannot be read");
            }
        }
        self.ended = true;
    }

    async fn tell_changes(
        &mut self,
        new: Arc<Mailbox>,
        changes: &Changes,
        telling: Telling,
        own: Option<Own<'_>>,
    ) -> io::Result<()> {
        let shown = self.shown(telling);
        let Some(selected) = &mut self.selected else {
            return Ok(());
        };
        let old = selected.data().clone();
        let keywords_differ = old.keywords.len() != new.keywords.len();
        // Whether the client's numbers may be those of the new view.
        let moves_on = shown.counts && (changes.all.expunged.is_empty() || telling.expunges);
        let gone = &changes.all.expunged;
        if shown.counts && !gone.is_empty() {
            let (view, has_contexts) = (selected.view.clone(), !selected.contexts.is_empty());
            if has_contexts {
                self.tell_removed(&view, gone).await?;
            }
            if moves_on {
                self.tell_expunges(&view, gone).await?;
            }
        }
        let Some(selected) = &mut self.selected else {
            return Ok(());
        };
        if !shown.flags && !changes.since_told.changed.is_empty() {
            selected.untold_since.get_or_insert(old.highest_modseq);
        }
        selected.contexts.note(&changes.since_told.changed);
        (selected.view, selected.newer) =
            if moves_on { (new.clone(), None) } else { (selected.view.clone(), Some(new.clone())) };
        let out = self.stream.output();
        if moves_on && changes.all.appended > 0 {
            selected.write_counts(out, self.enabled.rev2);
        }
        if keywords_differ {
            selected.write_flag_lists(out);
        }
        if shown.flags && !changes.only_own {
            self.tell_flags(&old, &new, &changes.since_told.changed, telling, own).await?;
        }
        Ok(())
    }

    /// From the last one down, so that no number shifts before it has been said; with QRESYNC or UIDONLY their uids in one response (RFC
    /// 7162 section 3.2.10, RFC 9586 section 3.4).
    async fn tell_expunges(&mut self, view: &Mailbox, expunged: &UidSet) -> io::Result<()> {
        if self.enabled.qresync || self.enabled.uid_only {
            return self.write_vanished(b"* VANISHED ", expunged).await;
        }
        let mut count = 0;
        for &(first, last) in expunged.ranges().iter().rev() {
            let Ok(start) = view.entries.lower_bound(Uid(first)) else {
                continue;
            };
            for at in (start..=start + (last - first) as usize).rev() {
                out::counted(self.stream.output(), at as u64 + 1, "EXPUNGE");
                self.stream.flush_if_large().await?;
                take_turns(&mut count).await;
            }
        }
        Ok(())
    }

    /// `* VANISHED 1:5,9`, in several lines when it gets long.
    pub(super) async fn write_vanished(&mut self, start: &[u8], uids: &UidSet) -> io::Result<()> {
        for ranges in uids.ranges().chunks(limits::IMAP_VANISHED_RANGES) {
            let out = self.stream.output();
            out.extend_from_slice(start);
            out::uid_set(out, &UidSet::from_ranges(ranges.iter().copied()));
            out.extend_from_slice(b"\r\n");
            self.stream.flush_if_large().await?;
            if uids.ranges().len() > limits::IMAP_VANISHED_RANGES {
                yield_now().await;
            }
        }
        Ok(())
    }

    async fn tell_flags(
        &mut self,
        old: &Mailbox,
        new: &Mailbox,
        changed: &UidSet,
        telling: Telling,
        own: Option<Own<'_>>,
    ) -> io::Result<()> {
        let (mut count, named) = (0, own.as_ref().and_then(|own| own.named(new)));
        for found in new.entries.in_uids(changed) {
            let Ok((_, entry)) = found else {
                return Ok(());
            };
            take_turns(&mut count).await;
            let Some(selected) = &self.selected else {
                return Ok(());
            };
            let reader = selected.reader;
            let (before, entry) = (as_told(old, &entry, reader), new.seen_by(entry, reader));
            if own.as_ref().is_some_and(|own| own.covers(before, named, &entry)) {
                continue;
            }
            if own.is_none() && !self.enabled.condstore && before == Some((entry.flags, entry.keywords)) {
                // What another member has seen is nothing to this one but a modseq.
                continue;
            }
            // Numbers are those of the view, which may still be older than `new`.
            let Ok(Some(at)) = selected.view.entries.position(entry.uid) else {
                continue;
            };
            let Enabled { condstore, uid_only, .. } = self.enabled;
            // RFC 5465 section 5.1 asks for the uid.
            let uid = telling.uid || condstore || self.notify.is_some();
            let parts = render::FlagParts { uid, flags: true, modseq: condstore, uid_only };
            let recent = self.is_recent(entry.uid);
            render::flags_line(self.stream.output(), at, &entry, new, recent, parts);
            self.stream.flush_if_large().await?;
        }
        Ok(())
    }

    /// Takes the new messages' \Recent for this session, or looks whether it may.
    pub(super) async fn claim_recent(&mut self) {
        let Some(selected) = &self.selected else {
            return;
        };
        let account = selected.account;
        let from = self.shared.engine.claim_recent(account, selected.mailbox).await;
        // What has come since the claim counts as ours too: RFC 3501 section 2.3.2 lets \Recent err on that side.
        let last = self.shared.engine.mailbox(account, selected.mailbox).map(|now| now.uid_next.0.saturating_sub(1));
        if let Some(selected) = &mut self.selected {
            selected.claim_due = false;
            if let (Ok(from), Ok(last)) = (from, last) {
                selected.add_recent(from.0, last);
            }
        }
    }

    /// Without a claim: "If it is not possible to determine whether or not this session is the first session to be notified about a
    /// message, then that message SHOULD be considered recent" (RFC 3501 section 2.3.2).
    fn assume_recent(&mut self, new: &Mailbox) {
        if let Some(selected) = &mut self.selected
            && new.uid_next.0 > 1
        {
            let from = selected.data().uid_next.0.max(new.recent_from.0);
            selected.add_recent(from, new.uid_next.0 - 1);
            selected.claim_due = !selected.read_only;
        }
    }
}

impl Selected {
    /// Adds uids to those that are \Recent here.
    pub(super) fn add_recent(&mut self, first: u32, last: u32) {
        if first > last {
            return;
        }
        let ranges = self.recent.ranges();
        let mut merged: Vec<(u32, u32)> = ranges.to_vec();
        merged.push((first, last));
        if merged.len() > limits::IMAP_RECENT_RANGES_MAX {
            let low = merged.iter().map(|range| range.0).min().unwrap_or(first);
            merged = vec![(low, last)];
        }
        self.recent = UidSet::from_ranges(merged);
    }
}

impl Own<'_> {
    /// Whether nothing else has happened between two views: the counter was moved once, and by this change.
    fn is_all(&self, old: &Mailbox, new: &Mailbox) -> bool {
        let next = ModSeq(old.highest_modseq.0 + 1);
        new.highest_modseq == next && self.changed_at == Some(next) && new.uid_next == old.uid_next
    }

    /// Whether the change of this entry is the session's own; `named` is what it was expected to come to.
    fn covers(&self, before: Option<(Flags, Keywords)>, named: Option<Named>, entry: &Entry) -> bool {
        if !self.uids.contains(entry.uid) || self.except.contains(entry.uid) {
            return false;
        }
        let Some((mode, named)) = named else {
            return true;
        };
        before.is_some_and(|before| mode.apply(before, named) == (entry.flags, entry.keywords))
    }

    /// What is expected, with keywords as the bits of the mailbox.
    fn named(&self, new: &Mailbox) -> Option<Named> {
        let expected = self.expected.as_ref()?;
        let bits =
            expected.keywords.iter().filter_map(|keyword| new.keyword_bit(keyword)).fold(0, |bits, bit| bits | bit);
        Some((expected.mode, (expected.flags, Keywords(bits))))
    }
}

/// A change of flags and keywords.
type Named = (FlagMode, (Flags, Keywords));

/// Leaves others their turn now and then; to be called for each entry.
async fn take_turns(count: &mut usize) {
    *count += 1;
    if count.is_multiple_of(limits::IMAP_BATCH_MESSAGES) {
        yield_now().await;
    }
}

/// The flags of an entry in the view that the client knows.
fn as_told(old: &Mailbox, entry: &Entry, reader: Option<AccountId>) -> Option<(Flags, Keywords)> {
    let at = old.entries.position(entry.uid).ok().flatten()?;
    let before = old.seen_by(old.entries.get(at).ok()?, reader);
    Some((before.flags, before.keywords))
}

/// What a session has to be told.
struct Changes {
    /// From the view whose numbers the client uses.
    all: Diff,
    /// From the view whose flags the client has been told.
    since_told: Diff,
    /// All of it is what the session did itself.
    only_own: bool,
}

impl Changes {
    /// The session's own change of these and nothing else: no entry has to be looked at.
    fn of(changed: UidSet) -> Changes {
        let all = Diff { changed, ..Diff::default() };
        Changes { since_told: all.clone(), all, only_own: true }
    }

    /// `newer` is the view whose flags the client has been told, if that is not `view`.
    async fn between(view: &Mailbox, newer: Option<&Mailbox>, new: &Mailbox) -> Result<Changes, Error> {
        let all = compare(view, new).await?;
        let since_told = match newer {
            Some(newer) => compare(newer, new).await?,
            None => all.clone(),
        };
        Ok(Changes { all, since_told, only_own: false })
    }
}

/// What differs between two views. A STORE may have changed millions of entries, and thousands of sessions are told.
async fn compare(old: &Mailbox, new: &Mailbox) -> Result<Diff, Error> {
    let mut comparison = Comparison::new(old, new);
    while comparison.step()? {
        yield_now().await;
    }
    Ok(comparison.found())
}
