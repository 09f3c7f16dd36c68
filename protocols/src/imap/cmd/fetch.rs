//! FETCH (RFC 3501 section 6.4.5) with CHANGEDSINCE and VANISHED (RFC 7162 sections 3.1.4 and 3.2.6) and PARTIAL (RFC 9394). Streams: what is written is sent before more is read, and
//! other sessions are served in between.
use crate::imap::answer::Answer;
use crate::imap::args::Args;
use crate::imap::fetch::plan::{Content, Decoding, Plan};
use crate::imap::fetch::render::{self, Source};
use crate::imap::fetch::section::{self, Selected, Sought};
use crate::imap::near;
use crate::imap::out;
use crate::imap::search::lines::Cursor;
use crate::imap::search::results::{Found, Partial};
use crate::imap::set::{self, Set};
use crate::imap::state::{Enabled, Running, Session};
use crate::imap::sync::{Own, Telling};
use crate::imap::table::Request;
use crate::limits;
use crate::runtime::yield_now;
use crate::session::{Reading, Work};
use posthouse_engine::Store;
use posthouse_engine::base::{Error, Uid};
use posthouse_engine::directory::Rights;
use posthouse_engine::index::mime::{DecodeError, SummaryRef};
use posthouse_engine::index::{Entry, FlagMode, Flags, Mailbox, UidSet};
use std::future::Future;
use std::io;
use std::ops::Range;
use std::pin::Pin;
use std::sync::Arc;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let uid = request.is_uid();
        let asked = Asked::parse(&request, session)?;
        let mut plan = asked.plan;
        if uid {
            plan.with_uid();
        }
        if asked.changed_since.is_some() {
            plan.with_modseq();
        }
        if session.enabled.uid_only {
            plan.without_uid();
        }
        if plan.modseq {
            session.enable_condstore();
        }
        session.need_selected(Rights::READ)?;
        let selected = session.selected()?;
        let (view, read_only) = (selected.view.clone(), selected.read_only);
        let mut positions = set::positions(&asked.set, uid, selected.numbers())?;
        if let Some(partial) = asked.partial {
            if session.shared.message_limit.cuts && partial.len() > u64::from(session.shared.message_limit.messages_max)
            {
                return Ok(session.over_limit());
            }
            let found = Found::Ranges(positions);
            positions = Cursor::new(&found, partial.range(found.len())).ranges();
        }
        let cut = session.cut(&mut positions, &view.entries)?;
        if asked.vanished {
            session.tell_vanished(&asked.set, asked.changed_since.unwrap_or_default()).await?;
        }
        let plan = Arc::new(plan);
        let (changed_since, work) = (asked.changed_since, Work::default());
        let mut fetch = Fetch { plan, changed_since, view, uid, sets_seen: false, failed: None, work };
        let keeps_seen = session.selected_rights().contains(Rights::SEEN);
        fetch.sets_seen = fetch.plan.sets_seen && !read_only && keeps_seen;
        // Of what is asked most, something small of one message, a client may have some commands run before others have their turn.
        let is_small = set::count(&positions) <= 1 && !fetch.plan.message;
        for group in set::groups(&positions, limits::IMAP_BATCH_MESSAGES) {
            session.fetch(&mut fetch, &group).await?;
            if session.ended {
                return Ok(Answer::no("FETCH broken off"));
            }
            if !is_small {
                yield_now().await;
            }
        }
        Ok(session.with_cut(cut, fetch.failed.unwrap_or(Answer::ok("FETCH completed"))))
    })
}

/// What a FETCH asks.
struct Asked {
    set: Set,
    plan: Plan,
    changed_since: Option<u64>,
    vanished: bool,
    partial: Option<Partial>,
}

impl Asked {
    fn parse(request: &Request, session: &Session) -> Result<Asked, Answer> {
        let mut args = request.args();
        args.space()?;
        let set = args.set()?;
        args.space()?;
        let plan = Plan::parse(&mut args)?;
        let mut asked = Asked { set, plan, changed_since: None, vanished: false, partial: None };
        if !args.is_end() {
            args.space()?;
            args.list(false, |args| asked.modifier(args))?;
        }
        args.end()?;
        if asked.vanished && !session.enabled.qresync {
            return Err(Answer::bad("VANISHED needs ENABLE QRESYNC"));
        }
        // RFC 7162 section 3.2.6.
        if asked.vanished && (asked.changed_since.is_none() || !request.is_uid()) {
            return Err(Answer::bad("VANISHED is for UID FETCH with CHANGEDSINCE"));
        }
        // RFC 9394 section 3.4.
        if asked.partial.is_some() && !request.is_uid() {
            return Err(Answer::bad("PARTIAL is for UID FETCH"));
        }
        Ok(asked)
    }

    fn modifier(&mut self, args: &mut Args<'_>) -> Result<(), Answer> {
        if args.eat_word("CHANGEDSINCE") {
            args.space()?;
            self.changed_since = Some(args.number()?);
        } else if args.eat_word("VANISHED") {
            self.vanished = true;
        } else if args.eat_word("PARTIAL") && self.partial.is_none() {
            args.space()?;
            self.partial = Some(Partial::parse(args)?);
        } else {
            args.wrong("a modifier of FETCH")?;
        }
        Ok(())
    }
}

/// A FETCH under way.
struct Fetch {
    plan: Arc<Plan>,
    changed_since: Option<u64>,
    view: Arc<Mailbox>,
    uid: bool,
    sets_seen: bool,
    /// The answer when messages had to be left out.
    failed: Option<Answer>,
    work: Work,
}

impl Session {
    /// Writes what NOTIFY has asked for of a new message. Nothing becomes \Seen by it.
    pub(in crate::imap) fn fetch_new<'s>(
        &'s mut self,
        plan: &Arc<Plan>,
        at: usize,
    ) -> Pin<Box<dyn Future<Output = io::Result<()>> + 's>> {
        let plan = plan.clone();
        Box::pin(async move {
            let Some(view) = self.selected.as_ref().map(|selected| selected.view.clone()) else {
                return Ok(());
            };
            let (uid, sets_seen) = (true, false);
            // One that cannot be read any more is told of when it is asked for.
            let work = Work::default();
            let mut fetch = Fetch { plan, changed_since: None, view, uid, sets_seen, failed: None, work };
            self.fetch(&mut fetch, std::slice::from_ref(&(at..at + 1))).await
        })
    }

    /// Writes the messages at some positions.
    async fn fetch(&mut self, fetch: &mut Fetch, positions: &[Range<usize>]) -> io::Result<()> {
        near::bring_entries(self, self.mail_account(), &fetch.view, positions).await;
        let seen_now = if fetch.sets_seen { self.set_seen(fetch, positions).await? } else { UidSet::new() };
        if let Some(selected) = &self.selected
            && selected.newer.is_none()
        {
            // The same numbers, with the flags as they are now.
            fetch.view = selected.view.clone();
        }
        let view = fetch.view.clone();
        if fetch.plan.summary {
            near::bring(self, &view, positions).await;
        }
        let shared = self.shared.clone();
        let mut summaries = shared.engine.summaries(self.mail_account());
        for (at, entry) in set::entries(positions, &view.entries) {
            let Some(selected) = &self.selected else {
                return Ok(());
            };
            let entry = match entry {
                Ok(entry) => selected.newest(entry),
                Err(error) => {
                    fetch.failed = Some(error.into());
                    return Ok(());
                }
            };
            if fetch.changed_since.is_some_and(|since| entry.modseq.0 <= since) {
                continue;
            }
            if fetch.plan.message && u64::from(entry.size_bytes) > limits::MESSAGE_SMALL_BYTES {
                // There may be no room for it yet; what is answered already need not wait.
                self.stream.flush().await?;
            }
            let stored = if fetch.plan.summary { summaries.get(entry.locator).map(Some) } else { Ok(None) };
            let done = match stored {
                Ok(stored) => self.write(fetch, at, &entry, stored, seen_now.contains(entry.uid)).await?,
                Err(error) => Err(unread(error)),
            };
            if let Err(answer) = done {
                fetch.failed = Some(answer);
            }
        }
        Ok(())
    }

    /// Reads the message if the plan needs it, and writes one response.
    async fn write(
        &mut self,
        fetch: &mut Fetch,
        at: usize,
        entry: &Entry,
        stored: Option<&[u8]>,
        flags_changed: bool,
    ) -> io::Result<Result<(), Answer>> {
        if !fetch.plan.message {
            let written = self.write_at_once(&fetch.plan, at, entry, stored.unwrap_or_default(), flags_changed);
            self.stream.flush_if_large().await?;
            return Ok(written.map_err(|why| corrupt(entry, &why.to_string()).into()));
        }
        let message = match self.shared.message(self.account(), self.mail_account(), entry).await {
            Ok(message) => message,
            Err(error) => return Ok(Err(unread(error))),
        };
        let written = self.write_with(fetch, at, entry, (stored, message), flags_changed).await?;
        fetch.work.did(entry.size_bytes as usize).await;
        Ok(written)
    }

    /// Writes a response that needs no message, or nothing of it.
    fn write_at_once(
        &mut self,
        plan: &Plan,
        at: usize,
        entry: &Entry,
        stored: &[u8],
        flags_changed: bool,
    ) -> Result<(), DecodeError> {
        let recent = self.is_recent(entry.uid);
        let Some(selected) = &self.selected else { return Ok(()) };
        let (keywords, summary) = (&*selected.data().keywords, None);
        let Enabled { condstore, uid_only, .. } = self.enabled;
        let source = Source { at, entry, keywords, recent, stored, summary, flags_changed, condstore, uid_only };
        let out = self.stream.output();
        let before = out.len();
        render::begin(out, &source);
        for item in 0..plan.items.len() {
            if let Err(why) = render::part(out, plan, item, &source, &[]) {
                out.truncate(before);
                return Err(why);
            }
        }
        render::end(out, plan, &source);
        Ok(())
    }

    /// Writes a response with parts of the message; what of it is long is sent in pieces, so that a slow client holds the message at most.
    async fn write_with(
        &mut self,
        fetch: &mut Fetch,
        at: usize,
        entry: &Entry,
        (summary, mut message): (Option<&[u8]>, Reading),
        flags_changed: bool,
    ) -> io::Result<Result<(), Answer>> {
        let Some(selected) = &self.selected else {
            return Ok(Ok(()));
        };
        let (plan, work) = (&*fetch.plan, &mut fetch.work);
        let stored = summary.unwrap_or_default();
        // Before anything is sent in pieces the summary is proved.
        let summary = match summary.map(SummaryRef::decode).transpose() {
            Ok(summary) => summary,
            Err(why) => return Ok(Err(corrupt(entry, &why.to_string()).into())),
        };
        let mailbox = selected.data().clone();
        let source = Source {
            at,
            entry,
            keywords: &mailbox.keywords,
            recent: self.is_recent(entry.uid),
            stored,
            summary,
            flags_changed,
            condstore: self.enabled.condstore,
            uid_only: self.enabled.uid_only,
        };
        for content in plan.contents().filter(|content| content.decoding != Decoding::None) {
            if section::check(content, source.summary.as_ref()).is_err() {
                let text = "[UNKNOWN-CTE] A part's Content-Transfer-Encoding is not known here";
                return Ok(Err(Answer::no(text)));
            }
            work.did(stored.len()).await;
        }
        render::begin(self.stream.output(), &source);
        for item in 0..plan.items.len() {
            // No error: the summary was proved.
            if let Ok(Some(content)) = render::part(self.stream.output(), plan, item, &source, &message) {
                self.write_content(content, &source, &mut message, work).await?;
            }
        }
        render::end(self.stream.output(), plan, &source);
        // What the client is slow to take now needs the message no more.
        drop(message);
        self.stream.flush_if_large().await?;
        Ok(Ok(()))
    }

    /// Writes an item's label and its bytes.
    async fn write_content(
        &mut self,
        content: &Content,
        source: &Source<'_>,
        message: &mut Reading,
        work: &mut Work,
    ) -> io::Result<()> {
        let out = self.stream.output();
        out.extend_from_slice(&content.label);
        out.push(b' ');
        match Selected::find(content, source.summary.as_ref(), message.len()) {
            Some(selected) => self.write_selected(&selected, content.decoding, message, work).await?,
            None => out.extend_from_slice(b"NIL"),
        }
        // The part has been looked for among all.
        work.did(if content.path.is_empty() { 0 } else { source.stored.len() }).await;
        Ok(())
    }

    /// Writes bytes of a message as a literal, or how many there are; long ones are sent in pieces.
    pub(super) async fn write_selected(
        &mut self,
        selected: &Selected<'_>,
        decoding: Decoding,
        message: &mut Reading,
        work: &mut Work,
    ) -> io::Result<()> {
        match selected {
            Selected::Sought(sought) => self.write_sought(sought, decoding, message, work).await,
            Selected::AsIs(range) => {
                let has_nul = decoding == Decoding::Binary && has_nul(&message[range.clone()], work).await;
                if write_head(self.stream.output(), decoding, range.len() as u64, has_nul) {
                    self.write_range(range.clone(), message, work).await?;
                }
                Ok(())
            }
        }
    }

    async fn write_range(&mut self, range: Range<usize>, message: &mut Reading, work: &mut Work) -> io::Result<()> {
        let mut at = range.start;
        while at < range.end {
            let end = range.end.min(at + limits::OUTPUT_BYTES);
            let piece = message.get(at..end).ok_or_else(|| io::Error::other("a message has become shorter"))?;
            self.stream.output().extend_from_slice(piece);
            self.send_some(message).await?;
            work.did(end - at).await;
            at = end;
        }
        Ok(())
    }

    /// Goes through the message twice where one step is not enough: a literal begins with its length.
    async fn write_sought(
        &mut self,
        sought: &Sought<'_>,
        decoding: Decoding,
        message: &mut Reading,
        work: &mut Work,
    ) -> io::Result<()> {
        let (mut walk, mut found) = (sought.walk(), Vec::new());
        let (mut more, mut len, mut has_nul, mut steps) = (true, 0, false, 0);
        while more {
            found.clear();
            more = walk.next(message, &mut found);
            len += found.len() as u64;
            has_nul |= memchr::memchr(0, &found).is_some();
            steps += 1;
            work.did(sought.step_bytes()).await;
        }
        if !write_head(self.stream.output(), decoding, len, has_nul && decoding == Decoding::Binary) {
            return Ok(());
        }
        if steps == 1 {
            self.stream.output().append(&mut found);
            return self.send_some(message).await;
        }
        drop(found);
        walk = sought.walk();
        while walk.next(message, self.stream.output()) {
            self.send_some(message).await?;
            work.did(sought.step_bytes()).await;
        }
        Ok(())
    }

    /// Sends what has gathered of a message if it is much.
    async fn send_some(&mut self, message: &mut Reading) -> io::Result<()> {
        if self.stream.output().len() >= limits::OUTPUT_BYTES && !message.flush(&mut self.stream).await? {
            message.wait(&self.shared, &mut self.stream).await?;
        }
        Ok(())
    }

    /// Reading a body marks it \Seen (RFC 3501 section 6.4.5). One commit for all of the positions; says which messages were unseen.
    async fn set_seen(&mut self, fetch: &Fetch, positions: &[Range<usize>]) -> io::Result<UidSet> {
        let Some(selected) = &self.selected else {
            return Ok(UidSet::new());
        };
        let mut unseen: Vec<Uid> = Vec::new();
        for (_, entry) in set::entries(positions, &fetch.view.entries) {
            let Ok(entry) = entry else { continue };
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
        let Ok(at) = self.selected_at() else {
            return Ok(UidSet::new());
        };
        let stored = match self.shared.engine.store_at(at, store).await {
            Ok(stored) => stored,
            Err(error) => {
                // The message can be read all the same; it stays unseen.
                tracing::warn!(%error, "imap: \\Seen could not be set");
                return Ok(UidSet::new());
            }
        };
        // The view of `fetch` keeps its numbers: no EXPUNGE is told before the end.
        let own = Own { uids: &unseen, except: &UidSet::new(), expected: None, changed_at: stored.changed_at };
        self.tell(Telling { expunges: false, uid: fetch.uid, claim: false, asked: false }, Some(own)).await?;
        Ok(unseen)
    }
}

/// Whether there is a NUL among the bytes of a part, which may be some megabytes.
async fn has_nul(bytes: &[u8], work: &mut Work) -> bool {
    for step in bytes.chunks(limits::WORK_PER_TURN_BYTES) {
        if memchr::memchr(0, step).is_some() {
            return true;
        }
        work.did(step.len()).await;
    }
    false
}

/// What stands before the bytes; or their number, if that is all that is wanted: false then.
fn write_head(out: &mut Vec<u8>, decoding: Decoding, len: u64, has_nul: bool) -> bool {
    if decoding == Decoding::Size {
        out::number(out, len);
        return false;
    }
    // RFC 3516 section 4.2: NULs need a literal8.
    if has_nul {
        out.push(b'~');
    }
    out::literal_head(out, len as usize);
    true
}

/// RFC 5530: a message that another session has expunged, and whose bytes may be gone by now.
fn unread(error: Error) -> Answer {
    match error {
        Error::NotFound(_) => Answer::no("[EXPUNGEISSUED] Some messages are gone"),
        error => error.into(),
    }
}

fn corrupt(entry: &Entry, why: &str) -> Error {
    Error::corrupt(format!("summary of message {}", entry.guid), 0, why)
}
