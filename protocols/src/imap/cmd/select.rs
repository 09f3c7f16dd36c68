//! SELECT and EXAMINE (RFC 3501 sections 6.3.1 and 6.3.2), with CONDSTORE and QRESYNC (RFC 7162 sections 3.1.2
//! and 3.2.5) and MAILBOXID (RFC 8474).
use crate::imap::answer::Answer;
use crate::imap::args::Args;
use crate::imap::context::Contexts;
use crate::imap::place::{self, Place};
use crate::imap::qresync::Known;
use crate::imap::set::{self, Positions};
use crate::imap::state::{Enabled, Running, Selected, Session};
use crate::imap::table::Request;
use crate::imap::{name, near, objects, out};
use crate::limits;
use posthouse_engine::base::Uid;
use posthouse_engine::directory::Rights;
use posthouse_engine::index::UidSet;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let asked = Asked::parse(&request);
        // A failed SELECT leaves no mailbox selected (RFC 3501 section 6.3.1), one that is not understood changes nothing.
        let asked = asked?;
        if let Some(known) = &asked.known {
            if !session.enabled.qresync {
                return Ok(Answer::bad("QRESYNC has not been enabled"));
            }
            if known.has_numbers && session.enabled.uid_only {
                return Ok(Answer::bad("[UIDREQUIRED] Message numbers cannot be used after ENABLE UIDONLY"));
            }
        }
        if session.selected.take().is_some() {
            session.untagged("OK [CLOSED] Previous mailbox closed");
        }
        let place = session.name(&asked.name).and_then(|name| session.place_for(&name, Rights::READ))?;
        if asked.condstore {
            session.enabled.condstore = true;
        }
        let answer = session.select(&place, request.name == "EXAMINE").await?;
        if let Some(known) = asked.known {
            session.resync(&known).await?;
        }
        Ok(answer)
    })
}

/// Without any of these rights a mailbox is opened read-only.
const CHANGING: Rights = Rights::ALL
    .without(Rights::LOOKUP)
    .without(Rights::READ)
    .without(Rights::POST)
    .without(Rights::CREATE)
    .without(Rights::DELETE_MAILBOX)
    .without(Rights::ADMINISTER);

/// What a SELECT asks.
struct Asked {
    name: Vec<u8>,
    condstore: bool,
    known: Option<Known>,
}

impl Asked {
    fn parse(request: &Request) -> Result<Asked, Answer> {
        let mut args = request.args();
        args.space()?;
        let mut asked = Asked { name: args.astring()?.into_owned(), condstore: false, known: None };
        if !args.is_end() {
            args.space()?;
            args.list(false, |args| asked.parameter(args))?;
        }
        args.end()?;
        Ok(asked)
    }

    fn parameter(&mut self, args: &mut Args<'_>) -> Result<(), Answer> {
        if args.eat_word("CONDSTORE") {
            self.condstore = true;
        } else if args.eat_word("QRESYNC") && self.known.is_none() {
            args.space()?;
            self.known = Some(Known::parse(args)?);
        } else {
            args.wrong("CONDSTORE or QRESYNC")?;
        }
        Ok(())
    }
}

impl Session {
    async fn select(&mut self, place: &Place, examine: bool) -> Result<Answer, Answer> {
        let (account, id) = (place.account, place.mailbox.id);
        // RFC 4314 section 5.2.
        let read_only = examine || !place.rights.has_any(CHANGING);
        let engine = self.shared.engine.clone();
        let mut view = engine.mailbox(account, id)?;
        let mut recent_from = view.recent_from;
        if !read_only && recent_from < view.uid_next {
            // A store that takes no changes now (a full disk, for one) is read all the same: without a claim the messages are \Recent here
            // too (RFC 3501 section 2.3.2).
            if let Ok(from) = engine.claim_recent(account, id).await {
                recent_from = from;
            }
            // The view after the claim: it holds all that was claimed.
            view = engine.mailbox(account, id)?;
        }
        let (recent, saved) = (UidSet::new(), UidSet::new());
        let may = (place::flags(place.rights), place.rights.contains(Rights::WRITE));
        let mut selected = Selected {
            account,
            mailbox: id,
            reader: place.reader,
            may,
            read_only,
            new_from: view.uid_next,
            view,
            newer: None,
            untold_since: None,
            recent,
            claim_due: false,
            saved,
            contexts: Contexts::default(),
        };
        let looked_at = looked_at(&selected, self.enabled, recent_from);
        near::bring_entries(self, account, &selected.view, &looked_at).await;
        selected.add_recent(recent_from.0, selected.view.uid_next.0.saturating_sub(1));
        let (rev2, utf8, is_tls) = (self.enabled.rev2, self.names_utf8(), self.stream.is_tls());
        let out = self.stream.output();
        write(out, &selected, self.enabled);
        if rev2 {
            // RFC 9051 section 6.3.2.
            out.extend_from_slice(b"* LIST () \"/\" ");
            name::write(out, &place.name(), utf8);
            out.extend_from_slice(b"\r\n");
        }
        if is_tls {
            // RFC 4467 section 8; only where nobody listens (section 10).
            out.extend_from_slice(b"* OK [URLMECH INTERNAL] URLs can be authorised\r\n");
        }
        // RFC 8474 section 4.2.
        out.extend_from_slice(b"* OK [MAILBOXID (");
        objects::mailbox_id(out, account, &selected.view);
        out.extend_from_slice(b")] Its name for ever\r\n");
        self.selected = Some(Box::new(selected));
        Ok(Answer::ok(match (examine, read_only) {
            (true, _) => "[READ-ONLY] EXAMINE completed",
            (false, true) => "[READ-ONLY] SELECT completed",
            (false, false) => "[READ-WRITE] SELECT completed",
        }))
    }
}

fn write(out: &mut Vec<u8>, selected: &Selected, enabled: Enabled) {
    selected.write_flag_lists(out);
    selected.write_counts(out, enabled.rev2);
    let view = &selected.view;
    if tells_first_unseen(selected, enabled)
        && let Ok(Some(first)) = view.first_unseen_for(selected.reader, limits::IMAP_UNSEEN_SCAN_MAX)
    {
        code(out, "UNSEEN", first as u64 + 1, "First unseen message");
    }
    code(out, "UIDVALIDITY", view.uid_validity.into(), "UIDs valid");
    code(out, "UIDNEXT", view.uid_next.0.into(), "Predicted next UID");
    code(out, "HIGHESTMODSEQ", view.highest_modseq.0, "Highest");
}

fn code(out: &mut Vec<u8>, code: &str, value: u64, text: &str) {
    out.extend_from_slice(b"* OK [");
    out.extend_from_slice(code.as_bytes());
    out.push(b' ');
    out::number(out, value);
    out.extend_from_slice(b"] ");
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// Whether the client is to hear of the first unseen message: IMAP4rev2 knows no such answer (RFC 9051 appendix E), and a number says nothing after
/// ENABLE UIDONLY (RFC 9586).
fn tells_first_unseen(selected: &Selected, enabled: Enabled) -> bool {
    !enabled.rev2 && !enabled.uid_only && selected.view.unseen_for(selected.reader) > 0
}

/// Where the entries stand that the answer needs: the first unseen one is looked for, and the first \Recent one, of which only the uid is known.
fn looked_at(selected: &Selected, enabled: Enabled, recent_from: Uid) -> Positions {
    let (len, mut positions) = (selected.view.entries.len(), Positions::new());
    if tells_first_unseen(selected, enabled) {
        positions.push(0..len.min(limits::IMAP_UNSEEN_SCAN_MAX));
    }
    let recent = selected.view.uid_next.0.saturating_sub(recent_from.0) as usize;
    if !enabled.rev2 && recent > 0 {
        // Not before that; behind it where some of them are gone already.
        let first = len.saturating_sub(recent);
        positions.push(first..len.min(first + limits::IMAP_UNSEEN_SCAN_MAX));
    }
    set::merged(positions)
}
