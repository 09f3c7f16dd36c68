//! SELECT and EXAMINE (RFC 3501 sections 6.3.1 and 6.3.2), with CONDSTORE (RFC 7162 section 3.1.2).
use crate::imap::answer::Answer;
use crate::imap::name;
use crate::imap::out;
use crate::imap::state::{Running, Selected, Session};
use crate::imap::table::Request;
use crate::limits;
use imap_codec::imap_types::command::{CommandBody, SelectParameter};
use posthouse_engine::base::MailboxId;
use posthouse_engine::index::{Flags, Mailbox, UidSet};
use std::sync::Arc;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        // A failed SELECT leaves no mailbox selected (RFC 3501 section 6.3.1).
        if session.selected.take().is_some() {
            session.untagged("OK [CLOSED] Previous mailbox closed");
        }
        let (wanted, parameters, read_only) = match &request.body {
            CommandBody::Select { mailbox, parameters } => (mailbox, parameters, false),
            CommandBody::Examine { mailbox, parameters } => (mailbox, parameters, true),
            _ => return Ok(Answer::bad("A mailbox name is expected")),
        };
        if parameters.iter().any(|parameter| !matches!(parameter, SelectParameter::CondStore)) {
            return Ok(Answer::bad("QRESYNC has not been enabled"));
        }
        let id = match name::decode(wanted).and_then(|name| session.mailbox_named(&name)) {
            Ok(mailbox) => mailbox.id,
            Err(answer) => return Ok(answer),
        };
        if !parameters.is_empty() {
            session.condstore = true;
        }
        Ok(session.select(id, read_only).await)
    })
}

impl Session {
    /// The mailbox of that name.
    pub(in crate::imap) fn mailbox_named(&self, name: &str) -> Result<Arc<Mailbox>, Answer> {
        let account = self.shared.engine.account(self.account())?;
        match account.mailbox_named(name) {
            Some(mailbox) => Ok(mailbox.clone()),
            None => Err(Answer::no("[NONEXISTENT] There is no such mailbox")),
        }
    }

    async fn select(&mut self, id: MailboxId, read_only: bool) -> Answer {
        let account = self.account();
        let engine = self.shared.engine.clone();
        let mut view = match engine.mailbox(account, id) {
            Ok(view) => view,
            Err(error) => return error.into(),
        };
        let mut recent_from = view.recent_from;
        if !read_only && recent_from < view.uid_next {
            // The view after the claim: it holds all that was claimed.
            (recent_from, view) = match (engine.claim_recent(account, id).await, engine.mailbox(account, id)) {
                (Ok(from), Ok(view)) => (from, view),
                (Err(error), _) | (_, Err(error)) => return error.into(),
            };
        }
        let mut selected =
            Selected { mailbox: id, read_only, view, newer: None, recent: UidSet::new(), claim_due: false };
        selected.add_recent(recent_from.0, selected.view.uid_next.0.saturating_sub(1));
        write(self.stream.output(), &selected);
        self.selected = Some(Box::new(selected));
        Answer::ok(if read_only { "[READ-ONLY] EXAMINE completed" } else { "[READ-WRITE] SELECT completed" })
    }
}

fn write(out: &mut Vec<u8>, selected: &Selected) {
    selected.write_flag_lists(out);
    selected.write_counts(out);
    let view = &selected.view;
    if let Some(first) = first_unseen(view) {
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

fn first_unseen(view: &Mailbox) -> Option<usize> {
    if view.unseen == 0 {
        return None;
    }
    let mut entries = view.entries.range(0..limits::IMAP_UNSEEN_SCAN_MAX);
    entries.position(|entry| entry.is_ok_and(|entry| !entry.flags.contains(Flags::SEEN)))
}
